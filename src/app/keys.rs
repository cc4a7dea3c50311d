//! The one table of keys: what they do, where, and how that is said. Dispatch, footer and help are all made from it.

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::column::Column;
use super::net::NetTable;
use super::stacks::StackAction;
use super::view::View;
use crate::control::Question;
use crate::model::stacks::Measure;

/// What a key, a click or a hint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// End ebtop.
    Quit,
    /// Stop the job, as the shell's Ctrl-Z.
    Suspend,
    /// Draw the whole screen anew.
    Redraw,
    /// Open the help.
    Help,
    /// Choose an action by its name.
    Palette,
    /// Show a view.
    View(View),
    /// The view to the right.
    NextView,
    /// The view to the left.
    PreviousView,
    /// Move the selection by lines.
    Move(isize),
    /// Move the selection by screens.
    Page(isize),
    /// To the first line, and stay there.
    Home,
    /// To the last line.
    End,
    /// From a row to its cause.
    Enter,
    /// Show or hide what is below the line.
    Fold,
    /// The same for all lines.
    FoldAll,
    /// Children below their parents, or all lines one by one.
    Tree,
    /// Choose what lines are grouped by.
    Group,
    /// Show threads one by one, or as their processes.
    Threads,
    /// Show or hide kernel threads.
    KernelThreads,
    /// Hold on to the selected line, or let go of it.
    Follow,
    /// Show all that is known of the process, or the table again.
    Details,
    /// In the details: show or hide the environment.
    Environment,
    /// In the details: read the memory map however long it takes.
    MemoryMap,
    /// Tag or untag the process.
    Tag,
    /// Tag the process and all below it.
    TagChildren,
    /// Untag all.
    Untag,
    /// The stacks, by this, of the tagged processes; where nobody is tagged, of the selected line.
    Why(Measure),
    /// Write the stacks in view to a file.
    Export,
    /// One step back.
    Back,
    /// The sockets of the selected process; in the sockets, back to processes.
    Sockets,
    /// Another table of the Network view.
    Net(NetTable),
    /// Sort by a column.
    Sort(Column),
    /// Choose the column to sort by.
    SortMenu,
    /// Show what is to the right, or to the left.
    Shift(bool),
    /// Choose whose processes are shown.
    Users,
    /// Turn the order round.
    Invert,
    /// Ask for a text to find.
    Search,
    /// To the next line found, or the one before.
    FindNext(bool),
    /// Ask for a filter.
    Filter,
    /// Show programs with or without their directories.
    Paths,
    /// Stop or resume the screen.
    Pause,
    /// Ask for the time between samples.
    Delay,
    /// A header with more in it, or with less.
    Header,
    /// Choose columns, colours, units.
    Setup,
    /// Choose a signal for the process.
    Signal,
    /// Choose a nice value, a step from where it is.
    Nice(i8),
    /// Choose an I/O priority, or CPUs to run on.
    Setting(Question),
    /// Something in the stacks.
    Stack(StackAction),
}

/// A key as it is pressed. Shift is part of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const fn key(code: KeyCode) -> Key {
    Key { code, modifiers: KeyModifiers::NONE }
}

const fn letter(c: char) -> Key {
    key(KeyCode::Char(c))
}

const fn ctrl(c: char) -> Key {
    Key { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
}

impl Key {
    /// Ends ebtop whatever the configuration says.
    pub const WAY_OUT: Key = ctrl('c');

    /// The key of a character.
    pub const fn letter(c: char) -> Key {
        letter(c)
    }

    /// The key that is called so: what [`Key::name`] writes, and `Up`, `Down`, `Left`, `Right` for the arrows.
    pub fn named(name: &str) -> Option<Key> {
        let mut characters = name.chars();
        if let (Some(c), None) = (characters.next(), characters.next())
            && !c.is_whitespace()
            && !c.is_control()
            && !matches!(c, '↑' | '↓' | '←' | '→')
        {
            return Some(letter(c));
        }
        if let Some(c) = name.strip_prefix("Ctrl-").filter(|c| c.len() == 1) {
            return c.chars().next().filter(char::is_ascii_alphabetic).map(|c| ctrl(c.to_ascii_lowercase()));
        }
        if let Some(key) = NAMED_KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Some(self::key(key.1));
        }
        let (modifiers, rest) = match name.strip_prefix("Shift-") {
            Some(rest) => (KeyModifiers::SHIFT, rest),
            None => (KeyModifiers::NONE, name),
        };
        let number = rest.strip_prefix('F')?.parse().ok().filter(|n| (1..=12).contains(n))?;
        Some(Key { code: KeyCode::F(number), modifiers })
    }

    /// The key of an event.
    pub fn of(event: &KeyEvent) -> Key {
        let kept = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => event.modifiers - KeyModifiers::SHIFT,
            _ => event.modifiers,
        };
        Key { code: event.code, modifiers: kept }
    }

    /// The key that followed Escape so closely that the terminal made one of the two: Alt and that key.
    pub fn after_escape(&self) -> Option<Key> {
        self.modifiers.contains(KeyModifiers::ALT).then_some(Key { modifiers: self.modifiers - KeyModifiers::ALT, ..*self })
    }

    /// The event that it makes.
    pub fn event(&self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// As it is written on the screen.
    pub fn name(&self) -> String {
        let code = match self.code {
            KeyCode::Char(' ') => "Space".to_string(),
            KeyCode::Char(c) if self.modifiers.contains(KeyModifiers::CONTROL) => c.to_uppercase().to_string(),
            KeyCode::Char(c) => crate::sample::printable(c.to_string().as_bytes()),
            KeyCode::F(n) => format!("F{n}"),
            KeyCode::BackTab => "Shift-Tab".into(),
            KeyCode::PageUp => "PgUp".into(),
            KeyCode::PageDown => "PgDn".into(),
            KeyCode::Backspace => "Bksp".into(),
            KeyCode::Up => "↑".into(),
            KeyCode::Down => "↓".into(),
            KeyCode::Left => "←".into(),
            KeyCode::Right => "→".into(),
            other => format!("{other:?}"),
        };
        let held = [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")];
        let held: String = held.iter().filter(|(m, _)| self.modifiers.contains(*m)).map(|(_, name)| *name).collect();
        held + &code
    }
}

/// Keys that go by words.
const NAMED_KEYS: [(&str, KeyCode); 20] = [
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Bksp", KeyCode::Backspace),
    ("Delete", KeyCode::Delete),
    ("Insert", KeyCode::Insert),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("↑", KeyCode::Up),
    ("↓", KeyCode::Down),
    ("←", KeyCode::Left),
    ("→", KeyCode::Right),
];

/// Where a key means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Anywhere,
    /// In every table.
    Tables,
    /// While a search is on.
    Searching,
    /// In tables of processes.
    Processes,
    /// In the Network view, whatever it shows.
    Network,
    /// In the table of sockets.
    Sockets,
    /// In the table of listeners.
    Listeners,
    /// In the table of remote addresses.
    Remotes,
    /// In the table of interfaces.
    Interfaces,
    /// In the table of control groups.
    Cgroups,
    /// In the stacks.
    Stacks,
    /// In the details of a process.
    Details,
}

impl Place {
    /// A key of a binding in this place takes that key from a binding in the other one, on some screen.
    pub fn hides(self, other: Place) -> bool {
        match other {
            Place::Anywhere => true,
            Place::Tables => !matches!(self, Place::Stacks | Place::Details | Place::Anywhere),
            Place::Network => {
                matches!(self, Place::Network | Place::Searching | Place::Sockets | Place::Listeners | Place::Remotes | Place::Interfaces)
            }
            Place::Processes => matches!(self, Place::Processes | Place::Network | Place::Searching),
            _ => self == other || self == Place::Searching,
        }
    }

    /// The places that hold, for a screen: most specific first.
    pub fn of(view: View, sockets: bool, searching: bool) -> &'static [Place] {
        use Place::*;
        match (view, sockets, searching) {
            (View::Stacks, _, false) => &[Stacks, Anywhere],
            (View::Stacks, _, true) => &[Searching, Stacks, Anywhere],
            (View::Cgroups, _, false) => &[Cgroups, Tables, Anywhere],
            (View::Cgroups, _, true) => &[Searching, Cgroups, Tables, Anywhere],
            (View::Network, false, false) => &[Network, Processes, Tables, Anywhere],
            (View::Network, false, true) => &[Searching, Network, Processes, Tables, Anywhere],
            (_, false, false) => &[Processes, Tables, Anywhere],
            (_, false, true) => &[Searching, Processes, Tables, Anywhere],
            (_, true, false) => &[Sockets, Network, Tables, Anywhere],
            (_, true, true) => &[Searching, Sockets, Network, Tables, Anywhere],
        }
    }
}

/// Keys, what they do and how that is said.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Any of these.
    pub keys: Cow<'static, [Key]>,
    /// What happens.
    pub action: Action,
    /// Where.
    pub place: Place,
    /// In a word, for the footer; empty = not there.
    pub hint: &'static str,
    /// In a sentence, for the help.
    pub help: &'static str,
}

const fn bind(keys: &'static [Key], action: Action, place: Place, hint: &'static str, help: &'static str) -> Binding {
    Binding { keys: Cow::Borrowed(keys), action, place, hint, help }
}

/// All bindings, as htop's fingers have them; [`super::keymap`] changes them. Footer hints appear in this order, as far as there is room.
pub static BINDINGS: &[Binding] = {
    use Action::{
        Back, Delay, End, Enter, Filter, FindNext, Help, Home, Invert, Move, NextView, Page, Pause, PreviousView, Quit, Redraw, Search,
        Shift, Sort, SortMenu, Stack, Suspend, Users,
    };
    use KeyCode as K;
    use Place::{Anywhere, Cgroups, Details, Processes, Searching, Stacks, Tables};
    use StackAction as S;
    &[
        bind(
            &[key(K::Enter)],
            Enter,
            Processes,
            "why",
            "Show why: the stacks of the process, of all tagged ones from one of them, of a group, of what exited; in Network its sockets",
        ),
        bind(
            &[letter('b')],
            Action::Why(Measure::OnCpu),
            Processes,
            "",
            "Stacks of the tagged processes together; where nobody is tagged, of the line",
        ),
        bind(
            &[letter('o')],
            Action::Why(Measure::OffCpu),
            Processes,
            "",
            "What the process, or the tagged ones, wait for: stacks of time off the CPU",
        ),
        bind(&[letter('a')], Action::Why(Measure::Faults), Processes, "", "Stacks of its page faults; again: of page allocations"),
        bind(&[letter('s')], Action::Sockets, Processes, "sockets", "Sockets of the selected process; in Network the sockets of all"),
        bind(
            &[key(K::Enter), letter('s')],
            Action::Sockets,
            Place::Sockets,
            "processes",
            "From sockets back to processes, at the owner of the selected one",
        ),
        bind(&[key(K::Enter)], Enter, Place::Listeners, "connections", "The connections to the listener; Esc leads back"),
        bind(&[key(K::Enter)], Enter, Place::Remotes, "sockets", "The sockets to the address; Esc leads back"),
        bind(
            &[letter('l'), letter('L')],
            Action::Net(NetTable::Listeners),
            Place::Network,
            "listeners",
            "TCP listeners, and how many connections wait to be accepted; again: processes",
        ),
        bind(
            &[letter('r'), letter('f')],
            Action::Net(NetTable::Remotes),
            Place::Network,
            "remotes",
            "Sockets grouped by the address at the other end; again: processes",
        ),
        bind(
            &[letter('w')],
            Action::Net(NetTable::Interfaces),
            Place::Network,
            "interfaces",
            "Network interfaces: bytes, packets, errors, drops; again: processes",
        ),
        bind(&[letter('s')], Action::Sockets, Place::Listeners, "sockets", "Sockets of all"),
        bind(&[letter('s')], Action::Sockets, Place::Remotes, "", "Sockets of all"),
        bind(&[letter('s')], Action::Sockets, Place::Interfaces, "sockets", "Sockets of all"),
        bind(
            &[key(K::Enter)],
            Enter,
            Cgroups,
            "processes",
            "The processes in the cgroup and below it, alone, in all views of processes; Esc leads back",
        ),
        bind(&[letter('b')], Action::Why(Measure::OnCpu), Cgroups, "stacks", "Stacks of all in the cgroup and below it, together"),
        bind(&[letter('o')], Action::Why(Measure::OffCpu), Cgroups, "", "What they wait for: stacks of time off the CPU"),
        bind(&[letter('a')], Action::Why(Measure::Faults), Cgroups, "", "Stacks of their page faults; again: of page allocations"),
        bind(&[letter('t'), key(K::F(5))], Action::Tree, Cgroups, "tree", "The tree, or all cgroups one by one with their whole paths"),
        bind(
            &[letter('+'), letter('-'), letter('=')],
            Action::Fold,
            Cgroups,
            "fold",
            "Show or hide what is below the cgroup; its figures have it all",
        ),
        bind(&[letter('*')], Action::FoldAll, Cgroups, "", "Fold or unfold all"),
        bind(&[letter('P')], Sort(Column::CpuPct), Cgroups, "", "Sort by CPU%"),
        bind(&[letter('M')], Sort(Column::Rss), Cgroups, "", "Sort by memory charged"),
        bind(&[letter('D')], Sort(Column::Io), Cgroups, "", "Sort by disk bytes"),
        bind(&[letter('B')], Sort(Column::Net), Cgroups, "", "Sort by network bytes"),
        bind(
            &[key(K::Enter)],
            Stack(S::ZoomIn),
            Stacks,
            "zoom",
            "Only the chosen frame and what it calls; from the table, the function in the flame graph",
        ),
        bind(&[letter('f')], Stack(S::NextMode), Stacks, "flame/table/tree", "Flame graph, hottest functions, tree"),
        bind(
            &[letter('o')],
            Stack(S::Weigh(Measure::OffCpu)),
            Stacks,
            "off-CPU",
            "Time off the CPU: asleep, blocked or waiting for one; again: on it",
        ),
        bind(&[letter('a')], Stack(S::Memory), Stacks, "faults", "Page faults; again: page allocations; again: time on the CPU"),
        bind(&[letter('B')], Stack(S::Weigh(Measure::Net)), Stacks, "net", "Bytes sent and received; again: time on the CPU"),
        bind(&[letter('E')], Action::Export, Stacks, "export", "Write what is shown to a file: .svg .folded .pb.gz .json .txt"),
        bind(&[letter('w')], Stack(S::Span(true)), Stacks, "span", "Samples of the last 5 s, 30 s, 2 min, or all there are"),
        bind(&[letter('c')], Stack(S::Callers), Stacks, "callers", "Who calls the chosen function, and who calls them; again goes back"),
        bind(
            &[letter('b')],
            Stack(S::Compare),
            Stacks,
            "compare",
            "What grew and what shrank against the time before the span; again ends it",
        ),
        bind(&[letter('m')], Stack(S::Mark), Stacks, "mark", "Compare from now on with what is shown now"),
        bind(
            &[letter('y')],
            Stack(S::Wakers),
            Stacks,
            "wakers",
            "Time off the CPU, and below each wait who ended it and what that was doing; again: without",
        ),
        bind(&[letter('H')], Stack(S::Threads), Stacks, "threads", "Threads apart, or together"),
        bind(
            &[letter('p')],
            Stack(S::Processes),
            Stacks,
            "processes",
            "List the processes with samples, also those that have exited; Enter opens one",
        ),
        bind(&[letter('s')], Action::Sockets, Stacks, "sockets", "Sockets of the process"),
        bind(&[key(K::Enter)], Action::Why(Measure::OnCpu), Details, "stacks", "Its stacks: why it uses the CPU"),
        bind(&[letter('o')], Action::Why(Measure::OffCpu), Details, "", "What it waits for: stacks of time off the CPU"),
        bind(&[letter('s')], Action::Sockets, Details, "sockets", "Its sockets"),
        bind(&[letter('e')], Action::Environment, Details, "environment", "Show its environment, which may hold passwords; again hides it"),
        bind(&[letter('m')], Action::MemoryMap, Details, "", "Read its memory map even where that takes a while"),
        bind(&[letter('/'), key(K::F(3))], Search, Anywhere, "search", "Search while you type; Enter keeps it, Esc ends it"),
        bind(&[letter('n')], FindNext(true), Anywhere, "", "Next one found"),
        bind(&[letter('N')], FindNext(false), Searching, "", "The one found before (while a search is on; else sorts by PID)"),
        bind(&[Key { code: K::F(3), modifiers: KeyModifiers::SHIFT }], FindNext(false), Anywhere, "", "The one found before"),
        bind(&[letter('\\'), key(K::F(4))], Filter, Tables, "filter", "Show only lines that match; applied while you type"),
        bind(
            &[letter('t'), key(K::F(5))],
            Action::Tree,
            Processes,
            "tree",
            "Children below their parents; sorted inside by what each has with all below it",
        ),
        bind(
            &[letter('k'), key(K::F(9))],
            Action::Signal,
            Tables,
            "signal",
            "Choose a signal for the process, or the tagged ones, and send it",
        ),
        bind(&[letter('k'), key(K::F(9))], Action::Signal, Details, "signal", "Choose a signal for the process, and send it"),
        bind(
            &[letter('i')],
            Action::Details,
            Tables,
            "",
            "All about the process: command line, container, rights, limits, open files, memory, environment",
        ),
        bind(&[letter('i')], Action::Details, Stacks, "", "All about the process"),
        bind(&[letter('i')], Action::Details, Details, "close", "Close the details; so does Esc"),
        bind(&[letter(']'), key(K::F(7))], Action::Nice(-1), Tables, "", "Nice value: choose one, from a step lower on (favoured)"),
        bind(&[letter('['), key(K::F(8))], Action::Nice(1), Tables, "", "Nice value: choose one, from a step higher on (stands back)"),
        bind(&[letter('X')], Action::Setting(Question::Io), Tables, "", "I/O priority of the process"),
        bind(&[letter('C')], Action::Setting(Question::Cpus), Tables, "", "CPUs that the process may run on"),
        bind(
            &[key(K::F(2)), letter('S')],
            Action::Setup,
            Anywhere,
            "",
            "Setup: columns of the view, colours, units; saved in the configuration",
        ),
        bind(&[letter('e')], Action::Header, Anywhere, "", "Header: with graphs of the last minutes, on one line, as before"),
        bind(&[letter('z')], Pause, Anywhere, "pause", "Hold the screen still; again to go on with the newest sample"),
        bind(&[letter('d')], Delay, Anywhere, "delay", "Set the time between samples: 1, 0.5, 500ms, 5s"),
        bind(&[letter('p')], Action::Paths, Tables, "", "Show programs with or without the directories they are in"),
        bind(
            &[key(K::F(6)), letter('>'), letter('<')],
            SortMenu,
            Tables,
            "sort",
            "Choose the column to sort by; the list says what each means. A click on a heading sorts, a right click explains it",
        ),
        bind(&[letter('u')], Users, Processes, "", "Choose whose processes are shown"),
        bind(&[letter(':')], Action::Palette, Anywhere, "", "Palette: every action of this screen by its name; type to find it"),
        bind(&[letter('?'), key(K::F(1)), letter('h')], Help, Anywhere, "help", "This help; again, the column that the table is sorted by"),
        bind(&[letter('q'), key(K::F(10)), ctrl('c')], Quit, Anywhere, "quit", "Quit"),
        bind(&[key(K::Up)], Move(-1), Tables, "", "A line up"),
        bind(&[key(K::Down)], Move(1), Tables, "", "A line down"),
        bind(&[key(K::PageUp), ctrl('b')], Page(-1), Tables, "", "A screen up"),
        bind(&[key(K::PageDown), ctrl('f')], Page(1), Tables, "", "A screen down"),
        bind(&[key(K::Up)], Move(-1), Details, "", "A line up"),
        bind(&[key(K::Down)], Move(1), Details, "", "A line down"),
        bind(&[key(K::PageUp), ctrl('b')], Page(-1), Details, "", "A screen up"),
        bind(&[key(K::PageDown), ctrl('f')], Page(1), Details, "", "A screen down"),
        bind(&[key(K::Home)], Home, Details, "", "To the beginning"),
        bind(&[key(K::End)], End, Details, "", "To the end"),
        bind(&[key(K::Left)], Shift(false), Tables, "", "Back to the columns on the left"),
        bind(&[key(K::Right)], Shift(true), Tables, "", "Columns that have no room on the right; then the rest of long command lines"),
        bind(&[key(K::Home)], Home, Tables, "", "Select the first line, whichever it is from then on"),
        bind(&[key(K::End)], End, Tables, "", "Select the last line"),
        bind(
            &[letter(' ')],
            Action::Tag,
            Processes,
            "",
            "Tag the process; actions are for all that are tagged. On the exited row: its commands",
        ),
        bind(&[letter('c')], Action::TagChildren, Processes, "", "Tag the process and all below it"),
        bind(&[letter('U')], Action::Untag, Processes, "", "Untag all"),
        bind(
            &[letter('+'), letter('-'), letter('=')],
            Action::Fold,
            Processes,
            "",
            "Fold or unfold: a folded line shows the sum of all below it",
        ),
        bind(&[letter('*')], Action::FoldAll, Processes, "", "Fold or unfold all"),
        bind(&[letter('g')], Action::Group, Processes, "", "Group by command, user, cgroup, unit, container or pod, with sums"),
        bind(&[letter('H')], Action::Threads, Processes, "", "Show threads one by one, or as their processes"),
        bind(&[letter('K')], Action::KernelThreads, Processes, "", "Show or hide kernel threads"),
        bind(&[letter('F')], Action::Follow, Processes, "", "Hold on to the selected process wherever it goes; again to let go"),
        bind(&[key(K::Up)], Stack(S::Up), Stacks, "", "Flame graph: the caller; else a row up"),
        bind(&[key(K::Down)], Stack(S::Down), Stacks, "", "Flame graph: the hottest callee; else a row down"),
        bind(&[key(K::Left)], Stack(S::Left), Stacks, "", "Flame graph: the frame on the left; tree: fold, then the caller"),
        bind(&[key(K::Right)], Stack(S::Right), Stacks, "", "Flame graph: the frame on the right; tree: unfold, then the hottest callee"),
        bind(&[letter('+'), letter('=')], Stack(S::UnfoldAll), Stacks, "", "Tree: unfold everything below the chosen frame"),
        bind(&[letter('-')], Stack(S::FoldBelow), Stacks, "", "Tree: fold what the chosen frame calls"),
        bind(&[letter('W')], Stack(S::Span(false)), Stacks, "", "A shorter span"),
        bind(&[key(K::PageUp)], Stack(S::PageUp), Stacks, "", "Ten rows up"),
        bind(&[key(K::PageDown)], Stack(S::PageDown), Stacks, "", "Ten rows down"),
        bind(&[key(K::Home)], Stack(S::First), Stacks, "", "The first row, or the zoomed frame"),
        bind(&[key(K::End)], Stack(S::Last), Stacks, "", "The last row, or down the hottest path"),
        bind(&[key(K::Esc), key(K::Backspace)], Back, Anywhere, "", "One step back: search, filter, breadcrumb. Never quits"),
        bind(&[key(K::Tab)], NextView, Anywhere, "", "Next view"),
        bind(&[key(K::BackTab)], PreviousView, Anywhere, "", "Previous view"),
        bind(&[letter('1')], Action::View(View::Processes), Anywhere, "", "Processes: who uses the machine"),
        bind(&[letter('2')], Action::View(View::Cpu), Anywhere, "", "CPU: where its time goes, who waits for it"),
        bind(&[letter('3')], Action::View(View::Memory), Anywhere, "", "Memory: who holds it, who touches it"),
        bind(
            &[letter('4')],
            Action::View(View::Network),
            Anywhere,
            "",
            "Network: who talks, by process, socket, listener, remote address or interface",
        ),
        bind(&[letter('5')], Action::View(View::Disk), Anywhere, "", "Disk: who reads and writes, and how busy the devices are"),
        bind(
            &[letter('6')],
            Action::View(View::Cgroups),
            Anywhere,
            "",
            "Cgroups: limits, throttling, pressure; Enter shows the processes of one",
        ),
        bind(&[letter('7')], Action::View(View::Stacks), Anywhere, "", "Stacks: the hottest functions"),
        bind(&[letter('P')], Sort(Column::CpuPct), Processes, "", "Sort by CPU%"),
        bind(&[letter('M')], Sort(Column::Rss), Processes, "", "Sort by resident memory"),
        bind(&[letter('T')], Sort(Column::Time), Processes, "", "Sort by CPU time since start"),
        bind(&[letter('N')], Sort(Column::Pid), Processes, "", "Sort by PID"),
        bind(&[letter('W')], Sort(Column::WaitPct), Processes, "", "Sort by time waiting for a CPU"),
        bind(&[letter('D')], Sort(Column::Io), Processes, "", "Sort by disk bytes"),
        bind(&[letter('B')], Sort(Column::Net), Processes, "", "Sort by network bytes"),
        bind(&[letter('A')], Sort(Column::Faults), Processes, "", "Sort by page faults"),
        bind(&[letter('I')], Invert, Tables, "", "Turn the order round"),
        bind(&[ctrl('l')], Redraw, Anywhere, "", "Draw the screen anew"),
        bind(&[ctrl('z')], Suspend, Anywhere, "", "Back to the shell; fg returns"),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::KeyMap;

    fn action(key: Key, places: &[Place]) -> Option<Action> {
        KeyMap::default().action(key, places)
    }

    const EVERYWHERE: [&[Place]; 4] = [
        &[Place::Cgroups, Place::Tables, Place::Anywhere],
        &[Place::Stacks, Place::Anywhere],
        &[Place::Processes, Place::Tables, Place::Anywhere],
        &[Place::Sockets, Place::Tables, Place::Anywhere],
    ];

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for place in BINDINGS.iter().map(|b| b.place) {
            let mut keys: Vec<Key> = Vec::new();
            for binding in BINDINGS.iter().filter(|b| b.place == place) {
                for key in binding.keys.iter() {
                    assert!(!keys.contains(key), "{} in {place:?}", key.name());
                    keys.push(*key);
                }
            }
        }
    }

    #[test]
    fn each_view_has_its_number() {
        for (i, view) in View::ALL.into_iter().enumerate() {
            let number = char::from_digit(i as u32 + 1, 10).unwrap();
            assert_eq!(action(letter(number), &[Place::Anywhere]), Some(Action::View(view)));
        }
    }

    #[test]
    fn n_up_searches_back_only_while_searching() {
        let process = Place::of(View::Processes, false, false);
        let searching = Place::of(View::Processes, false, true);
        assert_eq!(action(letter('N'), process), Some(Action::Sort(Column::Pid)));
        assert_eq!(action(letter('N'), searching), Some(Action::FindNext(false)));
    }

    #[test]
    fn quit_and_help_hold_everywhere() {
        for places in EVERYWHERE {
            assert_eq!(action(letter('q'), places), Some(Action::Quit));
            assert_eq!(action(ctrl('c'), places), Some(Action::Quit));
            assert_eq!(action(letter('?'), places), Some(Action::Help));
        }
    }

    #[test]
    fn shift_is_part_of_the_character() {
        let event = KeyEvent::new(KeyCode::Char('P'), KeyModifiers::SHIFT);
        assert_eq!(Key::of(&event), letter('P'));
        assert_eq!(ctrl('l').name(), "Ctrl-L");
        assert_eq!(letter(' ').name(), "Space");
        assert_eq!(letter('\x07').name(), "\u{fffd}");
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        for key in BINDINGS.iter().flat_map(|b| b.keys.iter()) {
            assert_eq!(Key::named(&key.name()), Some(*key), "{}", key.name());
        }
        for odd in ["", "F0", "F13", "Ctrl-", "Ctrl-é", "Shift-x", "ab", " ", "\x1b", "Hyper-F1"] {
            assert_eq!(Key::named(odd), None, "{odd:?}");
        }
    }
}

//! The keys: one static table that dispatch, footer, help and palette are made from.

use std::borrow::Cow;

use crossterm::event::KeyCode;

use super::column::Column;
use super::keys::{Action, Binding, Key, Place, ctrl, key, letter, shift};
use super::net::NetTable;
use super::stacks::StackAction;
use super::view::View;
use crate::control::Question;
use crate::model::stacks::Measure;

const fn bind(keys: &'static [Key], action: Action, place: Place, hint: &'static str, help: &'static str) -> Binding {
    Binding { keys: Cow::Borrowed(keys), action, place, hint, help }
}

const EARLIER: &str = "Look back: the sample before the one on screen, as everything was then";
const LATER: &str = "The sample after the one on screen; in a recording that is held still, the next one";
const GO_TO_TIME: &str = "Look back to a time: 14:03, 14:03:20, or -5m before what is on screen";

const COPY: &str = "Copy what is selected (pid and command line, function, addresses) to the clipboard of the terminal (OSC 52; in tmux: set -g set-clipboard on)";

/// All bindings, as htop's fingers have them; [`super::keymap`] changes them. Footer hints appear in this order, as far as there is room.
pub static BINDINGS: &[Binding] = {
    use Action::{
        Back, Delay, End, Enter, Filter, FindNext, Help, Home, Invert, Move, NextView, Page, Pause, PreviousView, Quit, Redraw, Search,
        Shift, Sort, SortMenu, Stack, Suspend, Users,
    };
    use KeyCode as K;
    use Place::{Anywhere, Cgroups, Details, Past, Processes, Searching, Stacks, Tables};
    use StackAction as S;
    &[
        bind(&[letter(',')], Action::Earlier, Past, "earlier", EARLIER),
        bind(&[letter('.')], Action::Later, Past, "later", LATER),
        bind(&[letter('J')], Action::GoToTime, Past, "time", GO_TO_TIME),
        bind(&[key(K::End)], Action::Live, Past, "live", "Back to what is now; so does Esc"),
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
        bind(&[shift(K::F(3))], FindNext(false), Anywhere, "", "The one found before"),
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
            "Kill: choose a signal for the process, or the tagged ones, and send it",
        ),
        bind(&[letter('k'), key(K::F(9))], Action::Signal, Details, "signal", "Kill: choose a signal for the process, and send it"),
        bind(
            &[letter('i')],
            Action::Details,
            Tables,
            "",
            "All about the process: command line, container, rights, limits, open files, memory, environment",
        ),
        bind(&[letter('i')], Action::Details, Stacks, "", "All about the process"),
        bind(&[letter('i')], Action::Details, Details, "close", "Close the details; so does Esc"),
        bind(
            &[letter(']'), key(K::F(7))],
            Action::Nice(-1),
            Tables,
            "",
            "Renice: choose a nice value, from a step lower on (gets more of the CPU)",
        ),
        bind(&[letter('['), key(K::F(8))], Action::Nice(1), Tables, "", "Renice: choose a nice value, from a step higher on (gets less)"),
        bind(&[letter('X')], Action::Setting(Question::Io), Tables, "", "I/O priority of the process (ionice)"),
        bind(&[letter('C')], Action::Setting(Question::Cpus), Tables, "", "CPUs that the process may run on (affinity)"),
        bind(
            &[key(K::F(2)), letter('S')],
            Action::Setup,
            Anywhere,
            "",
            "Setup: columns of the table, colours (theme), units; saved in the configuration",
        ),
        bind(&[letter('e')], Action::Header, Anywhere, "", "Header: with graphs of the last minutes, on one line, as before"),
        bind(&[letter('z')], Pause, Anywhere, "pause", "Hold the screen still; again to go on with the newest sample"),
        bind(&[letter(',')], Action::Earlier, Anywhere, "", EARLIER),
        bind(&[letter('.')], Action::Later, Anywhere, "", LATER),
        bind(&[letter('J')], Action::GoToTime, Anywhere, "", GO_TO_TIME),
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
        bind(
            &[letter('E')],
            Action::Export,
            Tables,
            "",
            "Write the table as it is on the screen, its lines and columns, to a file: .csv .json (raw units) .txt",
        ),
        bind(&[letter('y'), letter('Y')], Action::Copy, Tables, "", COPY),
        bind(&[letter('y'), letter('Y')], Action::Copy, Details, "", COPY),
        bind(&[letter('Y')], Action::Copy, Stacks, "", COPY),
        bind(
            &[letter('R')],
            Action::Record,
            Anywhere,
            "",
            "Record what is collected to a file in the current directory, for ebtop replay; again ends it",
        ),
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
}

//! What the user is looking at: plain state, changed by [`App::update`]. No terminal, no file, no clock: time comes in with samples.

pub mod cgroups;
pub mod column;
pub mod details;
pub mod devices;
pub mod filter;
pub mod forest;
pub mod help;
pub mod inspect;
pub mod keymap;
pub mod keys;
pub mod layout;
pub mod lines;
pub mod look;
pub mod menu;
pub mod names;
pub mod net;
pub mod order;
pub mod prompt;
pub mod shape;
pub mod stacks;
pub mod status;
pub mod table;
pub mod trends;
pub mod user_names;
pub mod view;

mod act;
mod action_name;
mod arrange;
mod changes;
mod find;
mod mouse;
mod palette;
mod pick;
mod prepare;
mod setup;
mod shapes;
mod tags;
mod typing;
mod why;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent};
use rustc_hash::FxHashSet;

use crate::control::{Errand, Outcome};
use crate::export::profile::Profile;
use crate::model::Model;
use crate::model::stacks::{Scope, StackHistory};
use crate::sample::inspection::Ask;
use crate::sample::{Command, Machine, ProcKey, Sample, Update, Wants, Watch, Watched, printable};
use crate::symbols::{Answer, Request};
use cgroups::CgroupsView;
use column::{Column, Columns, SocketColumn};
use details::DetailsBook;
use filter::Filter;
use find::Search;
use help::Help;
use inspect::Pane;
use keymap::KeyMap;
use keys::{Action, Key, Place};
use layout::Layout;
use lines::{Line, LineKey, Lines, SocketKey};
use look::Look;
use menu::{Menu, Pressed, Topic};
use names::Names;
use net::{NetTable, NetView};
use prompt::Prompt;
use shape::Shape;
use stacks::StacksView;
use table::{List, Table};
use trends::Trends;
use user_names::UserNames;
use view::View;

/// How soon a look at what was not read so far follows the wish.
const SOON: Duration = Duration::from_millis(10);
/// Ticks that a message stays, unless a key comes first.
const MESSAGE_TICKS: u32 = 5;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A key went down.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The screen has so many columns and rows now.
    Resize(u16, u16),
    /// The collector has news.
    Update(Update),
    /// The symbol thread has names.
    Names(Answer),
    /// A request for names found no room in the channel.
    NamesNotSent(Request),
    /// An errand was run.
    Outcome(Outcome),
    /// Choices were saved, or not, in words.
    Saved(String),
    /// What came of a file that was to be written, in one line; if it was not, its name comes first.
    Written(Result<String, (PathBuf, String)>),
    /// Somebody asked for the job to be stopped.
    Suspend,
    /// Somebody asked for an end.
    End,
}

/// What to do about it.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Tell the collector.
    Command(Command),
    /// Ask the symbol thread.
    Request(Request),
    /// Keep what somebody chose about the looks.
    Save(Look),
    /// Change a process, or look how it is set.
    Errand(Errand),
    /// Write a profile.
    Write(Box<Writing>),
    /// Forget what is on the terminal and draw everything.
    Redraw,
    /// Stop the job.
    Suspend,
    /// Leave.
    Quit,
}

/// A file to be written.
#[derive(Debug, PartialEq)]
pub struct Writing {
    /// Its name; the form is told by its end.
    pub path: PathBuf,
    /// What is in it.
    pub profile: Profile,
}

/// How the screen begins.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Time between two samples.
    pub interval: Duration,
    /// View to begin with.
    pub view: View,
    /// What the network view shows.
    pub net: NetTable,
    /// Children below their parents.
    pub tree: bool,
    /// Threads one by one.
    pub threads: bool,
    /// Sort by this column.
    pub sort: Option<Column>,
    /// Filter to begin with.
    pub filter: Filter,
    /// Who runs ebtop, in a word for the header: `root`, a user's name, `replay`.
    pub who: String,
    /// Refuse everything that changes the system.
    pub readonly: bool,
    /// Colours, units, columns.
    pub look: Look,
    /// The keys.
    pub keys: KeyMap,
    /// Users whose names are known at once.
    pub users: UserNames,
    /// Said at first.
    pub notice: Option<String>,
}

/// A table of processes.
pub type ProcessTable = Table<LineKey, Line, Column>;
/// A table of sockets.
pub type SocketTable = Table<SocketKey, u32, SocketColumn>;

/// A line for the user, until the next key.
#[derive(Clone, Debug)]
struct Message {
    text: String,
    ticks: u32,
}

/// The state of the whole screen.
#[derive(Debug)]
pub struct App {
    interval: Duration,
    who: String,
    readonly: bool,
    look: Look,
    keymap: KeyMap,
    size: (u16, u16),
    view: View,
    /// Views to go back to.
    trail: Vec<View>,
    model: Model,
    /// What the next rates are counted from. Not what is shown while paused.
    base: Option<Arc<Sample>>,
    paused: bool,
    /// The newest sample that came while paused.
    held: Option<Arc<Sample>>,
    end: Option<Option<String>>,
    /// One for each view of processes.
    processes: Vec<ProcessTable>,
    net: NetView,
    cgroups: CgroupsView,
    /// What the lines on screen are made from.
    lines: Lines,
    shape: Shape,
    /// Lines folded that begin unfolded, and the other way round.
    toggled: FxHashSet<LineKey>,
    shows_threads: bool,
    hides_kernel_threads: bool,
    /// Processes that actions are for.
    tags: FxHashSet<ProcKey>,
    /// Programs are shown with the directories they were started from.
    program_paths: bool,
    /// How many lines there were before the filter.
    unfiltered: usize,
    filter: Filter,
    filter_text: String,
    search: Option<Search>,
    prompt: Option<Prompt>,
    help: Option<Help>,
    pane: Option<Pane>,
    /// What the collector was last told to look at.
    inspected: Option<Ask>,
    menu: Option<Menu>,
    message: Option<Message>,
    details: DetailsBook,
    trends: Trends,
    /// What the collector was last told.
    wants: Wants,
    watch: Option<Watch>,
    /// Whose unwind tables were asked for.
    prepared: Vec<ProcKey>,
    stacks: StacksView,
    history: StackHistory,
    /// The stack samples as they were when the screen was stopped.
    held_history: Option<StackHistory>,
    names: Names,
}

impl App {
    /// A screen of `size` columns and rows, before the first sample.
    pub fn new(start: Start, size: (u16, u16)) -> App {
        let table = |view: View| {
            let sort = start.sort.filter(|_| view == start.view).unwrap_or(view.first_sort());
            view.columns().map(|set| ProcessTable::new(set, sort))
        };
        let mut app = App {
            interval: start.interval,
            who: start.who,
            readonly: start.readonly,
            look: start.look,
            keymap: start.keys,
            size,
            view: start.view,
            trail: Vec::new(),
            model: Model::default(),
            base: None,
            paused: false,
            held: None,
            end: None,
            processes: View::ALL.into_iter().filter_map(table).collect(),
            net: NetView::new(start.net),
            cgroups: CgroupsView::default(),
            lines: Lines::default(),
            shape: if start.tree { Shape::Tree } else { Shape::Flat },
            toggled: FxHashSet::default(),
            shows_threads: start.threads,
            hides_kernel_threads: false,
            tags: FxHashSet::default(),
            program_paths: false,
            unfiltered: 0,
            filter_text: start.filter.to_string(),
            filter: start.filter,
            search: None,
            prompt: None,
            help: None,
            pane: None,
            inspected: None,
            menu: None,
            message: start.notice.map(|text| Message { text, ticks: 0 }),
            details: DetailsBook::new(start.users),
            trends: Trends::default(),
            wants: Wants::default(),
            watch: None,
            prepared: Vec::new(),
            stacks: StacksView::default(),
            history: StackHistory::default(),
            held_history: None,
            names: Names::default(),
        };
        app.apply_columns();
        app
    }

    /// Takes in an event.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.press(&key, &mut effects),
            Event::Mouse(mouse) => self.mouse(mouse, &mut effects),
            Event::Paste(text) => self.paste(&text),
            Event::Resize(columns, rows) => self.size = (columns, rows),
            Event::Update(Update::Sample(sample)) => {
                effects.extend(self.names.note(&sample).into_iter().map(Effect::Request));
                self.take(sample);
            }
            Event::Update(Update::Details(answer)) => self.learn(answer),
            Event::Update(Update::Inspected(key, found)) => self.learn_inspection(key, found),
            Event::Update(Update::Ready) => {}
            Event::Update(Update::Missed(why)) => self.say(printable(why.as_bytes())),
            Event::Update(Update::End(error)) => self.end = Some(error),
            Event::Saved(words) => self.say(words),
            Event::Outcome(outcome) => self.hear(outcome),
            Event::Written(Ok(text)) => self.say(text),
            Event::Written(Err((path, error))) => self.ask_again(&path, error),
            Event::Names(answer) => self.names.answer(answer),
            Event::NamesNotSent(request) => {
                self.names.not_sent(&request);
                return effects;
            }
            Event::Suspend => effects.push(Effect::Suspend),
            Event::End => effects.push(Effect::Quit),
        }
        self.settle(&mut effects);
        effects
    }

    /// A sample came: shows it, or keeps it for later while paused.
    fn take(&mut self, sample: Arc<Sample>) {
        self.history.push(&sample);
        self.names.tick(&sample);
        if self.paused {
            self.base = self.held.replace(sample).or(self.base.take());
            return;
        }
        self.show(sample);
    }

    fn show(&mut self, sample: Arc<Sample>) {
        // The old rows go first: with very many processes, both at once would show in the resident size.
        let owners = std::mem::take(&mut self.model).owners;
        self.model = Model::between(self.base.as_deref(), Arc::clone(&sample));
        self.model.owners.remember(&owners);
        self.trends.push(&self.model);
        self.details.tick(&sample);
        self.cgroups.look(&sample);
        self.forget_gone();
        self.tick_pane();
        self.base = Some(sample);
        self.message.take_if(|m| {
            m.ticks += 1;
            m.ticks > MESSAGE_TICKS
        });
        if let Some(gone) = self.arrange() {
            self.report_gone(gone);
        }
    }

    fn learn(&mut self, answer: Vec<(ProcKey, crate::sample::Details)>) {
        self.details.learn(answer);
        if self.order_needs_details() {
            self.arrange();
        }
        self.find_late();
    }

    fn press(&mut self, event: &KeyEvent, effects: &mut Vec<Effect>) {
        self.message = None;
        let key = Key::of(event);
        if let Some(next) = key.after_escape() {
            self.press(&KeyEvent::from(KeyCode::Esc), effects);
            return self.press(&next.event(), effects);
        }
        if self.type_into_prompt(event, effects) || self.press_in_menu(event, effects) {
            return;
        }
        match self.keymap.action(key, self.places()) {
            Some(action) => {
                self.give_up_late_finds();
                self.act(action, effects);
            }
            None => self.say(format!("{} does nothing here; ? lists the keys", key.name())),
        }
    }

    /// Gives a key to the open list. False if there is none, or the key is not for it.
    fn press_in_menu(&mut self, event: &KeyEvent, effects: &mut Vec<Effect>) -> bool {
        let Some(menu) = &mut self.menu else { return false };
        match menu.press(event) {
            Pressed::Accepted => {
                if let Some(menu) = self.menu.take() {
                    self.accept(menu, effects);
                }
            }
            Pressed::Cancelled => self.close_menu(),
            Pressed::Moved | Pressed::Toggled => self.preview(),
            Pressed::Foreign => {
                return !matches!(self.keymap.action(Key::of(event), self.places()), Some(Action::Redraw | Action::Suspend));
            }
        }
        true
    }

    /// Closes the list and takes nothing.
    fn close_menu(&mut self) {
        if let Some(menu) = self.menu.take() {
            self.take_back(menu.topic);
        }
    }

    /// Takes what is chosen in a list.
    fn accept(&mut self, menu: Menu, effects: &mut Vec<Effect>) {
        match menu.topic {
            Topic::Group => self.group_by(menu.chosen()),
            Topic::Sort => self.sort_by_chosen(menu),
            Topic::User(_) => self.filter_by_chosen(menu),
            Topic::Palette(_) => self.do_chosen(menu, effects),
            Topic::Setup => self.open_setup(menu.chosen()),
            Topic::Theme(_) | Topic::Units(_) | Topic::Header(_) | Topic::Columns(..) => self.keep_look(effects),
            _ => self.accept_change(menu, effects),
        }
    }

    /// Brings what depends on everything else up to date, and asks others for what is missing.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let height = self.layout().map_or(1, |l| usize::from(l.body.height.max(1)));
        let canvas = self.layout().map(|l| l.canvas());
        if let Some(list) = self.list() {
            list.follow(height);
        }
        if let Some((menu, canvas)) = self.menu.as_mut().zip(canvas) {
            menu.follow(canvas);
        }
        if self.view == View::Stacks {
            let history = self.held_history.as_ref().unwrap_or(&self.history);
            effects.extend(self.stacks.refresh(history, &mut self.names).into_iter().map(Effect::Request));
        }
        let wants = self.wants_now();
        if wants != self.wants {
            // Whoever has long ticks should not wait for the first look at the groups.
            let soon = (wants.cgroups && !self.wants.cgroups).then_some(Effect::Command(Command::SampleSoon(SOON)));
            self.wants = wants;
            effects.push(Effect::Command(Command::Want(wants)));
            effects.extend(soon);
        }
        let watch = self.watch_now();
        if watch != self.watch {
            if let Some(watch) = watch.as_ref().filter(|watch| watch.starts_anew(self.watch.as_ref())) {
                self.history.probe_begins(watch.probe);
            }
            self.watch.clone_from(&watch);
            effects.push(Effect::Command(Command::Watch(watch)));
        }
        let looked_at = self.looked_at();
        if looked_at.iter().any(|key| !self.prepared.contains(key)) {
            effects.push(Effect::Command(Command::Prepare(looked_at.clone())));
        }
        self.prepared = looked_at;
        self.ask_for_pane(effects);
        let missing = self.missing_details(height);
        if !missing.is_empty() {
            effects.push(Effect::Command(Command::Details(missing)));
        }
    }

    fn wants_now(&self) -> Wants {
        let width = self.layout().map(|layout| table_width(&layout));
        let of_columns = match (width, self.process_table(), self.cgroup_table()) {
            (Some(width), Some(table), _) => Wants { threads: self.shows_threads, ..column::wants(&table.columns(width)) },
            (Some(width), _, Some(table)) => column::wants(&table.columns(width)),
            _ => self.net_table().wants(),
        };
        Wants { cgroups: self.view == View::Cgroups || self.within().is_some(), ..of_columns }
    }

    /// The probe that the Stacks view needs, while it is on screen.
    fn watch_now(&self) -> Option<Watch> {
        let probe = self.stacks.measure().probe().filter(|_| self.view == View::Stacks)?;
        let who = match self.stacks.scope() {
            Scope::Machine => Watched::Everyone,
            Scope::Process(key) => Watched::One(*key),
            Scope::Set(keys) => Watched::Family(keys.iter().copied().collect()),
            Scope::Cgroup(_) => Watched::Family(self.looked_at().into()),
        };
        Some(Watch { probe, who })
    }

    fn say(&mut self, text: String) {
        self.message = Some(Message { text, ticks: 0 });
    }

    /// The table on screen, whatever its lines are.
    fn list(&mut self) -> Option<&mut dyn List> {
        match self.view {
            View::Stacks => None,
            View::Cgroups => Some(&mut self.cgroups.table),
            View::Network if self.net.shows != NetTable::Processes => self.net.list(),
            view => self.processes.get_mut(view as usize).map(|t| t as &mut dyn List),
        }
    }

    /// The table of processes on screen.
    pub fn process_table(&self) -> Option<&ProcessTable> {
        if self.net_table() == NetTable::Processes { self.processes.get(self.view as usize) } else { None }
    }

    /// The places whose keys hold now.
    pub fn places(&self) -> &'static [Place] {
        if self.pane.is_some() {
            return self.places_in_pane();
        }
        self.net_places().unwrap_or_else(|| Place::of(self.view, self.shows_sockets(), self.search.is_some()))
    }

    /// Where things stand; `None` = too small for anything.
    pub fn layout(&self) -> Option<Layout> {
        let layout = Layout::of(self.size.0, self.size.1, self.machine().cpus.len(), self.look.header)?;
        Some(layout.with_strip(self.strip_rows(&layout)))
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What is shown.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What belongs to no process.
    pub fn machine(&self) -> &Machine {
        &self.model.sample.machine
    }

    /// What the machine and its processes did over the last ticks.
    pub fn trends(&self) -> &Trends {
        &self.trends
    }

    /// The view on screen.
    pub fn view(&self) -> View {
        self.view
    }

    /// The Stacks view.
    pub fn stacks(&self) -> &StacksView {
        &self.stacks
    }

    /// The keys that are live.
    pub fn keymap(&self) -> &KeyMap {
        &self.keymap
    }

    /// Time between samples.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Who runs ebtop.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Whatever would change the system (a signal, a nice value) is to be refused.
    pub fn readonly(&self) -> bool {
        self.readonly
    }

    /// The screen holds still.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// No more samples will come: the inner one says why, where that is an error.
    pub fn end(&self) -> Option<&Option<String>> {
        self.end.as_ref()
    }

    /// The prompt that is open.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// The help that is open.
    pub fn help(&self) -> Option<&Help> {
        self.help.as_ref()
    }

    /// The list that is open.
    pub fn menu(&self) -> Option<&Menu> {
        self.menu.as_ref()
    }

    /// A line for the user.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|m| m.text.as_str())
    }

    /// The filter in force; empty = none.
    pub fn filter_text(&self) -> &str {
        &self.filter_text
    }

    /// The views that Esc goes back through, outermost first.
    pub fn trail(&self) -> &[View] {
        &self.trail
    }
}

/// Cells of a table's lines: the first cell of the screen is left for marks.
pub fn table_width(layout: &Layout) -> u16 {
    layout.body.width.saturating_sub(1)
}

/// What a column is called when a message names it.
fn title<C: Columns>(column: C) -> &'static str {
    column.spec().title
}

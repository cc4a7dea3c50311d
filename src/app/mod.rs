//! What the user is looking at: plain state, changed by [`App::update`]. No terminal, no file, no clock: time comes in with samples.

pub mod bindings;
pub mod cgroups;
pub mod chosen;
pub mod column;
pub mod copy;
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
pub mod place;
pub mod prompt;
pub mod recording;
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
mod event;
mod export;
mod find;
mod help_texts;
mod key_groups;
mod mouse;
mod palette;
mod past;
mod pick;
mod prepare;
mod press;
mod quiet;
mod seldom;
mod settle;
mod setup;
mod shapes;
mod shown;
mod socket_table;
mod tags;
mod typing;
mod why;

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::model::Model;
use crate::model::stacks::StackHistory;
use crate::sample::inspection::Ask;
use crate::sample::{ProcKey, Sample, Update, Wants, Watch, printable};
use cgroups::CgroupsView;
use column::{Column, Columns, SocketColumn};
use copy::Clipboard;
use details::DetailsBook;
use filter::Filter;
use find::Search;
use help::Help;
use inspect::Pane;
use keymap::KeyMap;
use layout::Layout;
use lines::{Line, LineKey, Lines, SocketKey};
use look::Look;
use menu::Menu;
use names::Names;
use net::NetView;
use past::LookBack;
use prompt::Prompt;
use quiet::Quiet;
use seldom::Seldom;
use shape::Shape;
use stacks::StacksView;
use table::{List, Table};
use trends::Trends;
use view::View;

pub use event::{Content, Effect, Event, Start, Writing};

/// Ticks that a message stays, unless a key comes first.
const MESSAGE_TICKS: u32 = 5;

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
    replay: bool,
    readonly: bool,
    is_recording: bool,
    clipboard: Clipboard,
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
    /// What has passed.
    back: LookBack,
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
    /// The process that `F` holds on to.
    followed: Option<ProcKey>,
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
    seldom: Seldom,
    trends: Trends,
    quiet: Quiet,
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
        let table = |view: View| view.columns().map(|set| ProcessTable::new(set, view.first_sort()));
        let mut app = App {
            interval: start.interval,
            who: start.who,
            replay: start.replay,
            readonly: start.readonly,
            is_recording: false,
            clipboard: start.clipboard,
            look: start.look,
            keymap: start.keys,
            size,
            view: start.view,
            trail: Vec::new(),
            model: Model::default(),
            base: None,
            paused: false,
            held: None,
            back: LookBack::new(start.history, start.zone),
            end: None,
            processes: View::ALL.into_iter().filter_map(table).collect(),
            net: NetView::new(start.net),
            cgroups: CgroupsView::default(),
            lines: Lines::default(),
            shape: if start.tree { Shape::Tree } else { Shape::Flat },
            toggled: FxHashSet::default(),
            // A recording holds none.
            shows_threads: start.threads && !start.replay,
            hides_kernel_threads: false,
            tags: FxHashSet::default(),
            followed: None,
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
            seldom: Seldom::default(),
            trends: Trends::default(),
            quiet: Quiet::default(),
            wants: Wants::default(),
            watch: None,
            prepared: Vec::new(),
            stacks: StacksView::default(),
            history: StackHistory::default(),
            held_history: None,
            names: Names::default(),
        };
        app.apply_columns();
        app.leave_out_absent();
        if let Some(name) = start.sort
            && let Some(table) = app.table(app.shown())
        {
            table.sort_named(&name);
        }
        app
    }

    /// Takes in an event.
    pub fn update(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.press(&key, &mut effects),
            Event::Mouse(mouse) => self.mouse(mouse, &mut effects),
            Event::DoubleClick(mouse) => self.double_click(mouse, &mut effects),
            Event::Paste(text) => self.paste(&text),
            Event::Resize(columns, rows) => self.size = (columns, rows),
            Event::Update(Update::Sample(sample)) => {
                effects.extend(self.names.note(&sample).into_iter().map(Effect::Request));
                self.take(sample);
                self.play_on(&mut effects);
            }
            Event::Update(Update::Details(answer)) => self.learn(answer),
            Event::Update(Update::Inspected(key, found)) => self.learn_inspection(key, found),
            Event::Update(Update::Ready) => {}
            Event::Update(Update::Missed(why)) => self.say(printable(why.as_bytes())),
            Event::Update(Update::End(error)) => {
                self.end = Some(error);
                self.stop_playing();
            }
            Event::Saved(words) => self.say(words),
            Event::Outcome(outcome) => self.hear(outcome),
            Event::Written(Ok(text)) => self.say(text),
            Event::Written(Err((path, error))) => self.ask_again(&path, error),
            Event::Names(answer) => self.names.answer(answer),
            Event::NamesNotSent(request) => {
                self.names.not_sent(&request);
                return effects;
            }
            Event::Recorded(recorded) => self.hear_of_recording(recorded),
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
            let is_wanted = self.keep_unseen(&sample);
            self.base = self.held.replace(sample).or(self.base.take());
            if is_wanted {
                self.show_held();
            }
            return;
        }
        self.show(sample);
    }

    fn show(&mut self, sample: Arc<Sample>) {
        // The old rows go first: with very many processes, both at once would show in the resident size.
        let owners = std::mem::take(&mut self.model).owners;
        self.model = Model::between(self.base.as_deref(), Arc::clone(&sample));
        self.model.owners.remember(&owners);
        self.keep_shown();
        self.trends.push(&self.model);
        self.quiet.tick(&self.model);
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
        answer.iter().for_each(|(_, details)| self.seldom.learn(details));
        self.leave_out_absent();
        self.details.learn(answer);
        if self.order_needs_details() {
            self.arrange();
        }
        self.find_late();
    }

    fn leave_out_absent(&mut self) {
        self.processes.iter_mut().for_each(|table| table.leave_out(self.seldom.absent()));
    }

    fn say(&mut self, text: String) {
        self.message = Some(Message { text, ticks: 0 });
    }

    /// The table on screen, whatever its lines are.
    fn list(&mut self) -> Option<&mut dyn List> {
        self.table(self.shown())
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

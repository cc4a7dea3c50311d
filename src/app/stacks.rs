//! What the user looks at in the Stacks view: whose stacks, which span, which frame. Works on samples already taken.

pub mod boxes;
pub mod places;

mod callers;
mod compare;
mod drag;
mod fold;
mod moves;
mod processes;
mod renew;
mod span;
mod summary;

use std::sync::Arc;

use super::names::Names;
use crate::model::stacks::{
    ByProcess, HotFunction, Hottest, Label, Measure, Missing, Naming, NodeId, Scope, Shape, StackHistory, StackTree,
};
use crate::sample::ProcKey;
use crate::symbols::Request;
use callers::Callers;
use compare::Compare;
use drag::Grip;
use fold::Folds;
use processes::Listing;

pub use compare::Change;
pub use fold::TreeRow;
pub use moves::{After, StackAction};
pub use span::StackSpan;
pub use summary::Summary;

/// Up to this many processes of a set are told apart by pid; more only by name.
const MOST_BY_PID: usize = 8;

/// How the samples are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackMode {
    /// Callers above callees, as wide as their share, and the hottest functions below where there is room.
    #[default]
    Flame,
    /// The hottest functions.
    Table,
    /// Callers and callees as indented lines.
    Tree,
}

/// The Stacks view.
#[derive(Clone, Debug)]
pub struct StacksView {
    scope: Scope,
    title: String,
    /// Scopes that one step back leads to, with their titles.
    trail: Vec<(Scope, String)>,
    measure: Measure,
    span: StackSpan,
    mode: StackMode,
    by_thread: bool,
    wakers: bool,
    compare: Compare,
    /// The user asked to compare with what is shown now.
    marks: bool,
    tree: StackTree,
    callers: Option<Callers>,
    listing: Option<Listing>,
    /// Of the names the tree was made with, and of the programs that they are of.
    epoch: u64,
    programs: u64,
    /// When it was last seen to which names are in doubt.
    renewed_ns: u64,
    summary: Summary,
    hottest: Hottest,
    /// Versions of history and names that the tree was made of.
    made_of: (u64, u64),
    /// It shows something else than the tree was made for.
    stale: bool,
    missing: Vec<Missing>,
    /// Paths zoomed into, innermost last; what is not in the samples now may come back.
    zoom: Vec<Vec<Arc<Label>>>,
    zoom_node: NodeId,
    cursor: Option<Vec<Arc<Label>>>,
    cursor_node: NodeId,
    /// Rows of the flame graph above what is in view, where the mouse moved it.
    rows_above: Option<usize>,
    grip: Option<Grip>,
    folds: Folds,
    function: Option<Arc<Label>>,
    search: String,
    matched: u64,
}

impl Default for StacksView {
    /// The whole machine, the last 30 s.
    fn default() -> Self {
        StacksView {
            scope: Scope::Machine,
            title: "machine".into(),
            trail: Vec::new(),
            measure: Measure::default(),
            span: StackSpan::default(),
            mode: StackMode::default(),
            by_thread: false,
            wakers: false,
            compare: Compare::default(),
            marks: false,
            tree: StackTree::new(shape_of(&Scope::Machine, false, false)),
            callers: None,
            listing: None,
            epoch: 0,
            programs: 0,
            renewed_ns: 0,
            summary: Summary::default(),
            hottest: Hottest::default(),
            made_of: (0, 0),
            stale: true,
            missing: Vec::new(),
            zoom: Vec::new(),
            zoom_node: StackTree::ROOT,
            cursor: None,
            cursor_node: StackTree::ROOT,
            rows_above: None,
            grip: None,
            folds: Folds::default(),
            function: None,
            search: String::new(),
            matched: 0,
        }
    }
}

impl StacksView {
    /// Turns to the samples of others; `name` is that of the process, set or cgroup. Mode, measure and span stay; the same scope again
    /// keeps zoom and cursor too. Nothing is shown before the next [`StacksView::refresh`].
    pub fn open(&mut self, scope: Scope, name: &str) {
        let name = crate::sample::printable(name.as_bytes());
        let title = match &scope {
            Scope::Machine => "machine".to_string(),
            Scope::Process(key) => format!("{name} ({})", key.pid),
            Scope::Set(_) | Scope::Cgroup(_) => name,
        };
        self.trail.clear();
        self.listing = None;
        match self.scope == scope {
            true => self.title = title,
            false => self.reset(scope, title),
        }
    }

    /// Turns to the samples of others, from the top.
    fn reset(&mut self, scope: Scope, title: String) {
        let StacksView { measure, span, mode, by_thread, wakers, .. } = *self;
        let tree = StackTree::new(shape_of(&scope, by_thread, wakers));
        *self = StacksView { scope, title, measure, span, mode, by_thread, wakers, tree, ..StacksView::default() };
    }

    /// Adds up something else. Zoom and cursor stay where the new stacks have them; a mark is of what was added up before, and goes.
    pub fn set_measure(&mut self, measure: Measure) {
        if self.measure != measure {
            self.measure = measure;
            self.drop_mark();
            self.stale = true;
        }
    }

    /// Begins the tree anew, as it is to be.
    fn reshape(&mut self) {
        self.tree = StackTree::new(shape_of(&self.scope, self.by_thread, self.wakers));
        self.stale = true;
    }

    fn drop_mark(&mut self) {
        if let Compare::Mark(..) = self.compare {
            self.compare = Compare::Off;
        }
    }

    /// Brings the view up to date; call it while the view is on screen, after each tick, each answer of the symbol thread and each action.
    /// What it returns counts as sent to the symbol thread; what cannot be sent goes to [`Names::not_sent`].
    pub fn refresh(&mut self, history: &StackHistory, names: &mut Names) -> Vec<Request> {
        self.follow_names(names);
        let made_of = (history.version(), names.version());
        if self.stale || self.made_of != made_of {
            self.made_of = made_of;
            self.stale = false;
            self.make(history, names);
        }
        let mut requests = names.ask(&self.missing);
        requests.extend(self.renew(history, names));
        requests
    }

    /// Whose stacks.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The process, if it is the stacks of one.
    pub fn whose(&self) -> Option<ProcKey> {
        self.scope.process()
    }

    /// What is added up.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Whose stacks, in words fit for a terminal.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// How far back.
    pub fn span(&self) -> StackSpan {
        self.span
    }

    /// How it is shown.
    pub fn mode(&self) -> StackMode {
        self.mode
    }

    /// Facts for the header.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The samples by caller; or the callers of one function.
    pub fn tree(&self) -> &StackTree {
        self.callers.as_ref().map_or(&self.tree, |callers| &callers.tree)
    }

    /// Threads are shown apart.
    pub fn by_thread(&self) -> bool {
        self.by_thread
    }

    /// Who ended each wait is shown below it.
    pub fn shows_wakers(&self) -> bool {
        self.wakers && self.measure == Measure::OffCpu
    }

    /// Hottest functions below the zoomed frame.
    pub fn functions(&self) -> &[HotFunction] {
        &self.hottest.functions
    }

    /// How many colder functions are not among them.
    pub fn further_functions(&self) -> usize {
        self.hottest.further
    }

    /// One of them was chosen.
    fn has_function_chosen(&self) -> bool {
        self.function.is_some()
    }

    /// Index of the chosen one among [`StacksView::functions`].
    pub fn function_index(&self) -> usize {
        let chosen = self.function.as_ref();
        self.functions().iter().position(|f| Some(&f.label) == chosen).unwrap_or(0)
    }

    /// The frame zoomed into; the root where there is none.
    pub fn zoomed(&self) -> NodeId {
        self.zoom_node
    }

    /// The chosen frame; `None` until one is chosen.
    pub fn chosen(&self) -> Option<NodeId> {
        self.cursor.is_some().then_some(self.cursor_node)
    }

    /// The search text; empty = none.
    pub fn search(&self) -> &str {
        &self.search
    }

    /// Samples below the zoomed frame whose stack has a match.
    pub fn matched(&self) -> u64 {
        self.matched
    }

    /// Marks functions whose name or module holds `text`; capitals matter only if it has some. Empty marks nothing.
    pub fn set_search(&mut self, text: &str) {
        self.search = text.to_string();
        self.settle();
    }

    /// Whether this is a function, process or thread that the search text is in.
    pub fn is_match(&self, label: &Label) -> bool {
        let holds = |text: &str| match self.search.chars().any(char::is_uppercase) {
            true => text.contains(&self.search),
            false => text.to_lowercase().contains(&self.search),
        };
        !self.search.is_empty() && !label.is_remark() && (holds(&label.name) || holds(&label.module))
    }

    /// The same for a frame; the root is none.
    pub fn is_match_at(&self, id: NodeId) -> bool {
        id != StackTree::ROOT && self.is_match(self.tree().label(id))
    }

    /// Finds zoom, cursor and table again after the tree or the zoom changed.
    fn settle(&mut self) {
        self.zoom_node = self.zoom.last().map_or(StackTree::ROOT, |path| self.tree().find(path));
        self.cursor_node = self.cursor.as_ref().map_or(self.zoom_node, |path| self.tree().find(path));
        if !self.is_below_zoom(self.cursor_node) {
            self.cursor_node = self.zoom_node;
        }
        self.hottest = self.tree().hottest(self.zoom_node);
        self.matched = match self.search.is_empty() {
            true => 0,
            false => self.tree().matching(self.zoom_node, |label| self.is_match(label)),
        };
    }

    fn is_below_zoom(&self, node: NodeId) -> bool {
        let mut at = node;
        while at != self.zoom_node {
            if at == StackTree::ROOT {
                return false;
            }
            at = self.tree().node(at).parent;
        }
        true
    }
}

fn shape_of(scope: &Scope, threads: bool, wakers: bool) -> Shape {
    let processes = match scope {
        Scope::Process(_) => ByProcess::No,
        Scope::Set(keys) if keys.len() <= MOST_BY_PID => ByProcess::Pid,
        Scope::Machine | Scope::Set(_) | Scope::Cgroup(_) => ByProcess::Name,
    };
    Shape { processes, threads, wakers }
}

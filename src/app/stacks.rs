//! What the user looks at in the Stacks view: whose stacks, which span, which frame. Works on samples already taken.

mod moves;

use std::sync::Arc;

use super::names::Names;
use crate::model::stacks::{
    ByProcess, HotFunction, Hottest, Label, Measure, Missing, Naming, NodeId, Scope, Shape, StackHistory, StackTree,
};
use crate::sample::{Health, ProcKey, StackQuality};
use crate::symbols::Request;

pub use moves::{After, StackAction, TreeRow};

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

/// How far back samples are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackSpan {
    /// 5 s.
    Short,
    /// 30 s.
    #[default]
    Medium,
    /// As far as the history reaches.
    All,
}

impl StackSpan {
    /// Length, ns.
    pub fn ns(self) -> u64 {
        match self {
            StackSpan::Short => 5_000_000_000,
            StackSpan::Medium => 30_000_000_000,
            StackSpan::All => u64::MAX,
        }
    }

    fn next(self) -> Self {
        match self {
            StackSpan::Short => StackSpan::Medium,
            StackSpan::Medium => StackSpan::All,
            StackSpan::All => StackSpan::Short,
        }
    }
}

/// Facts about the samples shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Times that something was sampled.
    pub samples: u64,
    /// What they add up to, in the unit of the measure.
    pub value: u64,
    /// The same by `StackQuality`: why stacks are cut.
    pub by_quality: [u64; StackQuality::ALL.len()],
    /// Samples lost on the machine in this span.
    pub lost: u64,
    /// How much of the span there is, ns.
    pub covered_ns: u64,
    /// Samples in the whole history, where the span has none.
    pub older: u64,
    /// Rate of the sampling timer on each CPU; 0 = off.
    pub hz: u32,
    /// How sampling is doing; `None` before the first tick.
    pub health: Option<Health>,
    /// What sampling costs, in words.
    pub cost: Option<String>,
    /// Addresses whose names are not known yet.
    pub pending: usize,
    /// Why some names are missing.
    pub reason: Option<String>,
}

/// The Stacks view.
#[derive(Clone, Debug)]
pub struct StacksView {
    scope: Scope,
    measure: Measure,
    title: String,
    span: StackSpan,
    mode: StackMode,
    tree: StackTree,
    /// Of the names the tree was made with.
    epoch: u64,
    summary: Summary,
    hottest: Hottest,
    /// What the tree was made of: measure, span, versions of history and names.
    made_of: Option<(Measure, StackSpan, u64, u64)>,
    missing: Vec<Missing>,
    /// Paths zoomed into, innermost last; what is not in the samples now may come back.
    zoom: Vec<Vec<Arc<Label>>>,
    zoom_node: NodeId,
    cursor: Option<Vec<Arc<Label>>>,
    cursor_node: NodeId,
    function: Option<Arc<Label>>,
    search: String,
    matched: u64,
}

impl Default for StacksView {
    /// The whole machine, the last 30 s.
    fn default() -> Self {
        StacksView {
            scope: Scope::Machine,
            measure: Measure::default(),
            title: "machine".into(),
            span: StackSpan::default(),
            mode: StackMode::default(),
            tree: StackTree::new(shape_of(&Scope::Machine)),
            epoch: 0,
            summary: Summary::default(),
            hottest: Hottest::default(),
            made_of: None,
            missing: Vec::new(),
            zoom: Vec::new(),
            zoom_node: StackTree::ROOT,
            cursor: None,
            cursor_node: StackTree::ROOT,
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
        if self.scope == scope {
            self.title = title;
            return;
        }
        let tree = StackTree::new(shape_of(&scope));
        *self = StacksView { scope, title, measure: self.measure, span: self.span, mode: self.mode, tree, ..StacksView::default() };
    }

    /// Adds up something else. Zoom and cursor stay where the new stacks have them.
    pub fn set_measure(&mut self, measure: Measure) {
        self.measure = measure;
    }

    /// Brings the view up to date; call it while the view is on screen, after each tick, each answer of the symbol thread and each action.
    /// What it returns counts as sent to the symbol thread; what cannot be sent goes to [`Names::not_sent`].
    pub fn refresh(&mut self, history: &StackHistory, names: &mut Names) -> Vec<Request> {
        if self.epoch != names.epoch() {
            self.epoch = names.epoch();
            self.tree = StackTree::new(shape_of(&self.scope));
        }
        let made_of = Some((self.measure, self.span, history.version(), names.version()));
        if self.made_of != made_of {
            self.made_of = made_of;
            self.make(history, names);
        }
        names.ask(&self.missing)
    }

    fn make(&mut self, history: &StackHistory, names: &Names) {
        let window = history.window(&self.scope, self.measure, self.span.ns());
        self.tree.update(&window, names);
        self.missing = self.tree.missing();
        self.summary = Summary {
            samples: window.count,
            value: window.value,
            by_quality: window.by_quality,
            lost: window.lost,
            covered_ns: window.covered_ns,
            older: if window.count == 0 { history.window(&self.scope, self.measure, u64::MAX).count } else { 0 },
            hz: history.hz(),
            health: history.status().map(|status| status.health.clone()),
            cost: history.status().and_then(|status| status.cost.clone()),
            pending: self.missing.len(),
            reason: names.reason(self.scope.process()).map(str::to_string),
        };
        self.settle();
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

    /// The samples by caller.
    pub fn tree(&self) -> &StackTree {
        &self.tree
    }

    /// Hottest functions below the zoomed frame.
    pub fn functions(&self) -> &[HotFunction] {
        &self.hottest.functions
    }

    /// How many colder functions are not among them.
    pub fn further_functions(&self) -> usize {
        self.hottest.further
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

    /// Whether this is a function (or a process, below the machine) that the search text is in.
    pub fn is_match(&self, label: &Label) -> bool {
        let holds = |text: &str| match self.search.chars().any(char::is_uppercase) {
            true => text.contains(&self.search),
            false => text.to_lowercase().contains(&self.search),
        };
        let is_named = label.kind.is_some() || self.whose().is_none() && !label.is_remark();
        !self.search.is_empty() && is_named && (holds(&label.name) || holds(&label.module))
    }

    /// Finds zoom, cursor and table again after the tree or the zoom changed.
    fn settle(&mut self) {
        self.zoom_node = self.zoom.last().map_or(StackTree::ROOT, |path| self.tree.find(path));
        self.cursor_node = self.cursor.as_ref().map_or(self.zoom_node, |path| self.tree.find(path));
        if !self.is_below_zoom(self.cursor_node) {
            self.cursor_node = self.zoom_node;
        }
        self.hottest = self.tree.hottest(self.zoom_node);
        self.matched = match self.search.is_empty() {
            true => 0,
            false => self.tree.matching(self.zoom_node, |label| self.is_match(label)),
        };
    }

    fn is_below_zoom(&self, node: NodeId) -> bool {
        let mut at = node;
        while at != self.zoom_node {
            if at == StackTree::ROOT {
                return false;
            }
            at = self.tree.node(at).parent;
        }
        true
    }
}

fn shape_of(scope: &Scope) -> Shape {
    let processes = match scope {
        Scope::Process(_) => ByProcess::No,
        Scope::Set(_) => ByProcess::Pid,
        Scope::Machine | Scope::Cgroup(_) => ByProcess::Name,
    };
    Shape { processes, threads: false }
}

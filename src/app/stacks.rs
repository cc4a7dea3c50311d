//! What the user looks at in the Stacks view: whose stacks, which span, which frame. Works on samples already taken.

mod moves;

use std::sync::Arc;

use super::names::Names;
use crate::model::stacks::{HotFunction, Hottest, Label, Missing, Naming, NodeId, StackHistory, StackTree};
use crate::sample::{Health, ProcKey};
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
    /// Samples.
    pub samples: u64,
    /// Of which the stack is whole.
    pub complete: u64,
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
    whose: Option<ProcKey>,
    title: String,
    span: StackSpan,
    mode: StackMode,
    tree: StackTree,
    /// Of the names the tree was made with.
    epoch: u64,
    summary: Summary,
    hottest: Hottest,
    /// What the tree was made of: whose, span, versions of history and names.
    made_of: Option<(Option<ProcKey>, StackSpan, u64, u64)>,
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
            whose: None,
            title: "machine".into(),
            span: StackSpan::default(),
            mode: StackMode::default(),
            tree: StackTree::new(true),
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
    /// Turns to a process (`None` = the machine). Mode and span stay; the same process again keeps zoom and cursor too.
    /// Nothing is shown before the next [`StacksView::refresh`].
    pub fn open(&mut self, whose: Option<ProcKey>, name: &str) {
        let title = match whose {
            Some(key) => format!("{} ({})", crate::sample::printable(name.as_bytes()), key.pid),
            None => "machine".to_string(),
        };
        if self.whose == whose {
            self.title = title;
            return;
        }
        let tree = StackTree::new(whose.is_none());
        *self = StacksView { whose, title, span: self.span, mode: self.mode, tree, ..StacksView::default() };
    }

    /// Brings the view up to date; call it while the view is on screen, after each tick, each answer of the symbol thread and each action.
    /// What it returns counts as sent to the symbol thread; what cannot be sent goes to [`Names::not_sent`].
    pub fn refresh(&mut self, history: &StackHistory, names: &mut Names) -> Vec<Request> {
        if self.epoch != names.epoch() {
            self.epoch = names.epoch();
            self.tree = StackTree::new(self.whose.is_none());
        }
        let made_of = Some((self.whose, self.span, history.version(), names.version()));
        if self.made_of != made_of {
            self.made_of = made_of;
            self.make(history, names);
        }
        names.ask(&self.missing)
    }

    fn make(&mut self, history: &StackHistory, names: &Names) {
        let window = history.window(self.whose, self.span.ns());
        self.tree.update(&window, names);
        self.missing = self.tree.missing();
        self.summary = Summary {
            samples: window.samples,
            complete: window.complete,
            lost: window.lost,
            covered_ns: window.covered_ns,
            older: if window.samples == 0 { history.window(self.whose, u64::MAX).samples } else { 0 },
            hz: history.hz(),
            health: history.status().map(|status| status.health.clone()),
            cost: history.status().and_then(|status| status.cost.clone()),
            pending: self.missing.len(),
            reason: names.reason(self.whose).map(str::to_string),
        };
        self.settle();
    }

    /// Whose stacks; `None` = the machine's.
    pub fn whose(&self) -> Option<ProcKey> {
        self.whose
    }

    /// `name (pid)`, fit for a terminal.
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
        let is_named = label.kind.is_some() || self.whose.is_none() && !label.is_remark();
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

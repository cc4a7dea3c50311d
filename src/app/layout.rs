//! Where things stand on the screen. Drawing and mouse clicks both ask here.

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::App;
use super::keymap::KeyMap;
use super::keys::{Action, Place};
use super::look::Header;
use super::view::View;
use crate::format::cut;
use crate::sample::{Domain, Health};

/// The least that shows anything useful.
pub const MIN_WIDTH: u16 = 60;
/// The least that shows anything useful.
pub const MIN_HEIGHT: u16 = 15;

/// A screen with fewer rows has one bar for all CPUs and no ledger.
const FOLDED_BELOW: u16 = 20;
/// Cells of a graph, at the least.
const GRAPH_WIDTH: u16 = 28;
/// Cells of a CPU's bar with its number, brackets and percentage, at the least.
const CPU_BAR_WIDTH: u16 = 18;

/// Where there is no room to say what the probe of a column costs.
const PROBE_RUNS: &str = "probe on";

/// The parts of the screen, top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Host, health.
    pub title: Rect,
    /// CPUs on the left, memory on the right.
    pub meters: Rect,
    /// Rates of the machine.
    pub totals: Rect,
    /// Where the CPU time went.
    pub ledger: Rect,
    /// Graphs of the last minutes.
    pub graphs: Rect,
    /// Names of the views.
    pub tabs: Rect,
    /// Devices, in the view that shows them; else without height.
    pub strip: Rect,
    /// Headings of the columns.
    pub headings: Rect,
    /// The lines of the table.
    pub body: Rect,
    /// Hints, messages, prompts.
    pub footer: Rect,
}

/// How CPUs are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuMeters {
    /// One bar for all.
    Folded,
    /// A bar for each, in so many columns.
    Each {
        /// Columns of bars.
        columns: u16,
    },
    /// One bar for all, and a block for each group of so many CPUs.
    Together {
        /// CPUs that share a block.
        per_block: usize,
    },
}

impl Layout {
    /// `None` where the screen is too small.
    pub fn of(width: u16, height: u16, cpus: usize, header: Header) -> Option<Layout> {
        if width < MIN_WIDTH || height < MIN_HEIGHT {
            return None;
        }
        let rows = HeaderRows::of(width, height, cpus, header);
        let mut y = 0;
        let mut take = |rows: u16| {
            let rect = Rect::new(0, y, width, rows);
            y += rows;
            rect
        };
        Some(Layout {
            title: take(1),
            meters: take(rows.meters),
            totals: take(1),
            ledger: take(rows.ledger),
            graphs: take(rows.graphs),
            tabs: take(1),
            strip: take(0),
            headings: take(1),
            body: take(height - rows.meters - rows.ledger - rows.graphs - 5),
            footer: take(1),
        })
    }

    /// The same with lines of the table given to a strip above its headings.
    #[must_use]
    pub fn with_strip(self, rows: u16) -> Layout {
        let rows = rows.min(self.body.height);
        let mut layout = self;
        layout.strip.height = rows;
        layout.headings.y += rows;
        layout.body.y += rows;
        layout.body.height -= rows;
        layout
    }

    /// What stacks, help and lists may use: devices, headings and lines.
    pub fn canvas(&self) -> Rect {
        Rect { height: self.strip.height + self.headings.height + self.body.height, ..self.strip }
    }

    /// How that many CPUs fit into the meters.
    pub fn cpu_meters(&self, cpus: usize) -> CpuMeters {
        if self.meters.height <= 1 {
            return CpuMeters::Folded;
        }
        let area = self.cpu_area();
        let rows = usize::from(self.meters.height);
        let columns = cpus.div_ceil(rows).max(1);
        if columns * usize::from(CPU_BAR_WIDTH) <= usize::from(area.width) {
            return CpuMeters::Each { columns: columns as u16 };
        }
        let blocks = usize::from(area.width.saturating_sub(2)) * rows.saturating_sub(1).max(1);
        CpuMeters::Together { per_block: cpus.div_ceil(blocks.max(1)).max(1) }
    }

    /// The part of the meters that shows CPUs.
    pub fn cpu_area(&self) -> Rect {
        Rect { width: self.meters.width - memory_width(self.meters.width), ..self.meters }
    }

    /// The graphs side by side, as many as there is room for.
    pub fn graph_areas(&self, most: u16) -> Vec<Rect> {
        if self.graphs.height == 0 {
            return Vec::new();
        }
        let count = (self.graphs.width / GRAPH_WIDTH).clamp(1, most);
        let width = self.graphs.width / count;
        (0..count).map(|i| Rect { x: self.graphs.x + i * width, width, ..self.graphs }).collect()
    }

    /// The part of the meters that shows memory.
    pub fn memory_area(&self) -> Rect {
        let width = memory_width(self.meters.width);
        Rect { x: self.meters.width - width, width, ..self.meters }
    }
}

fn memory_width(width: u16) -> u16 {
    (width * 2 / 5).clamp(28, 60)
}

/// Rows of the parts of the header that fold.
struct HeaderRows {
    meters: u16,
    ledger: u16,
    graphs: u16,
}

impl HeaderRows {
    /// On a low screen the header folds by itself; graphs take no more than they leave the table.
    fn of(width: u16, height: u16, cpus: usize, header: Header) -> HeaderRows {
        match header {
            Header::Small => HeaderRows { meters: 1, ledger: 0, graphs: 0 },
            _ if height < FOLDED_BELOW => HeaderRows { meters: 1, ledger: 0, graphs: 0 },
            Header::Auto => HeaderRows { meters: meter_rows(width, height, cpus), ledger: 1, graphs: 0 },
            Header::Large => HeaderRows { meters: meter_rows(width, height, cpus), ledger: 1, graphs: (height / 6).clamp(3, 8) },
        }
    }
}

/// Memory and swap need two rows; CPUs may have as many as leave the table most of the screen.
fn meter_rows(width: u16, height: u16, cpus: usize) -> u16 {
    let most = (height / 6).max(2);
    let room = usize::from(width - memory_width(width));
    let each = cpus.div_ceil((room / usize::from(CPU_BAR_WIDTH)).max(1));
    let together = 1 + cpus.div_ceil(room - 2);
    let rows = if each <= usize::from(most) { each } else { together };
    u16::try_from(rows).unwrap_or(u16::MAX).clamp(2, most)
}

/// A word to click on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Leftmost cell.
    pub x: u16,
    /// Key, or number of the tab.
    pub key: String,
    /// What it does, or the name of the tab.
    pub word: &'static str,
    /// What a click does.
    pub action: Action,
}

impl Hint {
    /// Cells it takes.
    pub fn width(&self) -> u16 {
        let word = if self.word.is_empty() { 0 } else { 1 + self.word.width() };
        (self.key.width() + word) as u16
    }

    /// Whether a click at `x` hits it.
    pub fn is_at(&self, x: u16) -> bool {
        (self.x..self.x + self.width()).contains(&x)
    }
}

/// The tabs, from the left; the short ones have only the name of the view on screen.
pub fn tabs(shown: View, short: bool) -> Vec<Hint> {
    let mut x = 1;
    let tab = |(i, view): (usize, View)| {
        let word = if short && view != shown { "" } else { view.title() };
        let hint = Hint { x, key: (i + 1).to_string(), word, action: Action::View(view) };
        x += hint.width() + 2;
        hint
    };
    View::ALL.into_iter().enumerate().map(tab).collect()
}

impl App {
    /// The tabs as they are shown now.
    pub fn tabs(&self, layout: &Layout) -> Vec<Hint> {
        let chip = self.chip_text(layout).unwrap_or_default();
        tabs(self.view(), !self.fits_beside_tabs(layout, &chip))
    }

    /// The whole names of the tabs leave room for that chip.
    fn fits_beside_tabs(&self, layout: &Layout, chip: &str) -> bool {
        let end = tabs(self.view(), false).last().map_or(0, |t| t.x + t.width());
        let chip = if chip.is_empty() { 0 } else { 3 + chip.width() };
        usize::from(end) + chip <= usize::from(layout.tabs.width)
    }

    /// On the right of the tabs: what narrows the view, where, and what is paid for showing it.
    pub fn chip(&self, layout: &Layout) -> Option<(Rect, String)> {
        let text = self.chip_text(layout)?;
        let taken = self.tabs(layout).last().map_or(0, |t| t.x + t.width()) + 2;
        let room = layout.tabs.width.saturating_sub(taken + 1);
        let text = cut(&text, usize::from(room)).into_owned();
        let width = text.width() as u16;
        let x = layout.tabs.width.saturating_sub(width + 1);
        Some((Rect { x, width, ..layout.tabs }, text))
    }

    fn chip_text(&self, layout: &Layout) -> Option<String> {
        let here = match self.view() {
            View::Stacks if !self.trail().is_empty() => Some(self.stacks().title().to_string()),
            View::Network => self.net_title().or_else(|| self.within().map(|path| format!("cgroup {path}"))),
            View::Cgroups | View::Stacks => None,
            _ => self.within().map(|path| format!("cgroup {path}")),
        };
        let path = here.map(|here| self.trail().iter().map(|v| v.title()).chain([here.as_str()]).collect::<Vec<_>>().join(" › "));
        let filtered = self.view() != View::Stacks && !self.filter_text().is_empty();
        let filter = filtered.then(|| format!("filter: {} ✕", self.filter_text()));
        let of_groups = if self.view() == View::Cgroups { self.cgroup_words() } else { Vec::new() };
        let before: Vec<String> = path.into_iter().chain(of_groups).chain(self.shape_words()).collect();
        let with = |cost: Option<String>| {
            let parts: Vec<String> = before.iter().cloned().chain(cost).chain(filter.clone()).collect();
            (!parts.is_empty()).then(|| parts.join(" · "))
        };
        let Some(cost) = self.probe_cost() else { return with(None) };
        // What it costs is in the help, too: the names of the tabs are worth more.
        let fits = |chip: &String| self.fits_beside_tabs(layout, chip);
        let whole = with(Some(cost));
        whole.clone().filter(fits).or_else(|| with(Some(PROBE_RUNS.into())).filter(fits)).or(whole)
    }

    /// What the probe costs that runs for a column on screen.
    fn probe_cost(&self) -> Option<String> {
        let status = self.model().sample.status.iter().find(|s| s.domain == Domain::Mem)?;
        let cost = status.cost.as_ref().filter(|_| self.wants.page_allocs && status.health == Health::Live)?;
        Some(format!("PGALLOC costs {cost}"))
    }
}

/// The hints of the footer: as many as `width` has room for. Help and quit stay when others go.
pub fn hints(keys: &KeyMap, places: &[Place], width: u16) -> Vec<Hint> {
    let needed = |(_, _, action): &(String, &'static str, Action)| matches!(action, Action::Help | Action::Quit);
    let offered = keys.bindings(places).filter(|b| !b.hint.is_empty());
    let mut chosen: Vec<_> = offered.filter_map(|b| Some((keys.live_keys(b, places).next()?.name(), b.hint, b.action))).collect();
    loop {
        let hints = in_a_row(&chosen);
        let fits = hints.last().is_none_or(|h| h.x + h.width() <= width);
        match chosen.iter().rposition(|hint| !needed(hint)) {
            Some(last) if !fits => chosen.remove(last),
            _ => return hints,
        };
    }
}

fn in_a_row(chosen: &[(String, &'static str, Action)]) -> Vec<Hint> {
    let mut x = 1;
    let hint = |(key, word, action): &(String, &'static str, Action)| {
        let hint = Hint { x, key: key.clone(), word, action: *action };
        x += hint.width() + 2;
        hint
    };
    chosen.iter().map(hint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_screen_without_overlap() {
        let sizes = [(60, 15, 2), (80, 24, 8), (120, 40, 64), (200, 50, 256)];
        for ((width, height, cpus), header) in sizes.into_iter().flat_map(|size| Header::ALL.map(|header| (size, header))) {
            let l = Layout::of(width, height, cpus, header).unwrap();
            for l in [l, l.with_strip(3), l.with_strip(u16::MAX)] {
                let parts = [l.title, l.meters, l.totals, l.ledger, l.graphs, l.tabs, l.strip, l.headings, l.body, l.footer];
                let mut y = 0;
                for part in parts {
                    assert_eq!((part.y, part.width), (y, width));
                    y += part.height;
                }
                assert_eq!(y, height);
                assert_eq!((l.canvas().y, l.canvas().bottom()), (l.tabs.bottom(), l.footer.y));
            }
            let rows_for_header = if header == Header::Large { height / 6 + 4 } else { 3 };
            assert!(l.body.height * 2 >= height - rows_for_header, "{width}×{height} leaves {}", l.body.height);
        }
        assert_eq!(Layout::of(59, 15, 2, Header::Auto), None);
        assert_eq!(Layout::of(60, 14, 2, Header::Auto), None);
    }

    #[test]
    fn many_cpus_are_shown_together() {
        let layout = |cpus| Layout::of(80, 24, cpus, Header::Auto).unwrap();
        assert_eq!(layout(2).cpu_meters(2), CpuMeters::Each { columns: 1 });
        assert_eq!(layout(8).cpu_meters(8), CpuMeters::Each { columns: 2 });
        assert_eq!(layout(64).cpu_meters(64), CpuMeters::Together { per_block: 1 });
        assert_eq!(layout(512).cpu_meters(512), CpuMeters::Together { per_block: 4 });
    }

    #[test]
    fn a_low_screen_folds_the_header_and_so_does_a_wish() {
        for cpus in [1, 64, 256] {
            for layout in [Layout::of(60, 15, cpus, Header::Large), Layout::of(200, 50, cpus, Header::Small)] {
                let layout = layout.unwrap();
                assert_eq!((layout.meters.height, layout.ledger.height, layout.graphs.height), (1, 0, 0));
                assert_eq!(layout.cpu_meters(cpus), CpuMeters::Folded);
                assert!(layout.graph_areas(4).is_empty());
            }
        }
        assert_eq!(Layout::of(60, 15, 2, Header::Auto).unwrap().body.height, 9);
    }

    #[test]
    fn graphs_stand_side_by_side() {
        let graphs = |width, height| Layout::of(width, height, 2, Header::Large).unwrap().graph_areas(4);
        assert_eq!([60, 80, 120, 200].map(|width| graphs(width, 24).len()), [2, 2, 4, 4]);
        let areas = graphs(120, 40);
        assert!(areas.windows(2).all(|two| two[0].right() == two[1].x && two[0].height == 6), "{areas:?}");
    }

    #[test]
    fn help_and_quit_are_always_offered() {
        for width in [60, 80, 120] {
            let hints = hints(&KeyMap::default(), Place::of(View::Processes, false, false), width);
            let last = hints.last().unwrap();
            assert_eq!(last.action, Action::Quit);
            assert!(hints.iter().any(|h| h.action == Action::Help));
            assert!(last.x + last.width() <= width);
        }
    }
}

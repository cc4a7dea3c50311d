//! Draws the Stacks view: a line of facts, a line for zoom and remarks, graph or list, and the chosen frame in full.

mod lists;
pub(super) mod text;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};
use unicode_width::UnicodeWidthStr;

use super::theme::{Role, Theme};
use super::{flame, format};
use crate::app::stacks::places::Places;
use crate::app::stacks::{StackMode, StacksView, Summary};
use crate::format::cut;
use crate::model::stacks::{Label, Measure, StackTree};
use crate::sample::{Health, StackQuality, printable};
use text::{changed, cuts, fit_name, grouped, letter, percent, put, span, total};

/// Draws the whole view without the key hints.
pub fn draw(frame: &mut Frame, area: Rect, view: &StacksView, theme: Theme) {
    let buf = frame.buffer_mut();
    let places = Places::of(view, area);
    draw_header(buf, places.header, view);
    if view.listing().is_some() {
        put(buf, places.remarks, " Processes with samples, also of those that have exited", dim());
        return lists::draw_processes(buf, places.body, view);
    }
    if view.summary().value == 0 && !view.tree().is_compared() || view.tree().children(StackTree::ROOT).next().is_none() {
        return draw_empty(buf, places.body, view);
    }
    draw_remarks(buf, places.remarks, view, theme);
    let below = match view.mode() {
        StackMode::Flame => {
            if places.table.height > 0 {
                lists::draw_functions(buf, places.table, view, false, theme);
            }
            flame::draw(buf, places.body, view, theme)
        }
        StackMode::Table => {
            lists::draw_functions(buf, places.body, view, true, theme);
            0
        }
        StackMode::Tree => {
            lists::draw_tree(buf, places.body, view, theme);
            0
        }
    };
    draw_detail(buf, places.detail, view, below);
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// Whose stacks and how good they are; the least telling facts give way first.
fn draw_header(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let summary = view.summary();
    let mut facts = vec![(0, view.measure().name().to_string()), (0, span(view.span(), summary))];
    facts.extend(view.baseline().map(|(ns, marked)| (0, against(ns, marked))));
    facts.push((if view.baseline().is_some() { 1 } else { 0 }, total(view.measure(), summary.value, summary.samples)));
    if view.by_thread() {
        facts.push((1, "by thread".into()));
    }
    if view.measure() == Measure::OnCpu {
        facts.push((3, format!("{} Hz", summary.hz)));
    }
    if summary.value > 0 {
        let whole = summary.by_quality[StackQuality::Complete as usize];
        facts.push((2, format!("{} % whole", percent(whole, summary.value))));
    }
    facts.push((if summary.lost == 0 { 4 } else { 0 }, format!("{} lost", grouped(summary.lost))));
    facts.extend(summary.cost.iter().map(|cost| (5, cost.clone())));
    let title = match view.callers() {
        Some(function) => format!(" Callers of {}  in {}  ", fit_name(&function.name, usize::from(area.width) / 3), view.title()),
        None => format!(" Stacks  {}  ", view.title()),
    };
    let joined = |facts: &[(u8, String)]| facts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" · ");
    for rank in (1..=5).rev() {
        if title.width() + joined(&facts).width() > usize::from(area.width) {
            facts.retain(|(of, _)| *of != rank);
        }
    }
    let facts = joined(&facts);
    let title_width = usize::from(area.width).saturating_sub(facts.width()).max(usize::from(area.width) / 3);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Line::from(vec![Span::styled(cut(&title, title_width), bold), Span::raw(facts)]).render(area, buf);
}

/// What the samples are compared with.
fn against(ns: u64, marked: bool) -> String {
    match (ns, marked) {
        (0, _) => "nothing to compare with".into(),
        (ns, true) => format!("vs {} up to the mark", format::duration(ns, 6)),
        (ns, false) => format!("vs {} before", format::duration(ns, 6)),
    }
}

/// Left where the zoom stands or what letters and colours mean, right what the user should know about names and sampling.
fn draw_remarks(buf: &mut Buffer, area: Rect, view: &StacksView, theme: Theme) {
    let width = usize::from(area.width);
    let remark = remark(view);
    let remark = cut(&remark, width);
    let room = width.saturating_sub(remark.width() + 3);
    let left = Rect { width: room as u16, ..area };
    let tree = view.tree();
    match view.zoomed() {
        StackTree::ROOT => draw_legend(buf, left, view, theme),
        zoomed => {
            let path = tree.path(zoomed);
            let last = path.last().map_or("", |label| &label.name);
            let text = format!(" zoomed: {}, {} callers above", fit_name(last, room.saturating_sub(26)), path.len() - 1);
            put(buf, left, &text, dim());
        }
    }
    let remark_width = remark.width() as u16;
    put(buf, Rect { x: area.right() - remark_width, width: remark_width, ..area }, &remark, Style::new());
}

/// As many words as have room whole.
fn draw_legend(buf: &mut Buffer, area: Rect, view: &StacksView, theme: Theme) {
    let kinds = [
        (Role::KernelCode, "K kernel"),
        (Role::InlinedCode, "I inlined"),
        (Role::JitCode, "J JIT"),
        (Role::PythonCode, "P Python"),
        (Role::NativeCode, "compiled"),
    ];
    let changes = [(Role::Grown, "+ grew"), (Role::Shrunk, "- shrank"), (Role::NoCode, "≈ chance explains it")];
    let words = if view.tree().is_compared() { &changes[..] } else { &kinds[..] };
    let mut x = area.x + 1;
    for (role, word) in words {
        let width = word.width() as u16;
        if x + width > area.right() {
            return;
        }
        put(buf, Rect { x, width, ..area }, word, theme.ink(*role));
        x += width + 2;
    }
}

/// The most telling of what there is to say.
fn remark(view: &StacksView) -> String {
    let summary = view.summary();
    if !view.search().is_empty() {
        let text = printable(view.search().as_bytes());
        return format!("/{text}: in {} % of {} ", percent(view.matched(), summary.value), share_of(view.measure()));
    }
    if summary.pending > 0 {
        return format!("naming {} addresses… ", grouped(summary.pending as u64));
    }
    let mut remarks = Vec::new();
    if view.mode() == StackMode::Table && view.further_functions() > 0 {
        let shown = view.functions().len();
        remarks.push(format!("the {} hottest of {} functions", grouped(shown as u64), grouped((shown + view.further_functions()) as u64)));
    }
    if let (Some(Health::Degraded { reason }), _) | (_, Some(reason)) = (&summary.health, &summary.reason) {
        remarks.push(printable(reason.as_bytes()));
    }
    remarks.extend(cuts(summary));
    if remarks.is_empty() { String::new() } else { remarks.join(" · ") + " " }
}

fn share_of(measure: Measure) -> &'static str {
    match measure {
        Measure::OnCpu => "samples",
        Measure::OffCpu => "the time",
        Measure::Faults => "faults",
        Measure::Allocs | Measure::Net => "bytes",
    }
}

/// The chosen frame in full; the hottest function until one is chosen.
fn draw_detail(buf: &mut Buffer, area: Rect, view: &StacksView, below: usize) {
    let tree = view.tree();
    let function = view.functions().get(if view.mode() == StackMode::Table { view.function_index() } else { 0 });
    // Of callers, the function itself: what is their own there is not what they used.
    let top = view.callers().and_then(|_| tree.children(StackTree::ROOT).next());
    let frame = view.chosen().or(top).filter(|_| view.mode() != StackMode::Table);
    let chosen = match (frame, function) {
        (Some(id), _) => {
            let node = tree.node(id);
            Detail {
                before: "▸ ",
                label: tree.label(id),
                inlined: node.inlined,
                own: node.own,
                total: node.total,
                was: tree.total_before(id),
            }
        }
        (None, Some(f)) => {
            let before = match view.mode() {
                StackMode::Table => "▸ ",
                _ if tree.is_compared() => "changed most: ",
                _ => "hottest: ",
            };
            Detail { before, label: &f.label, inlined: f.inlined, own: f.own, total: f.total, was: f.before.1 }
        }
        (None, None) => return,
    };
    let source = view.functions().iter().find(|f| *f.label == *chosen.label).and_then(|f| f.source.as_deref());
    put(buf, area, &chosen.text(view, source, below, usize::from(area.width)), Style::new());
}

/// What the last line tells about.
struct Detail<'a> {
    before: &'static str,
    label: &'a Label,
    inlined: bool,
    own: u64,
    total: u64,
    was: f64,
}

impl Detail<'_> {
    /// Name, module, source line, shares and what lies below: the least telling give way.
    fn text(&self, view: &StacksView, source: Option<&str>, below: usize, width: usize) -> String {
        let Detail { before, label, inlined, own, total, was } = *self;
        let whole = view.tree().total();
        let name = |width: usize| format!(" {before}{}{}", letter(label, inlined), fit_name(&label.name, width));
        let module = if label.module.is_empty() { String::new() } else { format!("  {}", label.module) };
        let source = source.map_or(String::new(), |source| format!("  {source}"));
        let shares = match view.tree().is_compared() {
            true => format!("  with its callees {}", changed(view, was, total)),
            false => {
                let value = text::with_unit(view.measure().unit(), total);
                format!("  self {} %  total {} %  {value}", percent(own, whole), percent(total, whole))
            }
        };
        let more = if below > 0 { format!("  ▾ {below} deeper") } else { String::new() };
        let fits = |parts: &[&str]| name(usize::MAX).width() + parts.iter().map(|part| part.width()).sum::<usize>() <= width;
        let rest = match () {
            () if fits(&[&module, &source, &shares, &more]) => format!("{module}{source}{shares}{more}"),
            () if fits(&[&module, &shares, &more]) => format!("{module}{shares}{more}"),
            () if fits(&[&module, &shares]) => format!("{module}{shares}"),
            () => shares,
        };
        let room = width.saturating_sub(rest.width() + name(0).width());
        format!("{}{rest}", name(room))
    }
}

/// Says why there is nothing to see, and what would help.
fn draw_empty(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let lines: Vec<Line> = empty_text(view).into_iter().map(|text| Line::from(text).centered()).collect();
    let [_, middle] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(2)]).areas(area);
    Paragraph::new(lines).wrap(Wrap { trim: true }).render(middle, buf);
}

fn empty_text(view: &StacksView) -> Vec<String> {
    let Summary { health, hz, older, samples, .. } = view.summary();
    let is_timed = view.measure() == Measure::OnCpu;
    match health {
        Some(Health::Off { reason }) => {
            return vec!["no samples: the stacks domain is off".into(), printable(reason.as_bytes())];
        }
        None if *hz == 0 => return vec!["waiting for the first samples…".into()],
        _ if *hz == 0 && is_timed => {
            return vec!["no samples: sampling is off (--hz 0)".into(), "start ebtop with --hz 49 to see stacks".into()];
        }
        _ => {}
    }
    if let Some((_, true)) = view.baseline() {
        return vec!["nothing was sampled since the mark".into(), "b ends the comparison".into()];
    }
    if let Some(function) = view.callers().filter(|_| *samples > 0) {
        return vec![format!("{} is not in these samples", function.name), "Esc leads back".into()];
    }
    let span = span(view.span(), view.summary());
    let span = span.trim_start_matches("all: ");
    let mut lines = match is_timed {
        true => {
            let (who, used) = if view.whose().is_some() { ("it", "used next to no CPU") } else { ("nothing", "used the CPU") };
            vec![format!("no samples: {who} {used} in the {span}"), format!("({hz} samples a second per CPU)")]
        }
        false => vec![format!("no {} seen in the {span}; counted only while this is shown", view.measure().name())],
    };
    if *older > 0 {
        lines.push(format!("{} older samples: w chooses a longer span", grouped(*older)));
    }
    lines
}

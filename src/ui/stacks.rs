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

use super::flame;
use super::theme::Theme;
use crate::app::stacks::{StackMode, StacksView, Summary};
use crate::model::stacks::StackTree;
use crate::sample::{Health, StackQuality};
use text::{fit, fit_name, grouped, letter, percent, put, span};

/// Rows from which the graph has the table below it.
const ROWS_FOR_BOTH: u16 = 18;

/// Draws the whole view without the key hints.
pub fn draw(frame: &mut Frame, area: Rect, view: &StacksView, theme: Theme) {
    let buf = frame.buffer_mut();
    let [header, remarks, body, detail] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    draw_header(buf, header, view);
    if view.summary().samples == 0 {
        return draw_empty(buf, body, view);
    }
    draw_remarks(buf, remarks, view);
    let below = match view.mode() {
        StackMode::Flame if body.height >= ROWS_FOR_BOTH => {
            let [graph, _, table] = Layout::vertical([Constraint::Fill(3), Constraint::Length(1), Constraint::Fill(2)]).areas(body);
            lists::draw_functions(buf, table, view, false);
            flame::draw(buf, graph, view, theme)
        }
        StackMode::Flame => flame::draw(buf, body, view, theme),
        StackMode::Table => {
            lists::draw_functions(buf, body, view, true);
            0
        }
        StackMode::Tree => {
            lists::draw_tree(buf, body, view);
            0
        }
    };
    draw_detail(buf, detail, view, below);
}

/// Whose stacks and how good they are; the least telling facts give way first.
fn draw_header(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let summary = view.summary();
    let mut facts = vec![(0, "on-CPU".to_string()), (0, span(view.span(), summary))];
    facts.push((0, format!("{} samples", grouped(summary.samples))));
    facts.push((2, format!("{} Hz", summary.hz)));
    if summary.samples > 0 {
        facts.push((1, format!("{} % whole", percent(summary.by_quality[StackQuality::Complete as usize], summary.value))));
    }
    facts.push((if summary.lost == 0 { 3 } else { 0 }, format!("{} lost", grouped(summary.lost))));
    facts.extend(summary.cost.iter().map(|cost| (4, cost.clone())));
    let title = format!(" Stacks  {}  ", view.title());
    let joined = |facts: &[(u8, String)]| facts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(" · ");
    for rank in (1..=4).rev() {
        if title.width() + joined(&facts).width() > usize::from(area.width) {
            facts.retain(|(of, _)| *of != rank);
        }
    }
    let facts = joined(&facts);
    let title_width = usize::from(area.width).saturating_sub(facts.width()).max(usize::from(area.width) / 3);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Line::from(vec![Span::styled(fit(&title, title_width), bold), Span::raw(facts)]).render(area, buf);
}

/// Left where the zoom stands (or what the letters mean), right what the user should know about names and sampling.
fn draw_remarks(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let width = usize::from(area.width);
    let remark = remark(view);
    let remark = fit(&remark, width);
    let room = width.saturating_sub(remark.width() + 3);
    let tree = view.tree();
    let left = match view.zoomed() {
        StackTree::ROOT => " K kernel · J JIT · no letter: compiled".to_string(),
        zoomed => {
            let path = tree.path(zoomed);
            let last = path.last().map_or("", |label| &label.name);
            format!(" zoomed: {}, {} callers above", fit_name(last, room.saturating_sub(26)), path.len() - 1)
        }
    };
    put(buf, Rect { width: room as u16, ..area }, &left, Style::new().add_modifier(Modifier::DIM));
    let remark_width = remark.width() as u16;
    put(buf, Rect { x: area.right() - remark_width, width: remark_width, ..area }, &remark, Style::new());
}

fn remark(view: &StacksView) -> String {
    let summary = view.summary();
    if !view.search().is_empty() {
        let text = crate::sample::printable(view.search().as_bytes());
        return format!("/{text}: in {} % of samples ", percent(view.matched(), summary.value));
    }
    if summary.pending > 0 {
        return format!("naming {} addresses… ", grouped(summary.pending as u64));
    }
    if view.mode() == StackMode::Table && view.further_functions() > 0 {
        let shown = view.functions().len();
        return format!("the {} hottest of {} functions ", grouped(shown as u64), grouped((shown + view.further_functions()) as u64));
    }
    match (&summary.health, &summary.reason) {
        (Some(Health::Degraded { reason }), _) | (_, Some(reason)) => format!("{} ", crate::sample::printable(reason.as_bytes())),
        _ => String::new(),
    }
}

/// The chosen frame in full; the hottest function until one is chosen.
fn draw_detail(buf: &mut Buffer, area: Rect, view: &StacksView, below: usize) {
    let tree = view.tree();
    let whole = tree.total();
    let function = view.functions().get(if view.mode() == StackMode::Table { view.function_index() } else { 0 });
    let (before, label, own, total) = match (view.mode(), view.chosen(), function) {
        (StackMode::Flame | StackMode::Tree, Some(id), _) => ("▸ ", tree.label(id), tree.node(id).own, tree.node(id).total),
        (StackMode::Table, _, Some(function)) => ("▸ ", &function.label, function.own, function.total),
        (_, None, Some(function)) => ("hottest: ", &function.label, function.own, function.total),
        _ => return,
    };
    let name = |width: usize| format!(" {before}{}{}", letter(label), fit_name(&label.name, width));
    let module = if label.module.is_empty() { String::new() } else { format!("  {}", label.module) };
    let shares = format!("  self {} %  total {} %  {} samples", percent(own, whole), percent(total, whole), grouped(total));
    let more = if below > 0 { format!("  ▾ {below} deeper") } else { String::new() };
    let width = usize::from(area.width);
    let fits = |parts: &[&str]| name(usize::MAX).width() + parts.iter().map(|part| part.width()).sum::<usize>() <= width;
    let rest = match () {
        () if fits(&[&module, &shares, &more]) => format!("{module}{shares}{more}"),
        () if fits(&[&module, &shares]) => format!("{module}{shares}"),
        () => shares,
    };
    let room = width.saturating_sub(rest.width() + name(0).width());
    let text = format!("{}{rest}", name(room));
    put(buf, area, &text, Style::new());
}

/// Says why there is nothing to see, and what would help.
fn draw_empty(buf: &mut Buffer, area: Rect, view: &StacksView) {
    let lines: Vec<Line> = empty_text(view).into_iter().map(|text| Line::from(text).centered()).collect();
    let [_, middle] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(2)]).areas(area);
    Paragraph::new(lines).wrap(Wrap { trim: true }).render(middle, buf);
}

fn empty_text(view: &StacksView) -> Vec<String> {
    let Summary { health, hz, older, .. } = view.summary();
    match health {
        Some(Health::Off { reason }) => {
            return vec!["no samples: the stacks domain is off".into(), crate::sample::printable(reason.as_bytes())];
        }
        None if *hz == 0 => return vec!["waiting for the first samples…".into()],
        _ if *hz == 0 => return vec!["no samples: sampling is off (--hz 0)".into(), "start ebtop with --hz 49 to see stacks".into()],
        _ => {}
    }
    let who = if view.whose().is_some() { "it" } else { "nothing" };
    let used = if view.whose().is_some() { "used next to no CPU" } else { "used the CPU" };
    let mut lines = vec![
        format!("no samples: {who} {used} in the {}", span(view.span(), view.summary()).trim_start_matches("all: ")),
        format!("({hz} samples a second per CPU)"),
    ];
    if *older > 0 {
        lines.push(format!("{} older samples: choose a longer span", grouped(*older)));
    }
    lines
}

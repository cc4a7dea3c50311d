//! The top of the screen: who and how well, bars, totals, the ledger, the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::text::{Pen, width_of};
use super::theme::Role;
use super::{format, graphs, meters, paint_line};
use crate::app::App;
use crate::app::layout::Layout;
use crate::app::status::{Overall, lost};
use crate::format::cut;
use crate::model::ledger::Ledger;

type Piece = (Role, String);

/// Cells that the reason of a bad health gets before anything else on its line.
const ROOM_FOR_REASON: u16 = 60;
/// Cells of a reason that are worth showing before its fix.
const LEAST_REASON: usize = 8;
/// What is collected is written to a file, too.
const RECORDING: &str = "REC ";
/// Longer names of machines are cut.
const ROOM_FOR_HOST: usize = 24;

/// Draws everything above the headings.
pub fn draw(buffer: &mut Buffer, layout: &Layout, app: &App, pen: Pen) {
    title(buffer, layout.title, app, pen);
    meters::draw(buffer, layout, app, pen);
    if app.model().sample.at_ns > 0 {
        groups(buffer, layout.totals, &totals(app, layout.totals.width), pen);
        if layout.ledger.height > 0 {
            groups(buffer, layout.ledger, &ledger(app, layout.ledger.width), pen);
        }
        graphs::draw(buffer, layout, app, pen);
    }
    tabs(buffer, layout, app, pen);
}

fn title(buffer: &mut Buffer, area: Rect, app: &App, pen: Pen) {
    let machine = app.machine();
    let mut left = vec![(Role::Accent, " ebtop".to_string()), (Role::Text, format!("  {}", cut(&machine.host, ROOM_FOR_HOST)))];
    let mut state = state(app, area.width.saturating_sub(width_of(&left) + 3));
    let short = width_of(&state[..state.len() - 1]) + 2;
    let reason = width_of(&state[state.len() - 1..]).min(ROOM_FOR_REASON);
    let load = machine.load.map(|l| format!(" {}", format::cores(l.into()))).concat();
    let more = [("  up ", uptime(machine.uptime_ns)), ("  load", load)];
    for (label, text) in more.into_iter().filter(|_| machine.uptime_ns > 0) {
        let pieces = [(Role::Label, label.to_string()), (Role::Text, text)];
        if width_of(&left) + width_of(&pieces) + short + reason <= area.width {
            left.extend(pieces);
        }
    }
    let end = pen.put_all(buffer, (area.x, area.y), area.right(), &left);
    let room = area.right().saturating_sub(end + 3);
    if let Some((_, reason)) = state.last_mut() {
        *reason = cut_reason(reason, usize::from((room + 2).saturating_sub(short)));
    }
    let x = area.right().saturating_sub(1 + width_of(&state).min(room));
    pen.put_all(buffer, (x, area.y), area.right().saturating_sub(1), &state);
}

/// Cuts a reason, but not the fix that it ends with after a dash.
fn cut_reason(reason: &str, width: usize) -> String {
    match reason.rfind(" — ") {
        Some(at) if reason.width() > width && width > reason[at..].width() + LEAST_REASON => {
            cut(&reason[..at], width - reason[at..].width()).into_owned() + &reason[at..]
        }
        _ => cut(reason, width).into_owned(),
    }
}

/// A reason may end with several ways to mend it: `WHY — one, or another`. Where they have no room, `ebtop check` has the others.
fn ways_that_fit(reason: &str, room: usize) -> String {
    let dash = reason.rfind(" — ").unwrap_or(reason.len());
    let Some(other) = reason[dash..].find(", or ").map(|at| dash + at).filter(|_| reason.width() > room) else { return reason.to_owned() };
    let first = &reason[..other];
    let pointed = format!("{first}, or see `ebtop check`");
    if pointed.width() <= room { pointed } else { first.to_owned() }
}

/// Interval, user and health; the last piece is the reason, and may be cut. Where there is no room for it, the others give way: what is
/// wrong, and the command that mends it, are worth more than who looks.
fn state(app: &App, room: u16) -> Vec<Piece> {
    // Nobody may take what has passed for what is: it stands in place of all else.
    if let Some(back) = app.looking_back().map(|back| format!("◂ {back}")).or(app.seeks().map(|seeks| format!("▸ {seeks}"))) {
        let recording = app.is_recording().then(|| (Role::Bad, RECORDING.to_owned()));
        return recording.into_iter().chain([(Role::Bad, back), (Role::Bad, String::new())]).collect();
    }
    let sample = &app.model().sample;
    let (role, sign, word, mut reason) = match (app.end(), Overall::of(sample)) {
        (Some(Some(error)), _) => (Role::Bad, "×", "stopped", error.clone()),
        (Some(None), _) => (Role::Warning, "×", "end of the recording", app.clock()),
        (None, Overall::Starting) => (Role::Dim, "…", "starting", String::new()),
        (None, Overall::Loading) => (Role::Dim, "…", "loading", String::new()),
        (None, Overall::Live) if app.is_replay() => (Role::Good, "▸", "replay", app.clock()),
        (None, Overall::Live) => (Role::Good, "●", "live", String::new()),
        (None, Overall::Degraded(why)) => (Role::Warning, "◐", "degraded", why),
        (None, Overall::ProcOnly(why)) => (Role::Warning, "○", "/proc only", why),
    };
    let mut pieces = Vec::new();
    if app.is_recording() {
        pieces.push((Role::Bad, RECORDING.to_owned()));
    }
    if app.paused() {
        let clock = if app.is_replay() { app.clock() + " " } else { String::new() };
        pieces.push((Role::Warning, format!("PAUSED {clock}")));
    }
    let modes = pieces.len();
    if let Some(lost) = lost(sample) {
        pieces.push((Role::Bad, format!("{lost} · ")));
    }
    let aside = if word == "replay" { format!("{:?} · ", app.interval()) } else { format!("{:?} · {} · ", app.interval(), app.who()) };
    let fixed = usize::from(width_of(&pieces)) + sign.width() + 3;
    reason = ways_that_fit(&reason, usize::from(room).saturating_sub(fixed));
    let needs = |aside: &str, word: &str| (fixed + aside.width() + word.width() + reason.width()) as u16;
    let (with_aside, with_word) = (reason.is_empty() || needs(&aside, word) <= room, reason.is_empty() || needs("", word) <= room);
    if with_aside {
        pieces.insert(modes, (Role::Dim, aside));
    }
    if with_word && !reason.is_empty() {
        reason.insert_str(0, ": ");
    }
    let word = if with_word { format!("{sign} {word}") } else { format!("{sign} ") };
    pieces.extend([(role, word), (role, reason)]);
    pieces
}

/// Without seconds, which would change on every tick.
fn uptime(ns: u64) -> String {
    let width = if ns < 3_600_000_000_000 { 3 } else { 7 };
    format::duration(ns, width)
}

fn totals(app: &App, width: u16) -> Vec<Vec<Piece>> {
    let (model, machine) = (app.model(), app.machine());
    let rates = &model.machine;
    let bytes = |value: Option<f64>, width| value.map_or(String::new(), |v| format::bytes_in(v, width, app.look().units));
    let rate = |value| format!("{:>5}", bytes(value, 5));
    let short = |value| format!("{:>4}", bytes(value, 4));
    let label = |text: &str| (Role::Label, text.to_string());
    let text = |text: String| (Role::Text, text);
    let mut groups = vec![
        vec![
            label(if width >= 100 { "net without lo " } else { "net " }),
            text(format!("↓{} ↑{}", rate(rates.wire_rx_per_sec), rate(rates.wire_tx_per_sec))),
        ],
        vec![label("disk "), text(format!("r {} w {}", short(rates.disk_read_per_sec), short(rates.disk_write_per_sec)))],
        vec![
            label("tasks "),
            text(model.rows.len().to_string()),
            label(" thr "),
            text(machine.threads.to_string()),
            label(" run "),
            text(format!("{:<2}", machine.running)),
        ],
    ];
    if model.elapsed_ns > 0 && knows_exits(app) {
        let exits = model.departed.len() as f64 * 1e9 / model.elapsed_ns as f64;
        groups.push(vec![label("exits "), text(format!("{:<7}", format!("{}/s", format::count(exits, 5))))]);
    }
    if let Some(p) = machine.pressure {
        let pct = |v: f32| format::count(v.into(), 3);
        groups.push(vec![label("psi "), text(format!("cpu {} mem {} io {}", pct(p.cpu_pct), pct(p.memory_pct), pct(p.io_pct)))]);
    }
    groups
}

/// `cpu 1.87/2 = rows 1.71 + exited 0.09 + kernel 0.02 + irq 0.05 · idle 0.13 · gap 0.00`, in cores.
fn ledger(app: &App, width: u16) -> Vec<Vec<Piece>> {
    let (ledger, elapsed) = (&app.model().ledger, app.model().elapsed_ns);
    if elapsed == 0 {
        return vec![vec![(Role::Label, "cpu".into()), (Role::Dim, " rates follow with the second sample".into())]];
    }
    let cores = |ns: i64| format::cores(ns as f64 / elapsed as f64);
    let part = |name: &str, ns: u64| (name.to_string(), cores(ns as i64));
    let wide = width >= 92;
    let mut parts = vec![part("rows", ledger.processes_ns)];
    if knows_exits(app) {
        parts.push(part(if wide { "exited" } else { "exit" }, ledger.exited_ns));
    }
    parts.push(part(if wide { "kernel" } else { "kern" }, ledger.kernel_ns));
    if !ledger.irq_inside {
        parts.push(part("irq", ledger.irq_ns));
    }
    if !ledger.steal_inside {
        parts.push(part("steal", ledger.steal_ns));
    }
    let busy = ledger.charged_ns() - ledger.idle_ns;
    let capacity = ledger.capacity_ns as f64 / elapsed as f64;
    let mut line = vec![(Role::Label, "cpu ".into()), (Role::Sorted, cores(busy as i64)), (Role::Text, format!("/{capacity:.0}"))];
    let (first, next) = if width >= 80 { (" = ", " + ") } else { (": ", " ") };
    for (i, (name, value)) in parts.into_iter().enumerate() {
        line.push((Role::Dim, if i == 0 { first.into() } else { next.into() }));
        line.extend([(Role::Label, name), (Role::Text, format!(" {value}"))]);
    }
    let rest = vec![(Role::Label, "gap ".into()), (gap_role(ledger), cores(ledger.gap_ns))];
    let idle = vec![(Role::Label, "idle ".into()), (Role::Text, cores(ledger.idle_ns as i64))];
    let mut groups = vec![line, rest, idle];
    if wide && ledger.irq_inside {
        groups.push(vec![(Role::Dim, "irq inside rows".into())]);
    }
    groups
}

/// Without BPF nobody tells of processes that end: unknown is not 0.
fn knows_exits(app: &App) -> bool {
    !matches!(Overall::of(&app.model().sample), Overall::ProcOnly(_))
}

/// More than 1 % of the machine is worth a look.
fn gap_role(ledger: &Ledger) -> Role {
    if ledger.gap_ns.unsigned_abs() > ledger.capacity_ns / 100 { Role::Warning } else { Role::Text }
}

/// Groups of words, as many as fit whole.
fn groups(buffer: &mut Buffer, area: Rect, groups: &[Vec<Piece>], pen: Pen) {
    let mut x = area.x + 1;
    for group in groups {
        if x + width_of(group) > area.right() {
            return;
        }
        x = pen.put_all(buffer, (x, area.y), area.right(), group) + if area.width < 80 { 1 } else { 2 };
    }
}

fn tabs(buffer: &mut Buffer, layout: &Layout, app: &App, pen: Pen) {
    let area = layout.tabs;
    for (tab, view) in app.tabs(layout).into_iter().zip(crate::app::view::View::ALL) {
        let x = pen.put(buffer, (tab.x, area.y), &tab.key, 1, Role::Dim);
        let role = if view == app.view() { Role::Accent } else { Role::Text };
        pen.put(buffer, (x + 1, area.y), tab.word, area.right().saturating_sub(x + 1), role);
        if view == app.view() {
            let place = Rect { x: tab.x.saturating_sub(1), width: tab.width() + 2, ..area };
            paint_line(buffer, place, area.y, pen, Role::Selected);
        }
    }
    if let Some((place, text)) = app.chip(layout) {
        pen.put(buffer, (place.x, place.y), &text, place.width, Role::Warning);
    }
}

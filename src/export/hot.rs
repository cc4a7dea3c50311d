//! The hottest functions of a profile, as text.

use std::fmt::Write;

use rustc_hash::{FxHashMap, FxHashSet};

use super::profile::{Profile, name};
use crate::model::stacks::Unit;
use crate::sample::printable;
use crate::symbols::{Frame, FrameKind};

/// Functions listed.
const LINES: usize = 30;

/// Value spent in a function itself, and in it or what it called.
#[derive(Clone, Copy, Default)]
struct Spent {
    own: u64,
    total: u64,
}

/// A line of facts, then a table of the hottest functions by their own share.
pub fn text(profile: &Profile) -> String {
    let mut out = format!("{}\n", summary(profile));
    let mut functions: FxHashMap<(String, String), Spent> = FxHashMap::default();
    for stack in &profile.stacks {
        let labels: Vec<_> = stack.frames.iter().map(label).collect();
        if let Some(innermost) = labels.last() {
            functions.entry(innermost.clone()).or_default().own += stack.value;
        }
        for label in labels.into_iter().collect::<FxHashSet<_>>() {
            functions.entry(label).or_default().total += stack.value;
        }
    }
    let mut rows: Vec<_> = functions.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y.own, y.total).cmp(&(x.own, x.total)).then(a.cmp(b)));
    let all = profile.value().max(1) as f64;
    let _ = writeln!(out, "\n{:>6} {:>6} {:>12}  {:<48} MODULE", "SELF%", "TOTAL%", unit(profile), "FUNCTION");
    for ((function, module), spent) in rows.iter().take(LINES) {
        let percent = |value: u64| value as f64 * 100.0 / all;
        let own = amount(profile, spent.own);
        let _ = writeln!(out, "{:>6.1} {:>6.1} {own:>12}  {function:<48} {module}", percent(spent.own), percent(spent.total));
    }
    if rows.len() > LINES {
        let _ = writeln!(out, "… {} more; -o out.svg or out.pb.gz has all, with their callers", rows.len() - LINES);
    }
    out
}

/// What was taken, in one line.
pub fn summary(profile: &Profile) -> String {
    let seconds = profile.duration_ns as f64 / 1e9;
    let what = match profile.measure.unit() {
        Unit::Samples => format!("{} samples at {} Hz", profile.count(), profile.hz),
        Unit::Ns => format!("{} s off the CPU, {} waits", amount(profile, profile.value()), profile.count()),
        Unit::Faults => format!("{} page faults", profile.value()),
        Unit::Bytes => format!("{} bytes in {} calls", profile.value(), profile.count()),
    };
    let whole = profile.complete_pct();
    format!("{}: {what} in {seconds:.1} s, {whole:.1} % of stacks whole, {} lost", profile.title, profile.lost)
}

fn unit(profile: &Profile) -> &'static str {
    match profile.measure.unit() {
        Unit::Samples => "SAMPLES",
        Unit::Ns => "SECONDS",
        Unit::Faults => "FAULTS",
        Unit::Bytes => "BYTES",
    }
}

fn amount(profile: &Profile, value: u64) -> String {
    match profile.measure.unit() {
        Unit::Ns => format!("{:.3}", value as f64 / 1e9),
        _ => value.to_string(),
    }
}

/// Function with the letter of its kind, and module.
fn label(frame: &Frame) -> (String, String) {
    let letter = match frame.kind {
        FrameKind::Kernel => "K ",
        FrameKind::Jit => "J ",
        FrameKind::Python => "P ",
        FrameKind::Native => "",
    };
    (format!("{letter}{}", name(frame)), printable(frame.module.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::{profile, stack};
    use super::*;

    #[test]
    fn own_and_total_shares() {
        let text = text(&profile(vec![stack(&["main", "a"], 3), stack(&["main", "a", "b", "a"], 1)]));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "app (7): 4 samples at 100 Hz in 5.0 s, 100.0 % of stacks whole, 0 lost");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(lines[3]), ["100.0", "100.0", "4", "a", "app"], "recursion counts once");
        assert_eq!(words(lines[4]), ["0.0", "100.0", "0", "main", "app"]);
        assert_eq!(words(lines[5]), ["0.0", "25.0", "0", "b", "app"]);
    }
}

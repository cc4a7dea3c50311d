//! Words and numbers of the Stacks view, cut to the cells there are.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use crate::app::stacks::{Change, StackSpan, StacksView, Summary};
use crate::format::{self, cut};
use crate::model::stacks::{Label, Measure, Unit};
use crate::sample::StackQuality;
use crate::symbols::FrameKind;

/// Writes a line of text, cut to the area; nothing where there is no room.
pub fn put(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    let area = area.intersection(buf.area);
    if !area.is_empty() {
        let width = usize::from(area.width);
        buf.set_stringn(area.x, area.y, cut(text, width), width, style);
    }
}

/// A function name for `width` cells: first the arguments go, then type parameters, then the outer name spaces, and then it is cut.
pub fn fit_name(name: &str, width: usize) -> Cow<'_, str> {
    if name.width() <= width || name.contains("operator") {
        return cut(name, width);
    }
    let bare = without_arguments(name);
    if bare.width() <= width {
        return bare.into();
    }
    let plain = without_angles(bare);
    let mut rest: &str = &plain;
    while rest.width() > width {
        match rest.split_once("::") {
            Some((_, inner)) if !inner.is_empty() => rest = inner,
            _ => break,
        }
    }
    cut(rest, width).into_owned().into()
}

/// Without the parameter list at the end, if there is one: `f(int) const` → `f`. Go's `(*T).method` stays.
fn without_arguments(name: &str) -> &str {
    let end = name.trim_end_matches(" const");
    if !end.ends_with(')') {
        return name;
    }
    let mut depth = 0;
    for (at, c) in end.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at > 0 { &name[..at] } else { name };
        }
    }
    name
}

/// Without `<…>`; a name that is nothing else, or where they do not pair up, stays as it is.
fn without_angles(name: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0;
    for c in name.chars() {
        match c {
            '<' => depth += 1,
            '>' if depth > 0 => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let trimmed = plain.trim_start_matches("::");
    if depth != 0 || trimmed.is_empty() { name.to_string() } else { trimmed.to_string() }
}

/// The letter of a kind of code, shown before the name; compiled user code that is called has none.
pub fn letter(label: &Label, inlined: bool) -> &'static str {
    match label.kind {
        Some(FrameKind::Kernel) => "K ",
        Some(FrameKind::Jit) => "J ",
        Some(FrameKind::Python) => "P ",
        Some(FrameKind::Native) if inlined => "I ",
        Some(FrameKind::Native) | None => "",
    }
}

/// The heading of a column of values.
pub fn heading_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Samples => "SAMPLES",
        Unit::Ns => "TIME",
        Unit::Faults => "FAULTS",
        Unit::Bytes => "BYTES",
    }
}

/// A value: `12 345`, `45.1ms`, `1.2M`.
pub fn amount(unit: Unit, value: u64, width: usize) -> String {
    match unit {
        Unit::Samples | Unit::Faults => {
            let exact = grouped(value);
            if exact.len() <= width { exact } else { format::count(value as f64, width) }
        }
        Unit::Ns => format::nanos(value as f64, width),
        Unit::Bytes => format::bytes(value as f64, width),
    }
}

/// A value with its unit: `12 345 samples`, `45.1ms`.
pub fn with_unit(unit: Unit, value: u64) -> String {
    match unit {
        Unit::Samples => format!("{} samples", grouped(value)),
        Unit::Faults => format!("{} faults", grouped(value)),
        Unit::Ns | Unit::Bytes => amount(unit, value, 8),
    }
}

/// A value with what it counts: `1 323 samples`, `12.3s in 80 waits`.
pub fn total(measure: Measure, value: u64, count: u64) -> String {
    let (one, many) = match measure {
        Measure::OnCpu => ("sample", "samples"),
        Measure::OffCpu => ("wait", "waits"),
        Measure::Faults => ("fault", "faults"),
        Measure::Allocs => ("allocation", "allocations"),
        Measure::Net => ("call", "calls"),
    };
    let counted = format!("{} {}", grouped(count), if count == 1 { one } else { many });
    if count == 0 && measure == Measure::OffCpu {
        // A wait counts once it is over.
        return format!("{} so far", amount(measure.unit(), value, 8));
    }
    match measure.unit() {
        Unit::Samples | Unit::Faults => counted,
        Unit::Ns | Unit::Bytes => format!("{} in {counted}", amount(measure.unit(), value, 8)),
    }
}

/// A rate: percent of a core for timed samples, else per second.
pub fn rate(unit: Unit, value: f64, width: usize) -> String {
    let room = width.saturating_sub(2);
    match unit {
        Unit::Samples => format!("{}%", format::percent(value, width.saturating_sub(1))),
        Unit::Faults => format!("{}/s", format::rate(value, room)),
        Unit::Ns => format!("{}/s", format::nanos(value, room)),
        Unit::Bytes => format!("{}/s", format::bytes(value, room)),
    }
}

/// By how much something changed, as a rate with its sign; `≈` where chance explains it.
pub fn changed(view: &StacksView, before: f64, now: u64) -> String {
    let change = view.rate(now as f64 - before);
    let text = || rate(view.measure().unit(), change.abs(), 7);
    match view.change(before, now) {
        Change::Grew => format!("+{}", text()),
        Change::Shrank => format!("-{}", text()),
        Change::Same => "≈".into(),
    }
}

/// `12345` → `12 345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A share in percent with one decimal; only nothing is `0.0` and only all is `100`.
pub fn percent(part: u64, whole: u64) -> String {
    match tenths(part, whole) {
        0 if part > 0 => "<0.1".into(),
        1000 => if part < whole { "99.9" } else { "100" }.into(),
        tenths => format!("{}.{}", tenths / 10, tenths % 10),
    }
}

/// A share for a label in the flame graph: a decimal only below 10.
pub fn short_percent(part: u64, whole: u64) -> String {
    match tenths(part, whole) {
        0..100 => format!("{}%", percent(part, whole)),
        995..=1000 if part < whole => "99%".into(),
        tenths => format!("{}%", (tenths + 5) / 10),
    }
}

/// Tenths of a percent, rounded.
fn tenths(part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    ((2000 * u128::from(part) + whole) / (2 * whole)) as u64
}

/// `last 30 s`: what is asked for, or what there is of it; `since 2 s` where a probe was started only then.
pub fn span(span: StackSpan, measure: Measure, summary: &Summary) -> String {
    let ns = summary.covered_ns.min(span.ns());
    match span {
        _ if ns < 1_000_000_000 && measure.probe().is_some() => "from now on".into(),
        _ if ns < 1_000_000_000 => "just started".into(),
        StackSpan::All => format!("all: last {}", length(ns)),
        _ if ns < span.ns() && measure.probe().is_some() => format!("since {}", length(ns)),
        _ => format!("last {}", length(ns)),
    }
}

/// `4 min 10 s`.
fn length(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s} s"),
        (m, 0) => format!("{m} min"),
        (m, s) => format!("{m} min {s} s"),
    }
}

/// What cut stacks, the most frequent first, each with its share: `cut: 2.1 % no unwind table, 0.3 % too deep`.
pub fn cuts(summary: &Summary) -> Option<String> {
    let word = |quality| match quality {
        StackQuality::Complete => None,
        StackQuality::Cut => Some("reason unknown"),
        StackQuality::Deep => Some("too deep"),
        StackQuality::NoTable => Some("no unwind table"),
        StackQuality::Unreadable => Some("unreadable"),
        StackQuality::Jit => Some("JIT"),
    };
    let mut cuts: Vec<(u64, &str)> = StackQuality::ALL
        .into_iter()
        .filter_map(|quality| Some((summary.by_quality[quality as usize], word(quality)?)))
        .filter(|(value, _)| *value > 0)
        .collect();
    cuts.sort_by_key(|(value, _)| std::cmp::Reverse(*value));
    let text = cuts.iter().map(|(value, word)| format!("{} % {word}", percent(*value, summary.value))).collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then(|| format!("cut: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_zero_or_all_only_if_it_is() {
        assert_eq!(
            ["0.0", "<0.1", "0.1", "48.9", "99.9", "100"],
            [(0, 9), (1, 9999), (1, 1000), (489, 1000), (99_999, 100_000), (7, 7)].map(|(a, b)| percent(a, b))
        );
        assert_eq!(
            ["0.0%", "9.9%", "10%", "83%", "99%", "100%"],
            [(0, 9), (99, 1000), (995, 10_000), (826, 1000), (999, 1000), (7, 7)].map(|(a, b)| short_percent(a, b))
        );
        assert_eq!(percent(0, 0), "0.0");
        assert_eq!(percent(u64::MAX, u64::MAX), "100");
    }

    #[test]
    fn long_names_lose_arguments_then_types_then_name_spaces() {
        let name = "core::ptr::drop_in_place<alloc::vec::Vec<(u8, u8)>>";
        assert_eq!(fit_name(name, 80), name);
        assert_eq!(fit_name(name, 30), "core::ptr::drop_in_place");
        assert_eq!(fit_name(name, 20), "ptr::drop_in_place");
        assert_eq!(fit_name(name, 8), "drop_in…");
        assert_eq!(fit_name("a::Parser::parse(std::string const&) const", 20), "a::Parser::parse");
        assert_eq!(fit_name("<T as a::Trait>::method", 20), "method");
        assert_eq!(fit_name("net/http.(*conn).serve", 12), "net/http.(*…");
        assert_eq!(fit_name("a::operator<(a::b const&)", 14), "a::operator<(…");
        assert_eq!(fit_name("(anonymous)", 6), "(anon…");
        assert_eq!(fit_name("<<<::", 3), "<<…");
        assert_eq!(fit_name("日本語の関数", 7), "日本語…");
        assert_eq!(fit_name("main", 0), "");
    }

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 1323, 1_234_567].map(grouped), ["0", "999", "1 323", "1 234 567"]);
    }

    #[test]
    fn the_span_is_what_there_is_of_it() {
        let covered = |seconds: u64| Summary { covered_ns: seconds * 1_000_000_000, ..Summary::default() };
        let of = |wanted, seconds| span(wanted, Measure::OnCpu, &covered(seconds));
        let of_probe = |seconds| span(StackSpan::Medium, Measure::OffCpu, &covered(seconds));
        assert_eq!([0, 2, 30].map(of_probe), ["from now on", "since 2 s", "last 30 s"]);
        assert_eq!(of(StackSpan::Medium, 300), "last 30 s");
        assert_eq!(of(StackSpan::Medium, 12), "last 12 s");
        assert_eq!(of(StackSpan::All, 250), "all: last 4 min 10 s");
        assert_eq!(of(StackSpan::All, 0), "just started");
        assert_eq!(of(StackSpan::All, 300), "all: last 5 min");
    }

    #[test]
    fn values_stand_in_their_unit() {
        let texts = [Unit::Samples, Unit::Faults, Unit::Ns, Unit::Bytes].map(|unit| amount(unit, 12_345_678, 8));
        assert_eq!(texts, ["12.3M", "12.3M", "12.3ms", "11.8M"]);
        assert_eq!(amount(Unit::Samples, 1_234_567, 9), "1 234 567");
        assert_eq!(
            Measure::ALL.map(|measure| total(measure, 2_000_000, 1)),
            ["1 sample", "2.0ms in 1 wait", "1 fault", "1.9M in 1 allocation", "1.9M in 1 call"]
        );
        assert_eq!(total(Measure::OffCpu, 2_000_000, 0), "2.0ms so far");
        assert_eq!(
            [Unit::Samples, Unit::Faults, Unit::Ns, Unit::Bytes].map(|unit| rate(unit, 1.5e6, 8)),
            ["1500000%", "1.5M/s", "1.5ms/s", "1.4M/s"]
        );
    }

    #[test]
    fn why_stacks_are_cut_is_said_in_words() {
        let summary = Summary { value: 1000, by_quality: [900, 0, 20, 70, 0, 10], ..Summary::default() };
        assert_eq!(cuts(&summary).as_deref(), Some("cut: 7.0 % no unwind table, 2.0 % too deep, 1.0 % JIT"));
        assert_eq!(cuts(&Summary { value: 3, by_quality: [3, 0, 0, 0, 0, 0], ..Summary::default() }), None);
    }
}

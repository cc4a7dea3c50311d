//! The only place that turns numbers into text: never wider than asked, and the same number of decimals for the same magnitude.

/// Shown for exactly nothing.
pub const NOTHING: &str = "·";

const BINARY: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// Bytes in powers of 1024: `512`, `1.2K`, `41.0M`, `812M`. At least 4 wide.
pub fn bytes(value: f64, width: usize) -> String {
    scaled(value, 1024.0, &BINARY, 0, width)
}

/// A count in powers of 1000: `310`, `1.2k`, `48.0k`.
pub fn count(value: f64, width: usize) -> String {
    scaled(value, 1000.0, &DECIMAL, 0, width)
}

/// Events a second; small ones with a decimal: `0.3`, `310`, `1.2k`.
pub fn rate(value: f64, width: usize) -> String {
    scaled(value, 1000.0, &DECIMAL, 1, width)
}

/// Percent with one decimal while it fits: `88.4`, `1600.0`, `12800`.
pub fn percent(value: f64, width: usize) -> String {
    fit([format!("{value:.1}"), format!("{value:.0}")], width).unwrap_or_else(|| count(value, width))
}

/// CPU time like top's TIME+: `0:41.90`, `18:40.02`, then `12h34m`, `41d03h`.
pub fn cpu_time(ns: u64, width: usize) -> String {
    let centis = ns / 10_000_000;
    let (minutes, seconds) = (centis / 6000, centis / 100 % 60);
    if minutes < 100 {
        let exact = format!("{minutes}:{seconds:02}.{:02}", centis % 100);
        return fit([exact, format!("{minutes}:{seconds:02}")], width).unwrap_or_else(|| duration(ns, width));
    }
    duration(ns, width)
}

/// CPU time as a number of cores: `1.87`.
pub fn cores(value: f64) -> String {
    format!("{value:.2}")
}

/// A duration in its two largest units: `870ms`, `12s`, `4m10s`, `3h02m`, `41d03h`.
pub fn duration(ns: u64, width: usize) -> String {
    let ms = ns / 1_000_000;
    let s = ms / 1000;
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    let (long, short) = match () {
        () if s == 0 => (format!("{ms}ms"), format!("{s}s")),
        () if m == 0 => (format!("{s}s"), format!("{s}s")),
        () if h == 0 => (format!("{m}m{:02}s", s % 60), format!("{m}m")),
        () if d == 0 => (format!("{h}h{:02}m", m % 60), format!("{h}h")),
        () => (format!("{d}d{:02}h", h % 24), format!("{d}d")),
    };
    fit([long, short], width).unwrap_or_else(|| overflow(width))
}

/// A microsecond figure: `85us`, `1.2ms`, `340ms`, `2.1s`.
pub fn micros(us: u32, width: usize) -> String {
    let us = f64::from(us);
    let (value, unit) = match us {
        us if us < 1e3 => return fit([format!("{us:.0}us")], width).unwrap_or_else(|| overflow(width)),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let exact = if value < 99.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") };
    fit([exact, format!("{value:.0}{unit}")], width).unwrap_or_else(|| overflow(width))
}

/// An exact number, such as a pid, else an overflow mark: a cut number would be a lie.
pub fn exact(value: i64, width: usize) -> String {
    fit([value.to_string()], width).unwrap_or_else(|| overflow(width))
}

/// Scales by `base`; numbers with a unit show one decimal below 100, others `plain_decimals` below 10.
fn scaled(value: f64, base: f64, units: &[&str; 7], plain_decimals: usize, width: usize) -> String {
    if !value.is_finite() {
        return overflow(width);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let mut scaled = value.abs();
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < units.len() {
        scaled /= base;
        unit += 1;
    }
    let decimals = match unit {
        0 if scaled < 9.95 => plain_decimals,
        0 => 0,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    let text = |decimals: usize| format!("{sign}{scaled:.decimals$}{}", units[unit]);
    fit([text(decimals), text(0)], width).unwrap_or_else(|| overflow(width))
}

/// The first that is narrow enough. All are ASCII.
fn fit<const N: usize>(candidates: [String; N], width: usize) -> Option<String> {
    candidates.into_iter().find(|text| text.len() <= width)
}

/// Stands for a number that has no room.
fn overflow(width: usize) -> String {
    "#".repeat(width.min(3))
}

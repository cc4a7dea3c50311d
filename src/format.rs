//! The only place that turns numbers into text and cuts text to its room: never wider than asked, and the same number of decimals for
//! the same magnitude.

mod cut;

use crate::app::look::Units;
pub use cut::{cells, cut, cut_front, is_plain};

/// Shown for exactly nothing.
pub const NOTHING: &str = "·";

const BINARY: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];

/// Bytes in powers of 1024: `512`, `1.2K`, `41.0M`, `812M`. At least 4 wide.
pub fn bytes(value: f64, width: usize) -> String {
    scaled(value, 1024.0, &BINARY, 0, width)
}

/// Bytes in powers of 1024 or of 1000: `1.2K` or `1.3k`.
pub fn bytes_in(value: f64, width: usize, units: Units) -> String {
    match units {
        Units::Iec => bytes(value, width),
        Units::Si => count(value, width),
    }
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
    // A little less than nothing is nothing: the sum turns -0 into 0.
    format!("{:.2}", (value * 100.0).round() / 100.0 + 0.0)
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

/// A time that was measured, ns: `870us`, `45.1ms`, `12.3s`, then `4m10s`. A negative one is none.
pub fn nanos(ns: f64, width: usize) -> String {
    let (value, unit) = match ns.max(0.0) {
        ns if ns < 999.5e3 => return fit([format!("{:.0}us", ns / 1e3)], width).unwrap_or_else(|| overflow(width)),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns if ns < 100e9 => (ns / 1e9, "s"),
        ns => return duration(ns as u64, width),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_in_powers_of_1024() {
        let text = |v: u64| bytes(v as f64, 5);
        assert_eq!([0, 512, 999, 1000, 1023, 1024].map(text), ["0", "512", "999", "1.0K", "1.0K", "1.0K"]);
        assert_eq!([812 << 20, 41 << 20, 1100 << 20, 16 << 30].map(text), ["812M", "41.0M", "1.1G", "16.0G"]);
        assert_eq!(text(u64::MAX), "16.0E");
        assert_eq!((bytes(-1536.0, 6), bytes((41 << 20) as f64, 4)), ("-1.5K".into(), "41M".into()));
    }

    #[test]
    fn counts_and_rates_in_powers_of_1000() {
        assert_eq!([0.0, 310.0, 999.0, 1200.0, 48_000.0, 999_700.0].map(|v| count(v, 6)), ["0", "310", "999", "1.2k", "48.0k", "1.0M"]);
        assert_eq!([0.3, 9.94, 9.96, 310.0].map(|v| rate(v, 6)), ["0.3", "9.9", "10", "310"]);
    }

    #[test]
    fn percent_drops_the_decimal_before_it_drops_digits() {
        assert_eq!(
            [0.0, 88.44, 100.0, 999.94, 1600.5, 12_800.0].map(|v| percent(v, 5)),
            ["0.0", "88.4", "100.0", "999.9", "1600", "12800"]
        );
        assert_eq!(percent(1_280_000.0, 5), "1.3M");
    }

    #[test]
    fn times() {
        let s = 1_000_000_000;
        let cpu = [0, 41 * s + 900_000_000, 192 * s + 440_000_000, 5999 * s + 999_999_999, 6000 * s, 45_240 * s, 400 * 86_400 * s];
        assert_eq!(cpu.map(|ns| cpu_time(ns, 9)), ["0:00.00", "0:41.90", "3:12.44", "99:59.99", "1h40m", "12h34m", "400d00h"]);
        let wall = [0, 870_000_000, 12 * s, 250 * s, 10_920 * s, (41 * 24 + 3) * 3600 * s];
        assert_eq!(wall.map(|ns| duration(ns, 6)), ["0ms", "870ms", "12s", "4m10s", "3h02m", "41d03h"]);
        assert_eq!((duration(1234 * 86_400 * s, 6), cpu_time(6 * s, 4)), ("1234d".into(), "0:06".into()));
    }

    #[test]
    fn round_trips() {
        assert_eq!(
            [0, 85, 999, 1200, 99_960, 340_000, 2_100_000].map(|us| micros(us, 6)),
            ["0us", "85us", "999us", "1.2ms", "100ms", "340ms", "2.1s"]
        );
    }

    #[test]
    fn measured_times() {
        let times = [0.0, 870e3, 999.6e3, 45.13e6, 999.6e6, 12.34e9, 99.96e9, 250e9, -1.0];
        let texts = ["0us", "870us", "1.0ms", "45.1ms", "1.0s", "12.3s", "100s", "4m10s", "0us"];
        assert_eq!(times.map(|ns| nanos(ns, 7)), texts);
    }

    #[test]
    fn what_has_no_room_is_marked_not_cut() {
        assert_eq!((exact(4_194_304, 7), exact(4_194_304, 5)), ("4194304".into(), "###".into()));
        assert_eq!((bytes(f64::NAN, 5), bytes(1e30, 5)), ("###".into(), "###".into()));
    }

    /// Reads a scaled number back.
    fn read(text: &str, base: f64) -> f64 {
        let (number, power) = match text.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) => (&text[..at], "KMGTPE".find(text[at..].to_ascii_uppercase().as_str()).map_or(0, |p| p as i32 + 1)),
            None => (text, 0),
        };
        number.parse::<f64>().expect("a number") * base.powi(power)
    }

    proptest! {
        #[test]
        fn never_wider_than_asked(value in any::<f64>(), ns in any::<u64>(), us in any::<u32>(), width in 0usize..12) {
            let all = [bytes(value, width), count(value, width), rate(value, width), percent(value, width), cpu_time(ns, width),
                duration(ns, width), micros(us, width), exact(ns as i64, width), nanos(value, width), nanos(ns as f64, width)];
            for text in all {
                prop_assert!(text.len() <= width, "{text:?} in {width}");
            }
        }

        /// Within half of the last digit shown, so within 5 % (`1.0` stands for 0.95–1.05).
        #[test]
        fn close_to_the_truth(value in 0.0..1e18f64) {
            prop_assert!((read(&bytes(value, 6), 1024.0) - value).abs() <= (0.051 * value).max(0.5), "{} {}", value, bytes(value, 6));
            prop_assert!((read(&count(value, 6), 1000.0) - value).abs() <= (0.051 * value).max(0.5), "{} {}", value, count(value, 6));
        }

        /// A larger number never shows as a smaller one.
        #[test]
        fn order_survives(a in 0.0..1e15f64, factor in 1.0..3.0f64) {
            let b = a * factor;
            prop_assert!(read(&bytes(a, 6), 1024.0) <= read(&bytes(b, 6), 1024.0));
            prop_assert!(read(&count(a, 6), 1000.0) <= read(&count(b, 6), 1000.0));
        }
    }
}

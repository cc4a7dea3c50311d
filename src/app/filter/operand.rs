//! What a column is compared with, and how.

use regex::{Regex, RegexBuilder};

use crate::app::column::{Kind, Value};

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Order {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Order::Less => "<",
            Order::LessOrEqual => "<=",
            Order::Greater => ">",
            Order::GreaterOrEqual => ">=",
            Order::Equal => "=",
            Order::NotEqual => "!=",
        }
    }

    pub(super) fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Order::Less => a < b,
            Order::LessOrEqual => a <= b,
            Order::Greater => a > b,
            Order::GreaterOrEqual => a >= b,
            Order::Equal => a == b,
            Order::NotEqual => a != b,
        }
    }
}

/// How words are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Likeness {
    /// Is part of it; of `*` in a pattern, all of it.
    Contains,
    /// Is all of it.
    Equals,
    /// Is anything but it.
    Differs,
    /// A regular expression that matches somewhere.
    Matches,
}

impl Likeness {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Likeness::Contains => ":",
            Likeness::Equals => "=",
            Likeness::Differs => "!=",
            Likeness::Matches => "~",
        }
    }
}

/// Words to look for, compiled.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) likeness: Likeness,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        (&self.text, self.likeness) == (&other.text, other.likeness)
    }
}

impl Pattern {
    /// Compiles; fails only for a bad or huge regular expression.
    pub(super) fn new(text: &str, likeness: Likeness) -> Result<Pattern, regex::Error> {
        let literal = regex::escape(text);
        let source = match likeness {
            Likeness::Contains if text.contains('*') => format!("^{}$", literal.replace("\\*", ".*")),
            Likeness::Contains => literal,
            Likeness::Equals | Likeness::Differs => format!("^{literal}$"),
            Likeness::Matches => text.to_string(),
        };
        let any_case = !text.chars().any(char::is_uppercase);
        let regex = RegexBuilder::new(&source).case_insensitive(any_case).size_limit(1 << 20).build()?;
        Ok(Pattern { text: text.to_string(), likeness, regex })
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// A number as typed, with its unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) text: String,
    value: f64,
    unit: Unit,
}

/// What follows a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    None,
    Percent,
    /// k, M, G …: a power of 1024 of bytes, of 1000 of all else.
    Power(i32),
    /// Exactly so many bytes.
    Times(f64),
    Nanoseconds(f64),
}

impl Unit {
    /// It can stand behind what such a column holds.
    fn is_of(self, kind: Kind) -> bool {
        match self {
            Unit::None => true,
            Unit::Percent => kind == Kind::Percent,
            Unit::Power(_) => matches!(kind, Kind::Bytes | Kind::Count),
            Unit::Times(_) => kind == Kind::Bytes,
            Unit::Nanoseconds(_) => kind == Kind::Time,
        }
    }
}

/// Why a text is nothing to compare a column with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NoNumber {
    /// It is no number, or what follows is no unit.
    Unreadable,
    /// The unit is of something else.
    OfOther,
}

impl Number {
    /// A number for columns, one at least of which can have its unit. `10m` of bytes is read, and written, as `10M`: only times have minutes.
    pub(super) fn parse(text: &str, kinds: &[Kind]) -> Result<Number, NoNumber> {
        let digits = text.trim_start_matches('-');
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len()) + text.len() - digits.len();
        let (number, suffix) = text.split_at(end);
        let suffix = if suffix == "m" && !kinds.contains(&Kind::Time) { "M" } else { suffix };
        let unit = match suffix {
            "" => Unit::None,
            "%" => Unit::Percent,
            "ns" => Unit::Nanoseconds(1.0),
            "us" => Unit::Nanoseconds(1e3),
            "ms" => Unit::Nanoseconds(1e6),
            "s" => Unit::Nanoseconds(1e9),
            "m" | "min" => Unit::Nanoseconds(60e9),
            "h" => Unit::Nanoseconds(3600e9),
            "d" => Unit::Nanoseconds(86_400e9),
            "B" => Unit::Times(1.0),
            _ => power(suffix).ok_or(NoNumber::Unreadable)?,
        };
        let value = number.parse().map_err(|_| NoNumber::Unreadable)?;
        let fits = kinds.iter().any(|kind| unit.is_of(*kind));
        fits.then(|| Number { text: format!("{number}{suffix}"), value, unit }).ok_or(NoNumber::OfOther)
    }

    /// In the base unit of `like`; a bare time is in seconds (round trips: milliseconds).
    pub(super) fn in_units_of(&self, like: &Value<'_>) -> Option<f64> {
        let bytes = matches!(like, Value::Bytes(_) | Value::BytesPerSec(_));
        let ns_per_unit = match like {
            Value::Micros(_) => Some(1e3),
            Value::CpuTime(_) | Value::Duration(_) => Some(1.0),
            _ => None,
        };
        match (self.unit, ns_per_unit) {
            (Unit::Nanoseconds(ns), Some(per)) => Some(self.value * ns / per),
            (Unit::None, Some(1.0)) => Some(self.value * 1e9),
            (Unit::None, Some(_)) => Some(self.value * 1e3),
            (Unit::None | Unit::Percent, None) => Some(self.value),
            (Unit::Power(power), None) => Some(self.value * if bytes { 1024f64 } else { 1000f64 }.powi(power)),
            (Unit::Times(times), None) => Some(self.value * times),
            (Unit::Nanoseconds(_), None) | (Unit::Percent | Unit::Power(_) | Unit::Times(_), Some(_)) => None,
        }
    }
}

/// `k`, `MiB`, `GB`.
fn power(unit: &str) -> Option<Unit> {
    let first = unit.chars().next()?;
    let power = "KMGTPE".find(first.to_ascii_uppercase())? as i32 + 1;
    match unit.get(1..)? {
        "" => Some(Unit::Power(power)),
        "iB" | "i" => Some(Unit::Times(1024f64.powi(power))),
        "B" => Some(Unit::Times(1000f64.powi(power))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_what_a_column_holds() {
        let of = |text, kind| Number::parse(text, &[kind]).map(|number| number.text);
        for (kind, good, bad) in [
            (Kind::Bytes, &["5", "5k", "5M", "5KiB", "5GB", "5B", "-1.5G"][..], &["5%", "5s", "5h", "5min", "5ms"][..]),
            (Kind::Count, &["5", "5k", "5M"], &["5%", "5s", "5B", "5MiB", "5d"]),
            (Kind::Percent, &["5", "5%", "0.5%"], &["5s", "5k", "5m", "5B"]),
            (Kind::Time, &["5", "5ns", "5us", "5ms", "5s", "5m", "5min", "5h", "5d"], &["5%", "5k", "5M", "5B"]),
        ] {
            good.iter().for_each(|text| assert_eq!(of(text, kind).as_deref(), Ok(*text), "{kind:?}"));
            bad.iter().for_each(|text| assert_eq!(of(text, kind), Err(NoNumber::OfOther), "{kind:?} {text}"));
        }
        assert_eq!([Kind::Bytes, Kind::Count].map(|kind| of("5m", kind)), ["5M"; 2].map(|text| Ok(text.into())));
        assert_eq!(
            ["5x", "", "M", "1.2.3", "--1", "5é", "5mm"].map(|text| of(text, Kind::Bytes)),
            [const { Err(NoNumber::Unreadable) }; 7]
        );
        let either = |text| Number::parse(text, &[Kind::Bytes, Kind::Time]).map(|number| number.unit);
        assert_eq!([either("1m"), either("1M"), either("1%")], [Ok(Unit::Nanoseconds(60e9)), Ok(Unit::Power(2)), Err(NoNumber::OfOther)]);
    }
}

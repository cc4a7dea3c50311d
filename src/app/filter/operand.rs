//! What a column is compared with, and how.

use regex::{Regex, RegexBuilder};

use crate::app::column::Value;

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
    /// k, M, G …: a power of 1024 of bytes, of 1000 of all else.
    Power(i32),
    /// Exactly so many.
    Times(f64),
    Nanoseconds(f64),
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Number> {
        let digits = text.trim_start_matches('-');
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len()) + text.len() - digits.len();
        let (number, unit) = text.split_at(end);
        let unit = match unit {
            "" | "%" => Unit::None,
            "ns" => Unit::Nanoseconds(1.0),
            "us" => Unit::Nanoseconds(1e3),
            "ms" => Unit::Nanoseconds(1e6),
            "s" => Unit::Nanoseconds(1e9),
            "m" | "min" => Unit::Nanoseconds(60e9),
            "h" => Unit::Nanoseconds(3600e9),
            "d" => Unit::Nanoseconds(86_400e9),
            "B" => Unit::Times(1.0),
            _ => power(unit)?,
        };
        let value = number.parse().ok()?;
        Some(Number { text: text.to_string(), value, unit })
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
            (Unit::None, None) => Some(self.value),
            (Unit::Power(power), None) => Some(self.value * if bytes { 1024f64 } else { 1000f64 }.powi(power)),
            (Unit::Times(times), None) => Some(self.value * times),
            (Unit::Nanoseconds(_), None) | (Unit::Power(_) | Unit::Times(_), Some(_)) => None,
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

//! One condition of a filter, and what it can be asked of.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::app::column::{Align, Column, Columns, RowView, SocketColumn, SocketView, Value};

/// What a condition is checked against: a line of a table.
pub(super) trait Subject {
    /// A bare word is found.
    fn has_text(&self, pattern: &Pattern) -> bool;
    /// The pattern is found in the command line or the name of the process.
    fn has_name(&self, pattern: &Pattern) -> bool;
    /// The value of a column; [`Value::Unknown`] where the table has no such column.
    fn value(&self, key: Key) -> Value<'_>;
    /// Local and remote port, of a socket.
    fn ports(&self) -> Option<[u16; 2]>;
    fn is_exited(&self) -> bool;
    fn is_kernel_thread(&self) -> bool;
}

impl Subject for RowView<'_> {
    fn has_text(&self, pattern: &Pattern) -> bool {
        self.has_name(pattern)
    }

    fn has_name(&self, pattern: &Pattern) -> bool {
        pattern.is_in(&self.command()) || self.task().is_some_and(|t| pattern.is_in(&t.comm.to_string()))
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.process.map_or(Value::Unknown, |c| c.value(self))
    }

    fn ports(&self) -> Option<[u16; 2]> {
        None
    }

    fn is_exited(&self) -> bool {
        RowView::is_exited(self)
    }

    fn is_kernel_thread(&self) -> bool {
        RowView::is_kernel_thread(self)
    }
}

impl Subject for SocketView<'_> {
    fn has_text(&self, pattern: &Pattern) -> bool {
        let finds = |column: SocketColumn| matches!(column.value(self), Value::Text(text) if pattern.is_in(&text));
        finds(SocketColumn::Local) || finds(SocketColumn::Remote) || self.has_name(pattern)
    }

    fn has_name(&self, pattern: &Pattern) -> bool {
        matches!(self.command(), Value::Text(text) if pattern.is_in(&text)) || self.task.is_some_and(|t| pattern.is_in(&t.comm.to_string()))
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.socket.map_or(Value::Unknown, |c| c.value(self))
    }

    fn ports(&self) -> Option<[u16; 2]> {
        Some([self.socket.local.port(), self.socket.remote.port()])
    }

    fn is_exited(&self) -> bool {
        self.socket.closed
    }

    fn is_kernel_thread(&self) -> bool {
        self.task.is_some_and(|t| t.kernel_thread)
    }
}

/// A column by name: of processes, of sockets or of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    process: Option<Column>,
    socket: Option<SocketColumn>,
}

impl Key {
    pub(super) fn named(name: &str) -> Option<Key> {
        let key = Key { process: Column::named(name), socket: SocketColumn::named(name) };
        (key.process.is_some() || key.socket.is_some()).then_some(key)
    }

    pub(super) fn is_number(self) -> bool {
        self.spec().0 == Align::Right
    }

    fn is_command(self) -> bool {
        self.process == Some(Column::Command)
    }

    fn spec(self) -> (Align, &'static str) {
        let spec = self.process.map(Columns::spec).or(self.socket.map(Columns::spec));
        spec.map_or((Align::Left, ""), |s| (s.align, s.name))
    }

    /// Its name on screen.
    pub(super) fn name(self) -> &'static str {
        self.spec().1
    }
}

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

    fn holds(self, a: f64, b: f64) -> bool {
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
    fn sign(self) -> &'static str {
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
    text: String,
    likeness: Likeness,
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

    fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// A number as typed, with its unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    text: String,
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
    fn in_units_of(&self, like: &Value<'_>) -> Option<f64> {
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

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// A bare word.
    Text(Pattern),
    /// A column of numbers against a number.
    Number(Key, Order, Number),
    /// A column of words against words.
    Words(Key, Pattern),
    /// Either port of a socket.
    Port(u16),
    Exited,
    KernelThread,
}

impl Term {
    pub(super) fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Term::Text(pattern) => subject.has_text(pattern),
            Term::Words(key, pattern) => match subject.value(*key) {
                Value::Unknown => false,
                _ if key.is_command() && subject.has_name(pattern) => pattern.likeness != Likeness::Differs,
                Value::Text(text) => pattern.is_in(&text) != (pattern.likeness == Likeness::Differs),
                _ => false,
            },
            Term::Number(key, order, number) => {
                let value = subject.value(*key);
                value.number().zip(number.in_units_of(&value)).is_some_and(|(a, b)| order.holds(a, b))
            }
            Term::Port(port) => subject.ports().is_some_and(|ports| ports.contains(port)),
            Term::Exited => subject.is_exited(),
            Term::KernelThread => subject.is_kernel_thread(),
        }
    }

    pub(super) fn needs_details(&self) -> bool {
        matches!(self, Term::Text(_) | Term::Words(..))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Text(pattern) => write_word(f, &pattern.text),
            Term::Number(key, order, number) => write!(f, "{}{}{}", key.name(), order.sign(), number.text),
            Term::Words(key, pattern) => {
                write!(f, "{}{}", key.name(), pattern.likeness.sign())?;
                write_word(f, &pattern.text)
            }
            Term::Port(port) => write!(f, "port={port}"),
            Term::Exited => f.write_str("exited"),
            Term::KernelThread => f.write_str("kthread"),
        }
    }
}

/// Words that mean something else when they stand bare.
pub(super) const KEYWORDS: [&str; 5] = ["and", "or", "not", "exited", "kthread"];

/// Writes a word bare where it reads back as itself, else quoted.
fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || "-_./@*".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !KEYWORDS.contains(&word) {
        return f.write_str(word);
    }
    f.write_str("\"")?;
    for c in word.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

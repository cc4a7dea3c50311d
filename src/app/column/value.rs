//! What a column reads off a row, with its unit: the one source of a cell's text, of order and of filters.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::app::look::Units;
use crate::format;

/// How a cell should catch the eye.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Plain.
    #[default]
    Normal,
    /// Nothing, or next to it.
    Dim,
    /// Uses a core or more.
    Hot,
}

/// Text for one place of a table. Without padding: the table aligns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Fit for a terminal; blank when unknown.
    pub text: String,
    /// Emphasis.
    pub tone: Tone,
}

/// A value in its unit, or [`Value::Unknown`].
pub(super) fn known<'a, T>(value: Option<T>, unit: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::Unknown, unit)
}

/// Bytes, or [`Value::Unknown`].
pub(super) fn bytes(value: Option<u64>) -> Value<'static> {
    known(value, |v| Value::Bytes(v as f64))
}

/// A value with its unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Could not be learnt, or has no meaning for this row.
    Unknown,
    /// Words, fit for a terminal.
    Text(Cow<'a, str>),
    /// A number that is a name or a position: never shortened.
    Exact(i64),
    /// Percent.
    Percent(f64),
    /// Bytes.
    Bytes(f64),
    /// Bytes a second; negative when shrinking.
    BytesPerSec(f64),
    /// How many.
    Count(f64),
    /// Events a second.
    PerSec(f64),
    /// On-CPU time, ns.
    CpuTime(u64),
    /// Wall time, ns.
    Duration(u64),
    /// A round-trip time, µs.
    Micros(u32),
    /// A process as ebtop's pid namespace and its own know it; counts as the latter.
    Pids(u32, u32),
}

impl Value<'_> {
    /// The number in base units (bytes, percent, ns, µs, count); `None` for words and the unknown.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Value::Unknown | Value::Text(_) => None,
            Value::Exact(v) => Some(v as f64),
            Value::Percent(v) | Value::Bytes(v) | Value::BytesPerSec(v) | Value::Count(v) | Value::PerSec(v) => Some(v),
            Value::CpuTime(v) | Value::Duration(v) => Some(v as f64),
            Value::Micros(v) | Value::Pids(_, v) => Some(f64::from(v)),
        }
    }

    /// Both together where such values add up (rates, bytes, times, shares); else this one. Nothing known adds nothing.
    #[must_use]
    pub fn plus(&self, other: &Value<'_>) -> Self {
        match (self, other) {
            (Value::Percent(a), Value::Percent(b)) => Value::Percent(a + b),
            (Value::Bytes(a), Value::Bytes(b)) => Value::Bytes(a + b),
            (Value::BytesPerSec(a), Value::BytesPerSec(b)) => Value::BytesPerSec(a + b),
            (Value::Count(a), Value::Count(b)) => Value::Count(a + b),
            (Value::PerSec(a), Value::PerSec(b)) => Value::PerSec(a + b),
            (Value::CpuTime(a), Value::CpuTime(b)) => Value::CpuTime(a.saturating_add(*b)),
            (Value::Unknown, Value::Percent(b)) => Value::Percent(*b),
            (Value::Unknown, Value::Bytes(b)) => Value::Bytes(*b),
            (Value::Unknown, Value::BytesPerSec(b)) => Value::BytesPerSec(*b),
            (Value::Unknown, Value::Count(b)) => Value::Count(*b),
            (Value::Unknown, Value::PerSec(b)) => Value::PerSec(*b),
            (Value::Unknown, Value::CpuTime(b)) => Value::CpuTime(*b),
            _ => self.clone(),
        }
    }

    /// Text for a column that wide; words are left whole, to be cut by who knows the width of characters.
    pub fn cell(&self, width: usize) -> Cell {
        self.cell_in(width, Units::Iec)
    }

    /// The same with bytes counted in other units.
    pub fn cell_in(&self, width: usize, units: Units) -> Cell {
        let text = match *self {
            Value::Unknown => String::new(),
            Value::Text(ref words) => words.to_string(),
            Value::Exact(v) => format::exact(v, width),
            Value::Percent(v) => format::percent(v, width),
            Value::Bytes(v) | Value::BytesPerSec(v) | Value::Count(v) | Value::PerSec(v) if v == 0.0 => format::NOTHING.into(),
            Value::Bytes(v) | Value::BytesPerSec(v) => format::bytes_in(v, width, units),
            Value::Count(v) => format::count(v, width),
            Value::PerSec(v) => format::rate(v, width),
            Value::CpuTime(v) => format::cpu_time(v, width),
            Value::Duration(v) => format::duration(v, width),
            Value::Micros(v) => format::micros(v, width),
            Value::Pids(outer, inner) => format!("{outer}/{inner}"),
        };
        Cell { text, tone: self.tone() }
    }

    fn tone(&self) -> Tone {
        match *self {
            Value::Percent(v) if v >= 100.0 => Tone::Hot,
            Value::Percent(v) if v < 0.05 => Tone::Dim,
            Value::Bytes(0.0) | Value::BytesPerSec(0.0) | Value::Count(0.0) | Value::PerSec(0.0) | Value::CpuTime(0) => Tone::Dim,
            _ => Tone::Normal,
        }
    }

    /// A number to sort by, ascending under `total_cmp`; what has none comes last.
    pub(super) fn rank(&self, descending: bool) -> f64 {
        match self.number() {
            Some(number) if descending => -number,
            Some(number) => number,
            None => f64::NAN,
        }
    }

    /// Order of two values of one column; the unknown comes last whichever way it is sorted.
    pub fn compare(&self, other: &Value<'_>, descending: bool) -> Ordering {
        let turn = |order: Ordering| if descending { order.reverse() } else { order };
        match (self, other) {
            (Value::Unknown, Value::Unknown) => Ordering::Equal,
            (Value::Unknown, _) => Ordering::Greater,
            (_, Value::Unknown) => Ordering::Less,
            (Value::Text(a), Value::Text(b)) => turn(a.cmp(b)),
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => turn(a.total_cmp(&b)),
                (a, b) => turn(a.is_some().cmp(&b.is_some())),
            },
        }
    }
}

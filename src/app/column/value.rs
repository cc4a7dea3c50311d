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

/// Cells of a row's graph.
pub const SPARK_CELLS: usize = 10;

/// The graph of a row: eighths of each cell, the newest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spark(pub [u8; SPARK_CELLS]);

impl Spark {
    fn text(self) -> String {
        const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        self.0.iter().map(|level| BLOCKS[usize::from(*level).min(8)]).collect()
    }
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
    /// The same, where it counts as the former and the latter gets what room there is.
    PidWithin(u32, u32),
    /// What the row did over the last ticks.
    Spark(Spark),
}

impl Value<'_> {
    /// The number in base units (bytes, percent, ns, µs, count); `None` for words and the unknown.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Value::Unknown | Value::Text(_) | Value::Spark(_) => None,
            Value::Exact(v) => Some(v as f64),
            Value::Percent(v) | Value::Bytes(v) | Value::BytesPerSec(v) | Value::Count(v) | Value::PerSec(v) => Some(v),
            Value::CpuTime(v) | Value::Duration(v) => Some(v as f64),
            Value::Micros(v) | Value::Pids(_, v) | Value::PidWithin(v, _) => Some(f64::from(v)),
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

    /// The same on its own.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(words) => Value::Text(Cow::Owned(words.into_owned())),
            Value::Unknown => Value::Unknown,
            Value::Exact(v) => Value::Exact(v),
            Value::Percent(v) => Value::Percent(v),
            Value::Bytes(v) => Value::Bytes(v),
            Value::BytesPerSec(v) => Value::BytesPerSec(v),
            Value::Count(v) => Value::Count(v),
            Value::PerSec(v) => Value::PerSec(v),
            Value::CpuTime(v) => Value::CpuTime(v),
            Value::Duration(v) => Value::Duration(v),
            Value::Micros(v) => Value::Micros(v),
            Value::Pids(outer, inner) => Value::Pids(outer, inner),
            Value::PidWithin(outer, inner) => Value::PidWithin(outer, inner),
            Value::Spark(v) => Value::Spark(v),
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
            Value::PidWithin(outer, inner) => pid_within(outer, inner, width),
            Value::Spark(spark) => spark.text(),
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

/// `4112/7`, `150037/…`, `1500371/`: never the one without a sign that there is another, where there is room for that.
fn pid_within(outer: u32, inner: u32, width: usize) -> String {
    let forms = [format!("{outer}/{inner}"), format!("{outer}/…"), format!("{outer}/")];
    forms.into_iter().find(|text| text.chars().count() <= width).unwrap_or_else(|| outer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_of_another_namespace_is_marked_as_far_as_there_is_room() {
        let at = |width| [(4112, 7), (15_003, 12), (150_037, 12), (1_500_371, 12)].map(|(o, i)| Value::PidWithin(o, i).cell(width).text);
        assert_eq!(at(7), ["4112/7", "15003/…", "150037/", "1500371"]);
        assert_eq!(at(15), ["4112/7", "15003/12", "150037/12", "1500371/12"]);
        assert_eq!(Value::PidWithin(4112, 7).number(), Some(4112.0), "sorted as the machine knows it");
    }
}

//! The protobuf of pprof (profile.proto of github.com/google/pprof), gzipped, as `go tool pprof` and most profile stores read it.
//!
//! Two values a sample: how often, and how much. Labels: `pid`, `tid`, `comm`, `thread`, `container`, and where they say something
//! `reason` (of time off the CPU, faults or bytes) and `stack` (why it is not whole).

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use prost::Message;
use rustc_hash::FxHashMap;

use super::profile::{Profile, ProfileStack, name};
use crate::model::stacks::{Measure, part_of, remark_on};
use crate::sample::printable;
use crate::symbols::Frame;

/// In the header of the file, which readers skip: by it an earlier profile is told from other files.
const MARK: &str = "ebtop profile";

#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
    #[prost(int64, tag = "3")]
    number: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// Each thing once, by number from 1.
#[derive(Default)]
struct Tables {
    texts: FxHashMap<String, i64>,
    mappings: FxHashMap<i64, u64>,
    functions: FxHashMap<(i64, i64), u64>,
    locations: FxHashMap<(u64, u64, u64, i64), u64>,
    proto: Proto,
}

impl Tables {
    fn text(&mut self, text: &str) -> i64 {
        if let Some(&number) = self.texts.get(text) {
            return number;
        }
        let number = self.proto.string_table.len() as i64;
        self.proto.string_table.push(text.to_owned());
        self.texts.insert(text.to_owned(), number);
        number
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> ValueType {
        ValueType { kind: self.text(kind), unit: self.text(unit) }
    }

    fn mapping(&mut self, module: &str) -> u64 {
        let filename = self.text(&printable(module.as_bytes()));
        let next = self.mappings.len() as u64 + 1;
        *self.mappings.entry(filename).or_insert_with(|| {
            // Names are as good as they will get: nobody is to look them up again.
            let known = (true, true, true, true);
            let (has_functions, has_filenames, has_line_numbers, has_inline_frames) = known;
            self.proto.mapping.push(Mapping { id: next, filename, has_functions, has_filenames, has_line_numbers, has_inline_frames });
            next
        })
    }

    fn function(&mut self, frame: &Frame) -> u64 {
        let file = frame.source.as_ref().map_or(String::new(), |(file, _)| printable(file.as_bytes()));
        let (name, filename) = (self.text(&name(frame)), self.text(&file));
        let next = self.functions.len() as u64 + 1;
        *self.functions.entry((name, filename)).or_insert_with(|| {
            self.proto.function.push(Function { id: next, name, system_name: name, filename });
            next
        })
    }

    fn location(&mut self, frame: &Frame) -> u64 {
        let (mapping_id, function_id) = (self.mapping(&frame.module), self.function(frame));
        let line = frame.source.as_ref().map_or(0, |&(_, line)| i64::from(line));
        let next = self.locations.len() as u64 + 1;
        *self.locations.entry((mapping_id, frame.offset, function_id, line)).or_insert_with(|| {
            let line = vec![Line { function_id, line }];
            self.proto.location.push(Location { id: next, mapping_id, address: frame.offset, line });
            next
        })
    }

    fn labels(&mut self, stack: &ProfileStack) -> Vec<Label> {
        let texts = [
            ("comm", Some(stack.process.as_str())),
            ("thread", Some(stack.thread.as_str())),
            ("container", stack.container.as_deref()),
            ("reason", part_of(stack.weight)),
            ("stack", remark_on(stack.quality)),
        ];
        let numbers = [("pid", stack.key.pid), ("tid", stack.tid)];
        let mut labels: Vec<Label> =
            numbers.map(|(key, number)| Label { key: self.text(key), text: 0, number: number.into() }).into_iter().collect();
        for (key, text) in texts {
            if let Some(text) = text {
                labels.push(Label { key: self.text(key), text: self.text(text), number: 0 });
            }
        }
        labels
    }
}

/// Names and units of the two values.
fn values(measure: Measure) -> [(&'static str, &'static str); 2] {
    match measure {
        Measure::OnCpu => [("samples", "count"), ("cpu", "nanoseconds")],
        Measure::OffCpu => [("events", "count"), ("off_cpu", "nanoseconds")],
        Measure::Faults => [("events", "count"), ("faults", "count")],
        Measure::Allocs => [("allocations", "count"), ("alloc_space", "bytes")],
        Measure::Net => [("calls", "count"), ("network", "bytes")],
    }
}

/// The profile as a gzipped protobuf.
///
/// # Errors
/// None that is known: memory takes what is written.
pub fn bytes(profile: &Profile) -> io::Result<Vec<u8>> {
    let mut tables = Tables::default();
    tables.text("");
    let types = values(profile.measure).map(|(kind, unit)| tables.value_type(kind, unit));
    tables.proto.default_sample_type = types[1].kind;
    if profile.hz > 0 {
        tables.proto.period_type = Some(types[1].clone());
        tables.proto.period = 1_000_000_000 / i64::from(profile.hz);
    }
    tables.proto.sample_type = types.into();
    tables.proto.time_nanos = signed(profile.began_unix_ms.saturating_mul(1_000_000));
    tables.proto.duration_nanos = signed(profile.duration_ns);
    let comment = tables.text(&format!("ebtop {}: {}", env!("CARGO_PKG_VERSION"), profile.title));
    tables.proto.comment = vec![comment];
    for stack in &profile.stacks {
        let location_id = stack.frames.iter().rev().map(|frame| tables.location(frame)).collect();
        let label = tables.labels(stack);
        let value = vec![signed(stack.count), signed(profile.weight_of(stack))];
        tables.proto.sample.push(Sample { location_id, value, label });
    }
    let mut gzip = GzBuilder::new().comment(MARK).write(Vec::new(), Compression::default());
    gzip.write_all(&tables.proto.encode_to_vec())?;
    gzip.finish()
}

/// Whether a file that begins so was written by [`bytes`].
pub fn is_ours(head: &[u8]) -> bool {
    // RFC 1952: two bytes of identification, deflate, the flag of a comment, time, extra flags, system; then the comment.
    let (fixed, comment) = head.split_at(head.len().min(10));
    fixed.starts_with(&[0x1f, 0x8b, 8, 16]) && comment.strip_prefix(MARK.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

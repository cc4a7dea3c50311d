//! The output read back by a decoder of its own: field numbers as in profile.proto, not as in the structs that wrote it.

use std::io::Read;

use super::super::profile::tests::{profile, stack};
use super::*;
use crate::sample::Weight;

/// A field: its number, and a number or bytes.
#[derive(Clone, Debug)]
enum Field {
    Number(u64, u64),
    Bytes(u64, Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return number;
        }
    }
    unreachable!()
}

fn fields(mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        match tag & 7 {
            0 => fields.push(Field::Number(tag >> 3, varint(&mut bytes))),
            2 => {
                let len = varint(&mut bytes) as usize;
                fields.push(Field::Bytes(tag >> 3, bytes[..len].to_vec()));
                bytes = &bytes[len..];
            }
            other => panic!("wire type {other}"),
        }
    }
    fields
}

fn messages(fields: &[Field], number: u64) -> Vec<Vec<Field>> {
    bytes_of(fields, number).iter().map(|bytes| self::fields(bytes)).collect()
}

fn bytes_of(fields: &[Field], number: u64) -> Vec<Vec<u8>> {
    fields.iter().filter_map(|f| if let Field::Bytes(n, bytes) = f { (*n == number).then(|| bytes.clone()) } else { None }).collect()
}

fn number(fields: &[Field], number: u64) -> u64 {
    fields.iter().find_map(|f| if let Field::Number(n, value) = f { (*n == number).then_some(*value) } else { None }).unwrap_or(0)
}

fn packed(fields: &[Field], number: u64) -> Vec<u64> {
    let all: Vec<u8> = bytes_of(fields, number).concat();
    let mut rest = all.as_slice();
    std::iter::from_fn(|| (!rest.is_empty()).then(|| varint(&mut rest))).collect()
}

/// Functions, values and labels of a sample.
type Taken<'a> = (Vec<&'a str>, Vec<u64>, Vec<(&'a str, String)>);

struct ReadBack {
    fields: Vec<Field>,
    texts: Vec<String>,
}

impl ReadBack {
    fn of(profile: &Profile) -> ReadBack {
        let mut raw = Vec::new();
        flate2::read::GzDecoder::new(bytes(profile).unwrap().as_slice()).read_to_end(&mut raw).unwrap();
        let fields = fields(&raw);
        let texts = bytes_of(&fields, 6).into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
        ReadBack { fields, texts }
    }

    fn text(&self, number: u64) -> &str {
        &self.texts[number as usize]
    }

    fn types(&self) -> Vec<(&str, &str)> {
        messages(&self.fields, 1).iter().map(|t| (self.text(number(t, 1)), self.text(number(t, 2)))).collect()
    }

    /// Functions of each sample, innermost first, with its values and labels.
    fn samples(&self) -> Vec<Taken<'_>> {
        let by_id = |number_of_list| {
            let list = messages(&self.fields, number_of_list);
            move |id: u64| list.iter().find(|entry| number(entry, 1) == id).cloned().unwrap()
        };
        let (location, function) = (by_id(4), by_id(5));
        let sample = |sample: &Vec<Field>| {
            let ids = packed(sample, 1);
            let lines = ids.iter().flat_map(|&id| messages(&location(id), 4));
            let names = lines.map(|line| self.text(number(&function(number(&line, 1)), 2))).collect();
            let label = |label: &Vec<Field>| {
                let text = self.text(number(label, 2));
                let value = if text.is_empty() { number(label, 3).to_string() } else { text.to_owned() };
                (self.text(number(label, 1)), value)
            };
            (names, packed(sample, 2), messages(sample, 3).iter().map(label).collect())
        };
        messages(&self.fields, 2).iter().map(sample).collect()
    }
}

#[test]
fn samples_come_back_with_names_values_and_labels() {
    let mut stacks = vec![stack(&["main", "b"], 2), stack(&["main"], 1)];
    stacks[1].container = Some("0123456789ab".into());
    let read = ReadBack::of(&profile(stacks));
    assert_eq!(read.text(0), "");
    assert_eq!(read.types(), [("samples", "count"), ("cpu", "nanoseconds")]);
    let samples = read.samples();
    assert_eq!((&samples[0].0[..], &samples[0].1[..]), (&["b", "main"][..], &[2, 20_000_000][..]), "at 100 Hz a sample is 10 ms");
    let label = |(key, value): (&'static str, &str)| (key, value.to_owned());
    let known = [("pid", "7"), ("tid", "8"), ("comm", "app"), ("thread", "worker")].map(label);
    assert_eq!(samples[0].2, known);
    assert_eq!(samples[1].2, [&known[..], &[label(("container", "0123456789ab"))]].concat());
    assert_eq!((number(&read.fields, 9), number(&read.fields, 10)), (1_750_000_000_123_000_000, 5_000_000_000));
    assert_eq!((number(&read.fields, 12), read.text(number(&read.fields, 14))), (10_000_000, "cpu"));
}

#[test]
fn every_id_is_defined_once() {
    let read = ReadBack::of(&profile(vec![stack(&["a", "b", "a", "b"], 1), stack(&["b"], 1)]));
    for list in [3, 4, 5] {
        let ids: Vec<u64> = messages(&read.fields, list).iter().map(|entry| number(entry, 1)).collect();
        assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    }
    assert_eq!(messages(&read.fields, 5).len(), 2, "functions");
    assert_eq!(messages(&read.fields, 3).len(), 1, "modules");
    assert!(messages(&read.fields, 4).iter().all(|location| number(location, 2) == 1 && number(location, 3) == 0x10));
}

#[test]
fn time_off_the_cpu_has_its_reason() {
    let mut waiting = stack(&["main"], 5);
    waiting.weight = Weight::Runnable;
    let profile = Profile { measure: Measure::OffCpu, hz: 0, ..profile(vec![waiting]) };
    let read = ReadBack::of(&profile);
    assert_eq!(read.types()[1], ("off_cpu", "nanoseconds"));
    let samples = read.samples();
    assert_eq!(samples[0].1, [5, 5]);
    assert!(samples[0].2.contains(&("reason", "[waiting for a CPU]".into())));
    assert_eq!(number(&read.fields, 12), 0, "no period");
}

#[test]
fn numbers_beyond_its_range_are_the_greatest_it_has() {
    let read = ReadBack::of(&profile(vec![stack(&["main"], u64::MAX)]));
    assert_eq!(read.samples()[0].1[0], i64::MAX as u64);
}

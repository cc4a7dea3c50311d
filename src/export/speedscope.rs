//! The JSON of <https://www.speedscope.app> (its file-format-schema.json): one sampled profile for each process, heaviest first.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::profile::{Profile, ProfileStack, name};
use crate::model::stacks::{Unit, part_of, remark_on};
use crate::sample::{ProcKey, printable};

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: String,
    name: &'a str,
    shared: Shared,
    profiles: Vec<Sampled>,
}

#[derive(Serialize)]
struct Shared {
    frames: Vec<Named>,
}

/// What frames merge by.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Named {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled {
    r#type: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

/// Frames by number.
#[derive(Default)]
struct Frames {
    numbers: FxHashMap<Named, usize>,
    all: Vec<Named>,
}

impl Frames {
    fn number(&mut self, named: Named) -> usize {
        *self.numbers.entry(named).or_insert_with_key(|named| {
            self.all.push(named.clone());
            self.all.len() - 1
        })
    }

    fn path(&mut self, stack: &ProfileStack) -> Vec<usize> {
        let remarks = [part_of(stack.weight), remark_on(stack.quality)].into_iter().flatten();
        let mut path: Vec<usize> = remarks.map(|text| self.number(Named { name: text.into(), file: None, line: None })).collect();
        for frame in &stack.frames {
            // A file without a line would be its module's.
            let (file, line) = match &frame.source {
                Some((file, line)) => (printable(file.as_bytes()), (*line > 0).then_some(*line)),
                None => (printable(frame.module.as_bytes()), None),
            };
            path.push(self.number(Named { name: name(frame), file: Some(file), line }));
        }
        path
    }
}

/// The profile as one JSON object.
///
/// # Errors
/// None that is known: every number and text can be written.
pub fn bytes(profile: &Profile) -> serde_json::Result<Vec<u8>> {
    let mut frames = Frames::default();
    let mut processes: BTreeMap<ProcKey, (String, BTreeMap<Vec<usize>, u64>)> = BTreeMap::new();
    for stack in &profile.stacks {
        let path = frames.path(stack);
        let (_, samples) = processes.entry(stack.key).or_insert_with(|| (stack.process.clone(), BTreeMap::new()));
        let sum = samples.entry(path).or_default();
        *sum = sum.saturating_add(profile.weight_of(stack));
    }
    let mut profiles: Vec<Sampled> = processes.into_iter().map(|(key, (name, samples))| sampled(profile, key, &name, samples)).collect();
    profiles.sort_by_key(|p| std::cmp::Reverse(p.end_value));
    serde_json::to_vec(&File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("ebtop ", env!("CARGO_PKG_VERSION")).into(),
        name: &profile.title,
        shared: Shared { frames: frames.all },
        profiles,
    })
}

fn sampled(profile: &Profile, key: ProcKey, name: &str, samples: BTreeMap<Vec<usize>, u64>) -> Sampled {
    let unit = match profile.measure.unit() {
        Unit::Samples | Unit::Ns => "nanoseconds",
        Unit::Faults => "none",
        Unit::Bytes => "bytes",
    };
    let (samples, weights): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
    let end_value = weights.iter().fold(0, |sum: u64, &weight| sum.saturating_add(weight));
    Sampled { r#type: "sampled", name: format!("{name} ({})", key.pid), unit, start_value: 0, end_value, samples, weights }
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::{profile, stack};
    use super::*;
    use serde_json::Value;

    /// The rules of the schema that concern sampled profiles.
    fn check(file: &Value) {
        assert_eq!(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
        let frames = file["shared"]["frames"].as_array().unwrap();
        for frame in frames {
            assert!(frame["name"].is_string() && (frame.get("file").is_none() || frame["file"].is_string()), "{frame}");
            assert!(frame.get("line").is_none_or(Value::is_u64), "{frame}");
        }
        for profile in file["profiles"].as_array().unwrap() {
            assert_eq!(profile["type"], "sampled");
            assert!(["none", "nanoseconds", "bytes"].contains(&profile["unit"].as_str().unwrap()));
            let (samples, weights) = (profile["samples"].as_array().unwrap(), profile["weights"].as_array().unwrap());
            assert_eq!(samples.len(), weights.len());
            for frame in samples.iter().flat_map(|s| s.as_array().unwrap()) {
                assert!((frame.as_u64().unwrap() as usize) < frames.len());
            }
            let sum: u64 = weights.iter().map(|w| w.as_u64().unwrap()).sum();
            assert_eq!((profile["startValue"].as_u64(), profile["endValue"].as_u64()), (Some(0), Some(sum)));
        }
    }

    #[test]
    fn keeps_the_rules_of_the_schema() {
        let mut other = stack(&["main"], 7);
        other.key.pid = 9;
        other.frames[0].source = None;
        let file: Value =
            serde_json::from_slice(&bytes(&profile(vec![stack(&["main", "b"], 2), other, stack(&["main"], 1)])).unwrap()).unwrap();
        check(&file);
        let profiles = file["profiles"].as_array().unwrap();
        assert_eq!((profiles.len(), &profiles[0]["name"]), (2, &Value::from("app (9)")));
        assert_eq!(profiles[1]["weights"], serde_json::json!([10_000_000, 20_000_000]), "at 100 Hz a sample is 10 ms");
        assert_eq!(file["shared"]["frames"][0], serde_json::json!({ "name": "main", "file": "src/a.c", "line": 7 }));
        check(&serde_json::from_slice(&bytes(&profile(vec![])).unwrap()).unwrap());
    }
}

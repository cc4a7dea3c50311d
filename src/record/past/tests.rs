use super::*;
use crate::sample::{Cgroup, Cgroups, Counter, Counters};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;

fn task(pid: u32, cpu_ns: u64, state: u8) -> Task {
    let counters = Counters::default().with(Counter::CpuNs, cpu_ns);
    Task { key: ProcKey { pid, start_ns: 7 }, counters, state, ..Task::default() }
}

fn sample(second: u64, tasks: Vec<Task>) -> Sample {
    Sample { at_ns: second * SECOND, unix_ms: second * 1000, tasks: tasks.into(), own_cpu_ns: second, ..Sample::default() }
}

/// A past that was shown all of these, with a copy of each.
fn past(reach_s: u64, samples: Vec<Sample>) -> (Past, Vec<Arc<Sample>>) {
    let mut past = Past::new(Duration::from_secs(reach_s));
    let samples: Vec<_> = samples.into_iter().map(Arc::new).collect();
    let mut before: Option<&Arc<Sample>> = None;
    for sample in &samples {
        Changes::between(before.map(|s| &**s), sample, |changes| past.push(sample, changes));
        before = Some(sample);
    }
    (past, samples)
}

#[test]
fn every_sample_comes_back_as_it_was() {
    let mut samples = vec![
        sample(1, vec![task(1, 5, b'S'), task(2, 6, b'S'), task(9, 1, b'R')]),
        sample(2, vec![task(1, 5, b'S'), task(2, 8, b'R')]),
        sample(3, vec![task(1, 5, b'S'), task(2, 8, b'D'), task(3, 0, b'S')]),
        sample(4, vec![task(3, 0, b'S')]),
    ];
    let root = Cgroup { path: "/".into(), key: 1, ..Cgroup::default() };
    samples[1].cgroups = Some(Arc::new(Cgroups { at_ns: 2, list: vec![root], ..Cgroups::default() }));
    samples[1].exits.push(Exit { task: task(9, 3, b'X'), at_ns: 2 * SECOND - 1, code: 3, ..Exit::default() });
    samples[2].machine.host = "web".into();
    let (past, samples) = past(60, samples);
    assert_eq!(past.times().collect::<Vec<_>>(), [1, 2, 3, 4].map(|s| (s * SECOND, s * 1000)));
    for (index, sample) in samples.iter().enumerate() {
        let (earlier, shown) = past.at(index).unwrap();
        assert_eq!(shown, *sample);
        assert_eq!(earlier.as_ref(), index.checked_sub(1).map(|index| &*samples[index]));
    }
}

#[test]
fn time_and_memory_bound_it() {
    let sleepers = |second| sample(second, (1..500).map(|pid| task(pid, 1, b'S')).collect());
    let (quiet, _) = past(60, (1..200).map(sleepers).collect());
    assert_eq!((quiet.len(), quiet.cut_by()), (61, None));
    assert!(quiet.bytes() < 100 * 200, "{} bytes for those that sleep", quiet.bytes());

    let busy = |second| sample(second, (1..5000).map(|pid| task(pid, second << 40, b'S')).collect());
    let (loud, samples) = past(60, (1..30).map(busy).collect());
    let size: usize = loud.steps.iter().map(Step::bytes).sum();
    assert_eq!((loud.bytes(), loud.cut_by()), (size, Some(1 << 20)));
    assert!(size <= BYTES.0 as usize && loud.len() < 20, "{size} bytes, {} samples", loud.len());
    assert_eq!(loud.at(0).unwrap().1, samples[samples.len() - loud.len()]);
}

#[test]
fn nothing_asked_is_nothing_kept() {
    let (none, _) = past(0, (1..5).map(|s| sample(s, vec![task(1, s, b'S')])).collect());
    assert!(none.is_off() && none.is_empty() && none.at(0).is_none());
}

#[test]
fn another_boot_begins_anew_and_a_sample_twice_is_one() {
    let (past, samples) = past(60, vec![sample(5, vec![]), sample(6, vec![]), sample(6, vec![]), sample(2, vec![task(1, 1, b'S')])]);
    assert_eq!((past.len(), past.bytes()), (1, 0));
    assert_eq!(past.at(0).unwrap(), (None, Arc::clone(&samples[3])));
}

proptest! {
    #[test]
    fn any_lives_come_back(lives in prop::collection::vec(prop::collection::btree_map(1u32..12, (0u64..3, 0u8..2), 0..10), 1..12)) {
        let tasks = |life: &BTreeMap<u32, (u64, u8)>| life.iter().map(|(pid, (cpu, state))| task(*pid, *cpu, b'A' + state)).collect();
        let (past, samples) = past(60, (1..).zip(&lives).map(|(second, life)| sample(second, tasks(life))).collect());
        for (index, sample) in samples.iter().enumerate() {
            prop_assert_eq!(&past.at(index).unwrap().1, sample);
        }
    }
}

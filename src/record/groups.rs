//! Control groups of a recording are made to keep the promises that the collector gives: each path and key once, parents before those
//! below them, no deeper and no more than ebtop reads them, and one group at most that holds all.

use std::fmt;

use rustc_hash::FxHashSet;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::distrust::{cap, clean_text};
use crate::sample::{Cgroup, Cgroups};

/// Groups that are read at most.
const GROUPS_MAX: usize = 4096;
/// Levels below the root.
const DEPTH_MAX: u32 = 64;
/// Pids that a kernel can give out (`PID_MAX_LIMIT`).
const PIDS_MAX: usize = 1 << 22;

/// A list of groups that is given up where it is longer than ebtop writes it: a few bytes would be a large group in memory.
fn few<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Cgroup>, D::Error> {
    struct Few;

    impl<'de> Visitor<'de> for Few {
        type Value = Vec<Cgroup>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {GROUPS_MAX} control groups")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut groups: A) -> Result<Vec<Cgroup>, A::Error> {
            let mut few = Vec::new();
            while let Some(group) = groups.next_element()? {
                if few.len() == GROUPS_MAX {
                    return Err(A::Error::invalid_length(few.len() + 1, &self));
                }
                few.push(group);
            }
            Ok(few)
        }
    }

    input.deserialize_seq(Few)
}

/// Control groups as they are read.
#[derive(serde::Deserialize)]
pub(super) struct AsRead {
    at_ns: u64,
    #[serde(deserialize_with = "few")]
    list: Vec<Cgroup>,
    left_out: u32,
    trouble: Option<String>,
}

impl From<AsRead> for Cgroups {
    fn from(AsRead { at_ns, list, left_out, trouble }: AsRead) -> Cgroups {
        Cgroups { at_ns, list, left_out, trouble }
    }
}

/// Cleans all of them. What had to go is counted as left out.
pub(super) fn clean(groups: &mut Cgroups) {
    cap([&mut groups.at_ns]);
    groups.trouble.iter_mut().for_each(clean_text);
    let found = groups.list.len();
    let mut kept: Vec<Cgroup> = Vec::with_capacity(found);
    // Where each of those that were found stands now, and how deep.
    let mut places: Vec<Option<(u32, u32)>> = Vec::with_capacity(found);
    let (mut keys, mut has_all, mut pids_left) = (FxHashSet::default(), false, PIDS_MAX);
    for mut group in groups.list.drain(..) {
        let above = group.parent.map(|parent| places.get(parent as usize).copied().flatten());
        let depth = match above {
            None => Some(0),
            Some(place) => place.map(|(_, depth)| depth + 1).filter(|depth| *depth <= DEPTH_MAX),
        };
        let Some(depth) = depth.filter(|_| keys.insert(group.key)) else {
            places.push(None);
            continue;
        };
        group.parent = above.flatten().map(|(place, _)| place);
        group.holds_all &= group.parent.is_none() && !has_all;
        has_all |= group.holds_all;
        clean_group(&mut group, &mut pids_left);
        places.push(Some((kept.len() as u32, depth)));
        kept.push(group);
    }
    let gone = u32::try_from(found - kept.len()).unwrap_or(u32::MAX);
    groups.left_out = groups.left_out.saturating_add(gone);
    groups.list = kept;
}

fn clean_group(group: &mut Cgroup, pids_left: &mut usize) {
    clean_text(&mut group.path);
    if let Some(pids) = &mut group.pids {
        pids.sort_unstable();
        pids.dedup();
        pids.truncate(*pids_left);
        *pids_left -= pids.len();
    }
    let Cgroup { cpu_ns, periods, throttled_periods, throttled_ns, cpu_max_milli, .. } = group;
    [cpu_ns, periods, throttled_periods, throttled_ns, cpu_max_milli].into_iter().for_each(cap);
    let Cgroup { memory_bytes, memory_max_bytes, anon_bytes, file_bytes, device_read_bytes, device_write_bytes, .. } = group;
    [memory_bytes, memory_max_bytes, anon_bytes, file_bytes, device_read_bytes, device_write_bytes].into_iter().for_each(cap);
    for share in &mut group.pressure {
        share.take_if(|pct| !(0.0..=100.0).contains(pct));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(key: u64, parent: Option<u32>) -> Cgroup {
        Cgroup { path: format!("/{key}"), key, parent, ..Cgroup::default() }
    }

    fn cleaned(list: Vec<Cgroup>) -> Cgroups {
        let mut groups = Cgroups { list, ..Cgroups::default() };
        clean(&mut groups);
        groups
    }

    #[test]
    fn good_ones_stay_as_they_are() {
        let root = Cgroup { holds_all: true, pids: Some(vec![1, 2]), ..group(1, None) };
        let below = Cgroup { pressure: [Some(0.0), Some(100.0), None], memory_bytes: Some(7), ..group(2, Some(0)) };
        let list = vec![root, below, group(3, Some(1))];
        assert_eq!(cleaned(list.clone()), Cgroups { list, ..Cgroups::default() });
    }

    #[test]
    fn a_tree_is_a_tree_and_each_is_there_once() {
        let list = vec![group(1, Some(0)), group(2, None), group(2, None), group(3, Some(7)), group(4, Some(1)), group(5, Some(2))];
        let cleaned = cleaned(list);
        assert_eq!(cleaned.list, [group(2, None), group(4, Some(0))], "no own parents, no later ones, no twins");
        assert_eq!(cleaned.left_out, 4);
    }

    #[test]
    fn there_are_no_more_and_no_deeper_than_ebtop_reads() {
        let read = |count| {
            let list = (0..count).map(|key| group(key, None)).collect();
            let bytes = postcard::to_allocvec(&Cgroups { list, ..Cgroups::default() }).unwrap();
            postcard::from_bytes::<AsRead>(&bytes).ok().map(|groups| Cgroups::from(groups).list.len())
        };
        assert_eq!([4096, 4097].map(read), [Some(4096), None]);
        let deep = cleaned((0..1000u32).map(|key| group(u64::from(key), key.checked_sub(1))).collect());
        assert_eq!((deep.list.len(), deep.left_out), (65, 1000 - 65));
    }

    #[test]
    fn figures_and_words_are_fit_to_be_shown() {
        let evil = Cgroup {
            path: "/a\x1b[2J".into(),
            holds_all: true,
            pids: Some(vec![3, 1, 3, 2]),
            cpu_ns: Some(u64::MAX),
            cpu_max_milli: Some(u64::MAX),
            file_bytes: Some(u64::MAX),
            pressure: [Some(f32::NAN), Some(-1.0), Some(f32::INFINITY)],
            ..group(1, None)
        };
        let list = vec![evil.clone(), Cgroup { key: 2, ..evil.clone() }, Cgroup { key: 3, parent: Some(0), ..evil }];
        let cleaned = cleaned(list);
        let first = &cleaned.list[0];
        assert_eq!((first.pids.as_deref(), first.pressure), (Some([1, 2, 3].as_slice()), [None; 3]));
        assert!([first.cpu_ns, first.cpu_max_milli, first.file_bytes].iter().all(|value| value.is_some_and(|v| v < 1 << 61)));
        assert!(!first.path.contains('\x1b'));
        assert_eq!(cleaned.list.iter().map(|group| group.holds_all).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn no_more_pids_than_a_kernel_has() {
        let full = |key| Cgroup { pids: Some((0..PIDS_MAX as u32 - 10).collect()), ..group(key, None) };
        let counts: Vec<usize> = cleaned(vec![full(1), full(2), full(3)]).list.iter().map(|g| g.pids.as_ref().unwrap().len()).collect();
        assert_eq!(counts, [PIDS_MAX - 10, 10, 0]);
    }
}

//! Sorts lines so that the eye can follow: rows that differ little keep the order they had.

use std::cmp::Ordering;

use super::column::Value;

/// Rows that fell idle and keep their order, at most.
const RECENT: usize = 256;
/// How far a row may rise in one go against rows that it hardly exceeds; bounds the work.
const MAX_STEPS: usize = 64;

/// A line about to be sorted.
#[derive(Debug)]
pub struct Entry<'a, K, L> {
    /// Who, for good.
    pub key: K,
    /// Where its figures are on this tick.
    pub line: L,
    /// What it is sorted by.
    pub value: Value<'a>,
}

/// Where each key that is not idle, or was not lately, stood after the last sorting, ascending by key.
#[derive(Clone, Debug)]
pub struct Ranks<K>(Vec<(K, u32)>);

impl<K> Default for Ranks<K> {
    fn default() -> Self {
        Ranks(Vec::new())
    }
}

/// Sorts `entries`, which come ascending by key: equal ones stay so. Remembers the order in `ranks`.
pub fn sort<K: Copy + Ord, L: Copy>(entries: &[Entry<'_, K, L>], descending: bool, ranks: &mut Ranks<K>) -> Vec<(K, L)> {
    let value = |i: u32| &entries[i as usize].value;
    let before = before(entries, ranks);
    let mut order = by_value(entries, &before, descending);
    keep_close_ones(&mut order, &before, value, descending);

    let mut rank_of = vec![0; entries.len()];
    for (rank, &entry) in order.iter().enumerate() {
        rank_of[entry as usize] = rank as u32;
    }
    let busy = entries.iter().filter(|e| e.value.number().is_some() && !is_idle(&e.value)).count();
    let is_known = |at: usize, rank: u32| match &entries[at].value {
        value if value.number().is_none() => false,
        value if is_idle(value) => descending && before[at].is_some() && (rank as usize) < busy + RECENT,
        _ => true,
    };
    let known = rank_of.into_iter().enumerate().filter(|&(at, rank)| is_known(at, rank));
    ranks.0 = known.map(|(at, rank)| (entries[at].key, rank)).collect();
    order.iter().map(|&i| (entries[i as usize].key, entries[i as usize].line)).collect()
}

/// Shown as nothing.
fn is_idle(value: &Value<'_>) -> bool {
    match value {
        Value::Percent(percent) => percent.abs() < 0.05,
        value => value.number() == Some(0.0),
    }
}

/// Equal ones by key. Nearly all rows of a large machine do nothing, so those are set apart and not sorted. Where the largest come
/// first, those that did something lately stand above them as they stood: else each that falls idle would shift half the screen.
fn by_value<K, L>(entries: &[Entry<'_, K, L>], before: &[Option<u32>], descending: bool) -> Vec<u32> {
    let all = 0..entries.len() as u32;
    let value = |i: u32| &entries[i as usize].value;
    let (idle, mut order): (Vec<u32>, Vec<u32>) = all.partition(|&i| is_idle(value(i)));
    let (mut recent, idle): (Vec<u32>, Vec<u32>) = idle.into_iter().partition(|&i| descending && before[i as usize].is_some());
    recent.sort_by_key(|&i| before[i as usize]);
    order.sort_by(|&a, &b| value(a).compare(value(b), descending));
    if let Some(&first) = recent.first().or(idle.first()) {
        let at = order.partition_point(|&i| value(i).compare(value(first), descending) == Ordering::Less);
        order.splice(at..at, recent.into_iter().chain(idle));
    }
    order
}

/// The former rank of each entry, found by merging.
fn before<K: Copy + Ord, L>(entries: &[Entry<'_, K, L>], ranks: &Ranks<K>) -> Vec<Option<u32>> {
    let mut old = ranks.0.iter().peekable();
    let rank = |e: &Entry<'_, K, L>| {
        while old.next_if(|(key, _)| *key < e.key).is_some() {}
        old.next_if(|(key, _)| *key == e.key).map(|&(_, rank)| rank)
    };
    entries.iter().map(rank).collect()
}

/// Lets a row that stood higher before rise past those that now exceed it by next to nothing.
fn keep_close_ones<'v>(order: &mut [u32], before: &[Option<u32>], value: impl Fn(u32) -> &'v Value<'v>, descending: bool) {
    let stays_above = |above: u32, below: u32| {
        let stood_higher = before[below as usize].zip(before[above as usize]).is_some_and(|(b, a)| b < a);
        stood_higher
            && value(above).compare(value(below), descending) == Ordering::Less
            && tolerance(value(above), value(below)).is_some_and(|(difference, allowed)| difference <= allowed)
    };
    for i in 1..order.len() {
        for j in (i.saturating_sub(MAX_STEPS) + 1..=i).rev() {
            if !stays_above(order[j - 1], order[j]) {
                break;
            }
            order.swap(j - 1, j);
        }
    }
}

/// How much two values differ, and how much is not worth a swap; `None` for values that mean what they say exactly.
fn tolerance(a: &Value<'_>, b: &Value<'_>) -> Option<(f64, f64)> {
    let (share, least) = match a {
        Value::Percent(_) => (0.05, 0.15),
        Value::BytesPerSec(_) => (0.1, 1024.0),
        Value::PerSec(_) => (0.1, 2.0),
        Value::Bytes(_) => (0.01, 65_536.0),
        _ => return None,
    };
    // Whoever does something stands above whoever does nothing.
    if is_idle(a) || is_idle(b) {
        return None;
    }
    let (a, b) = (a.number()?, b.number()?);
    Some(((a - b).abs(), f64::max(share * f64::max(a.abs(), b.abs()), least)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(values: &[(u32, f64)], ranks: &mut Ranks<u32>) -> Vec<u32> {
        let entries: Vec<_> = values.iter().map(|&(key, v)| Entry { key, line: (), value: Value::Percent(v) }).collect();
        sort(&entries, true, ranks).into_iter().map(|(key, ())| key).collect()
    }

    #[test]
    fn close_rows_do_not_swap_and_distant_ones_do() {
        let mut ranks = Ranks::default();
        assert_eq!(sorted(&[(1, 50.0), (2, 49.0), (3, 10.0)], &mut ranks), [1, 2, 3]);
        assert_eq!(sorted(&[(1, 49.0), (2, 50.0), (3, 10.0)], &mut ranks), [1, 2, 3]);
        assert_eq!(sorted(&[(1, 49.0), (2, 80.0), (3, 10.0)], &mut ranks), [2, 1, 3]);
        assert_eq!(sorted(&[(1, 49.0), (2, 50.0), (3, 95.0)], &mut ranks), [3, 2, 1]);
    }

    #[test]
    fn busy_rows_stand_above_idle_ones() {
        let mut ranks = Ranks::default();
        assert_eq!(sorted(&[(1, 0.2), (2, 0.1)], &mut ranks), [1, 2]);
        assert_eq!(sorted(&[(1, 0.0), (2, 0.1)], &mut ranks), [2, 1]);
    }

    #[test]
    fn an_order_made_without_numbers_is_not_kept() {
        let mut ranks = Ranks::default();
        let unknown = [1, 2].map(|key| Entry { key, line: (), value: Value::Unknown });
        sort(&unknown, true, &mut ranks);
        assert_eq!(sorted(&[(1, 50.0), (2, 50.1)], &mut ranks), [2, 1]);
    }

    #[test]
    fn idle_rows_go_by_key_and_those_that_fell_idle_stay() {
        let mut ranks = Ranks::default();
        assert_eq!(sorted(&[(1, 0.0), (2, 0.0), (3, 9.0)], &mut ranks), [3, 1, 2]);
        assert_eq!(sorted(&[(1, 0.0), (2, 0.0), (3, 0.0)], &mut ranks), [3, 1, 2]);
        assert_eq!(sorted(&[(1, 0.04), (2, 0.0), (3, 0.0)], &mut ranks), [3, 1, 2], "0.04 is shown as nothing");
        assert_eq!(sorted(&[(1, 0.0), (2, 0.06), (3, 0.0)], &mut ranks), [2, 3, 1]);
        assert_eq!(sorted(&[(1, 0.0), (2, 0.0), (3, 0.0)], &mut ranks), [2, 3, 1]);
        assert_eq!(sorted(&[(1, 0.0), (2, 0.0)], &mut ranks), [2, 1]);
    }

    #[test]
    fn of_those_that_fell_idle_not_too_many_are_remembered() {
        let mut ranks = Ranks::default();
        let all = |value: f64| (0..RECENT as u32 + 50).map(|key| (key, value + f64::from(key) * value)).collect::<Vec<_>>();
        sorted(&all(1.0), &mut ranks);
        sorted(&all(0.0), &mut ranks);
        assert_eq!(ranks.0.len(), RECENT);
    }

    #[test]
    fn the_unknown_is_last_either_way() {
        for descending in [true, false] {
            let entries = [Entry { key: 1, line: (), value: Value::Unknown }, Entry { key: 2, line: (), value: Value::Percent(1.0) }];
            let order = sort(&entries, descending, &mut Ranks::default());
            assert_eq!(order.last(), Some(&(1, ())));
        }
    }

    proptest! {
        #[test]
        fn loses_nobody_and_inverts_little(first in prop::collection::vec(0.0..100.0f64, 1..200), shift in prop::collection::vec(-3.0..3.0f64, 200)) {
            let mut ranks = Ranks::default();
            let at = |moved: bool| -> Vec<(u32, f64)> {
                first.iter().zip(&shift).enumerate().map(|(i, (v, s))| (i as u32, v + if moved { *s } else { 0.0 })).collect()
            };
            sorted(&at(false), &mut ranks);
            let values = at(true);
            let order = sorted(&values, &mut ranks);
            let mut keys = order.clone();
            keys.sort_unstable();
            prop_assert_eq!(keys, (0..values.len() as u32).collect::<Vec<_>>());
            for (i, &above) in order.iter().enumerate() {
                for &below in &order[i + 1..] {
                    let (a, b) = (values[above as usize].1, values[below as usize].1);
                    prop_assert!(b - a <= f64::max(0.05 * b.abs(), 0.15) + 1e-9, "{} above {}", a, b);
                }
            }
        }
    }
}

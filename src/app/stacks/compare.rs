//! What the samples shown are compared with, and what counts as a change.

use std::ops::Range;

use super::StacksView;
use crate::model::stacks::{Baseline, StackHistory, Unit};

/// Of time and bytes, a change of less than this share of all is no news.
const LEAST_SHARE: f64 = 0.005;

/// What the samples shown are compared with.
#[derive(Clone, Debug, Default)]
pub(super) enum Compare {
    /// Nothing.
    #[default]
    Off,
    /// All that the history holds from before the span; where the span is all of it, its first half.
    Before,
    /// The samples that were shown when the user said so: then, and what they were.
    Mark(u64, Box<Baseline>),
}

/// What became of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// More of it than before.
    Grew,
    /// Less.
    Shrank,
    /// No more difference than chance makes.
    Same,
}

impl StacksView {
    /// What of the history is shown, and what it is compared with.
    pub(super) fn compared(&self, history: &StackHistory) -> (Range<u64>, Option<Baseline>) {
        let newest = history.newest_ns();
        let from = newest.saturating_sub(self.span.ns());
        match &self.compare {
            Compare::Off => (from..newest, None),
            Compare::Mark(at_ns, baseline) => ((*at_ns).max(from)..newest, Some(Baseline::clone(baseline))),
            Compare::Before => {
                let all = history.window(&self.scope, self.measure, u64::MAX).covered_ns;
                let length = self.span.ns().min(all / 2);
                let from = newest.saturating_sub(length);
                (from..newest, Some(history.between(&self.scope, self.measure, 0..from).keep()))
            }
        }
    }

    /// Length of what the samples are compared with, ns; whether it was marked.
    pub fn baseline(&self) -> Option<(u64, bool)> {
        match &self.compare {
            Compare::Off => None,
            Compare::Before => Some((self.summary.before_ns, false)),
            Compare::Mark(..) => Some((self.summary.before_ns, true)),
        }
    }

    /// What became of something that was `before`, scaled to the length of the span, and is `now`.
    pub fn change(&self, before: f64, now: u64) -> Change {
        let difference = now as f64 - before;
        let least = match self.measure.unit() {
            // Two standard deviations of the difference of two Poisson counts.
            Unit::Samples | Unit::Faults => 2.0 * (now as f64 + before * self.tree().scale()).sqrt(),
            Unit::Ns | Unit::Bytes => LEAST_SHARE * self.summary.value as f64,
        };
        match difference {
            d if d.abs() <= least => Change::Same,
            d if d > 0.0 => Change::Grew,
            _ => Change::Shrank,
        }
    }

    /// A value of the span as a rate: percent of a core for timed samples, else per second.
    pub fn rate(&self, value: f64) -> f64 {
        let seconds = self.summary.covered_ns as f64 / 1e9;
        let per_second = if seconds > 0.0 { value / seconds } else { 0.0 };
        match self.measure.unit() {
            Unit::Samples if self.summary.hz > 0 => 100.0 * per_second / f64::from(self.summary.hz),
            _ => per_second,
        }
    }
}

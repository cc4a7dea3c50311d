//! Follows names that change. Code written at run time is asked about again while it is looked at: its runtime may tell names only
//! later, or has put other code at its place. So is code of the kernel that had no name.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::StacksView;
use crate::app::names::Names;
use crate::model::stacks::{Missing, StackHistory};
use crate::sample::ProcKey;
use crate::symbols::Request;

/// Time between two looks at what is in doubt. Each may make the symbol thread read a perf map anew, which may be large.
const EVERY_NS: u64 = 5_000_000_000;
/// Names in doubt that are asked for again at one look, of all processes in view.
const MOST: usize = 1024;

impl StacksView {
    /// Makes anew what names that are right no more went into.
    pub(super) fn follow_names(&mut self, names: &Names) {
        if self.epoch != names.epoch() {
            self.epoch = names.epoch();
            self.reshape();
        }
        if self.programs != names.programs() {
            self.programs = names.programs();
            // Its addresses may be of the program before.
            self.drop_mark();
            self.stale = true;
        }
    }

    /// Requests for those names in view that are in doubt, hottest first.
    pub(super) fn renew(&mut self, history: &StackHistory, names: &mut Names) -> Vec<Request> {
        if names.now_ns().saturating_sub(self.renewed_ns) < EVERY_NS || !names.has_aging() {
            return Vec::new();
        }
        self.renewed_ns = names.now_ns();
        let window = history.window(&self.scope, self.measure, self.span.ns());
        let mut values: FxHashMap<(Option<ProcKey>, u64), u64> = FxHashMap::default();
        for used in &window.stacks {
            let user = used.stack.user.iter().map(|&address| (Some(used.stack.key), address));
            for place in user.chain(used.stack.kernel.iter().map(|&address| (None, address))) {
                let value = values.entry(place).or_default();
                *value = value.saturating_add(used.value);
            }
        }
        let aged = values.into_iter().filter(|((key, address), _)| names.is_aged(*key, *address));
        let mut aged: Vec<Missing> = aged.map(|((key, address), count)| Missing { key, address, count }).collect();
        aged.sort_unstable_by_key(|m| (Reverse(m.count), m.key, m.address));
        aged.truncate(MOST);
        names.ask_again(&aged)
    }
}

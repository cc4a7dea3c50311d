//! Which sockets still live, where the kernel cannot say: one that moved nothing for a minute is taken for closed.

use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use crate::bpf::net::types::eb_net_use;

/// A use that did not change for so long is given up; should it wake, it gets a new one.
const IDLE: Duration = Duration::from_secs(60);

/// When each slot last changed.
#[derive(Default)]
pub struct Ages {
    changed: FxHashMap<u32, (u64, Instant)>,
}

impl Ages {
    /// Does what the walk does elsewhere: writes its number to the uses that are alive. Call it with all of them.
    pub fn judge(&mut self, uses: &mut [(u32, eb_net_use)], walk: u32, now: Instant) {
        let mut changed = FxHashMap::default();
        for (slot, u) in uses {
            let messages = u.head.moved.tx_messages + u.head.moved.rx_messages;
            let at = match self.changed.get(slot) {
                Some(&(before, at)) if before == messages => at,
                _ => now,
            };
            if now.duration_since(at) < IDLE {
                u.seen = walk;
                changed.insert(*slot, (messages, at));
            }
        }
        self.changed = changed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_idle_for_a_minute_is_given_up() {
        let mut ages = Ages::default();
        let start = Instant::now();
        let mut uses = [(0, eb_net_use::default()), (1, eb_net_use::default())];
        ages.judge(&mut uses, 1, start);
        assert_eq!((uses[0].1.seen, uses[1].1.seen), (1, 1));
        uses[1].1.head.moved.rx_messages = 1;
        ages.judge(&mut uses, 2, start + Duration::from_secs(59));
        assert_eq!((uses[0].1.seen, uses[1].1.seen), (2, 2));
        ages.judge(&mut uses, 3, start + Duration::from_secs(61));
        assert_eq!((uses[0].1.seen, uses[1].1.seen), (2, 3));
    }
}

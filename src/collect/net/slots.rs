//! The slots of `net_uses`: which are handed out, in use, and free again.

use std::collections::VecDeque;
use std::io;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::bpf::net::types::{eb_net_head, eb_net_use};
use crate::bpf::shared::SharedArray;

/// Slots that wait for the kernel half: as many new sockets and processes may meet between two ticks.
const WAITING: usize = 4096;

/// The kernel half takes slots in the order they were put into its queue and counts how many it took, so that user space knows which
/// ones to read without searching.
pub struct Slots {
    uses: SharedArray<eb_net_use>,
    queue: MapHandle,
    waiting: VecDeque<u32>,
    active: Vec<u32>,
    recycled: Vec<u32>,
    never_used: u32,
    taken: u64,
}

impl Slots {
    /// Maps the uses and fills the queue.
    ///
    /// # Errors
    /// Where the map cannot be mapped.
    pub fn new(uses: &MapHandle, queue: MapHandle) -> io::Result<Slots> {
        let uses = SharedArray::new(uses, WAITING)?;
        let mut slots = Slots { uses, queue, waiting: VecDeque::new(), active: Vec::new(), recycled: Vec::new(), never_used: 0, taken: 0 };
        slots.top_up();
        Ok(slots)
    }

    /// The kernel half has taken so many slots since the start.
    pub fn note_taken(&mut self, taken: u64) {
        let new = usize::try_from(taken.saturating_sub(self.taken)).unwrap_or(usize::MAX).min(self.waiting.len());
        self.active.extend(self.waiting.drain(..new));
        self.taken = taken;
    }

    /// Slots in use.
    pub fn active(&self) -> &[u32] {
        &self.active
    }

    /// A quarter of all slots went since so many were in use.
    pub fn are_scarce(&self, since: usize) -> bool {
        self.active.len() > since + self.uses.len() / 4
    }

    /// So many may go to sockets that moved nothing: a quarter stays for those that do, of all and of what waits.
    pub fn to_spare(&self) -> u32 {
        let waiting = self.waiting.len().saturating_sub(WAITING / 4);
        let unused = (self.uses.len() - self.uses.len() / 4).saturating_sub(self.active.len());
        waiting.min(unused) as u32
    }

    /// What a tick needs of a use.
    pub fn head(&self, slot: u32) -> eb_net_head {
        self.uses.get_first(slot as usize).unwrap_or_default()
    }

    /// All of a use.
    pub fn get(&self, slot: u32) -> eb_net_use {
        self.uses.get(slot as usize).unwrap_or_default()
    }

    /// Takes back slots that nothing in the kernel refers to any more. `gone` must be ascending.
    pub fn recycle(&mut self, gone: &[u32]) {
        if gone.is_empty() {
            return;
        }
        self.active.retain(|slot| gone.binary_search(slot).is_err());
        for &slot in gone {
            self.uses.clear(slot as usize);
        }
        self.recycled.extend(gone);
    }

    /// Refills the kernel's queue; how many slots wait there.
    pub fn top_up(&mut self) -> usize {
        while self.waiting.len() < WAITING {
            let Some(slot) = self.recycled.pop().or_else(|| self.fresh()) else { break };
            if self.queue.update(&[], &slot.to_ne_bytes(), MapFlags::ANY).is_err() {
                self.recycled.push(slot);
                break;
            }
            self.waiting.push_back(slot);
        }
        self.waiting.len()
    }

    fn fresh(&mut self) -> Option<u32> {
        let slot = self.never_used;
        self.uses.reach(slot as usize).then(|| {
            self.never_used += 1;
            slot
        })
    }
}

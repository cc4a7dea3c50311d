//! The distinct stacks of a history, each kept once and for as long as something refers to it.

use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::window::Stack;
use crate::sample::{ProcKey, StackQuality, Weight};

/// What one more distinct stack costs beside its addresses: the stack, its `Arc` and those of its two lists, its slot and its index entry.
const STACK_BYTES: usize = size_of::<Stack>() + size_of::<Option<Slot>>() + size_of::<(Arc<Stack>, u32)>() + 3 * 16;

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) stack: Arc<Stack>,
    /// What the stack says too: a window asks it of every slot.
    pub(super) key: ProcKey,
    pub(super) weight: Weight,
    pub(super) quality: StackQuality,
    /// Never reused.
    pub(super) id: u64,
    /// The cgroup of its process when it was first seen.
    pub(super) cgroup_id: u64,
    /// Records that point here.
    records: u32,
}

/// Distinct stacks by number; numbers of stacks that are gone are used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    index: FxHashMap<Arc<Stack>, u32>,
    next_id: u64,
    bytes: usize,
}

impl Slots {
    /// The number of a stack, made where it is new; counts the record that will point to it.
    pub(super) fn refer(&mut self, stack: Stack, cgroup_id: u64) -> u32 {
        if let Some(&at) = self.index.get(&stack) {
            if let Some(slot) = &mut self.slots[at as usize] {
                slot.records += 1;
            }
            return at;
        }
        self.bytes += bytes_of(&stack);
        let (key, weight, quality) = (stack.key, stack.weight, stack.quality);
        let stack = Arc::new(stack);
        let slot = Some(Slot { stack: Arc::clone(&stack), key, weight, quality, id: self.next_id, cgroup_id, records: 1 });
        self.next_id += 1;
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(stack, at);
        at
    }

    /// A record that pointed there is gone.
    pub(super) fn release(&mut self, at: u32) {
        let Some(slot) = &mut self.slots[at as usize] else { return };
        slot.records -= 1;
        if slot.records == 0 {
            self.bytes -= bytes_of(&slot.stack);
            self.index.remove(&slot.stack);
            self.slots[at as usize] = None;
            self.free.push(at);
        }
    }

    /// All slots, by number.
    pub(super) fn all(&self) -> &[Option<Slot>] {
        &self.slots
    }

    /// Bytes taken, by count.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn bytes_of(stack: &Stack) -> usize {
    STACK_BYTES + stack.bytes()
}

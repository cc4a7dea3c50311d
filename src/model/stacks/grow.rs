//! Stacks become branches of the tree: one after another, without walking again what a stack shares with the one before.
//!
//! Thousands of stacks of one program differ in their last frames only. So they are walked in such an order that neighbours begin alike.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::frames::Naming;
use super::label::{Label, remark_on_waker};
use super::shape::Shape;
use super::tree::{Leaf, StackTree};
use super::window::Stack;
use crate::sample::ProcKey;

/// From so many stacks on it pays to put them in order.
const ORDERED_FROM: usize = 256;
/// Lengths of beginnings that neighbours should have in common.
const ALIKE: [usize; 4] = [8, 16, 32, 64];

/// The way to the stack that was walked last.
#[derive(Default)]
pub(super) struct Trail {
    /// Labels above the frames.
    above: Vec<u32>,
    start: Option<Leaf>,
    steps: Vec<Step>,
}

/// An address on it.
struct Step {
    key: Option<ProcKey>,
    address: u64,
    named: bool,
    /// Where the way is after it.
    leaf: Leaf,
    /// What the stacks that end here, or went on from here and are left by now, stand for.
    count: u64,
}

/// Addresses of a stack, outermost first, with whose they are.
fn addresses(stack: &Stack) -> impl Iterator<Item = (Option<ProcKey>, u64)> + '_ {
    let user = stack.user.iter().rev().map(|&address| (Some(stack.key), address));
    user.chain(stack.kernel.iter().rev().map(|&address| (None, address)))
}

/// Equal for stacks that begin alike: the more of these, the longer.
fn beginnings(stack: &Stack) -> [u64; ALIKE.len()] {
    let (mut hasher, mut hashes) = (FxHasher::default(), [0; ALIKE.len()]);
    let mut way = addresses(stack).map(|(_, address)| address).enumerate().take(ALIKE[ALIKE.len() - 1]).peekable();
    for (hash, length) in hashes.iter_mut().zip(ALIKE) {
        while let Some((_, address)) = way.next_if(|(at, _)| *at < length) {
            hasher.write_u64(address);
        }
        *hash = hasher.finish();
    }
    hashes
}

/// Puts many stacks in an order in which neighbours begin alike.
pub(super) fn put_in_order<T>(items: &mut [T], shape: Shape, stack: impl Fn(&T) -> &Stack) {
    if items.len() >= ORDERED_FROM {
        items.sort_by_cached_key(|item| {
            let stack = stack(item);
            let thread = if shape.threads { stack.tid } else { 0 };
            (stack.key, thread, stack.weight, stack.quality, beginnings(stack))
        });
    }
}

impl StackTree {
    /// Walks a stack from the root to its leaf, makes what is not there, and notes what has no name once the trail is left.
    pub(super) fn grow(&mut self, trail: &mut Trail, stack: &Stack, count: u64, names: &impl Naming) -> Leaf {
        let start = self.start(trail, stack);
        let shared = trail.steps.iter().zip(addresses(stack)).take_while(|(step, way)| (step.key, step.address) == *way).count();
        self.leave(trail, shared);
        let mut leaf = trail.steps.last().map_or(start, |step| step.leaf);
        for (key, address) in addresses(stack).skip(shared) {
            let named = self.step(&mut leaf, key, address, names);
            trail.steps.push(Step { key, address, named, leaf, count: 0 });
        }
        if let Some(last) = trail.steps.last_mut() {
            last.count = last.count.saturating_add(count);
        }
        let Some(waker) = stack.waker.as_deref().filter(|_| self.shape().wakers) else { return leaf };
        let label = self.label_id(Label::plain(&remark_on_waker(waker)));
        leaf.node = self.child(leaf.node, label, false);
        let user = waker.user.iter().rev().map(|&address| (Some(waker.key), address));
        for (key, address) in user.chain(waker.kernel.iter().rev().map(|&address| (None, address))) {
            if !self.step(&mut leaf, key, address, names) {
                self.miss(key, address, count);
            }
        }
        leaf
    }

    /// Goes back to where so many steps were made; what has no name on the rest is noted.
    pub(super) fn leave(&mut self, trail: &mut Trail, kept: usize) {
        while trail.steps.len() > kept {
            let Some(Step { key, address, named, count, .. }) = trail.steps.pop() else { return };
            if !named {
                self.miss(key, address, count);
            }
            if let Some(before) = trail.steps.last_mut() {
                before.count = before.count.saturating_add(count);
            }
        }
    }

    /// The place below what stands above the frames of a stack.
    fn start(&mut self, trail: &mut Trail, stack: &Stack) -> Leaf {
        let above: Vec<u32> = self.shape().above(stack).map(|text| self.label_id(Label::plain(&text))).collect();
        if let Some(start) = trail.start.filter(|_| trail.above == above) {
            return start;
        }
        self.leave(trail, 0);
        let mut start = Leaf { node: Self::ROOT, source: None, named: true };
        for &label in &above {
            start.node = self.child(start.node, label, false);
        }
        (trail.above, trail.start) = (above, Some(start));
        start
    }

    /// Walks on through the frames of an address; whether it has a name.
    fn step(&mut self, leaf: &mut Leaf, key: Option<ProcKey>, address: u64, names: &impl Naming) -> bool {
        let frames = self.frames_of(key, address, names);
        leaf.named &= frames.named;
        for at in 0..self.labels_of(frames).len() {
            let label = self.labels_of(frames)[at];
            leaf.node = self.child(leaf.node, label, at > 0);
        }
        leaf.source = frames.source;
        frames.named
    }
}

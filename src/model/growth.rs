//! What something gained over the tick, worked out when it is asked for: of 10,000 processes few are looked at.

use super::difference;
use crate::sample::{Counter, Counters, Memory, Task};

/// The gain of a process, or of several as one.
#[derive(Clone, Copy, Debug)]
pub enum Growth<'a> {
    /// Of a process that is in both samples: the older state, the newer.
    Since(&'a Task, &'a Task),
    /// Of a process born between them: what it began with, its state now.
    Birth(&'a Counters, &'a Task),
    /// Not known: the process was first seen, but not young.
    Unknown,
    /// Already worked out.
    Sum(&'a Counters),
    /// Already worked out, memory included.
    Gain(&'a Gain),
}

/// What something gained, worked out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gain {
    /// Counters.
    pub counters: Counters,
    /// Memory before and now, of those of which both are known.
    pub memory: Option<(Memory, Memory)>,
}

impl Growth<'_> {
    /// What a counter gained; known where both ends are. One that shrank (a thread left mid-walk) gained 0.
    pub fn get(&self, counter: Counter) -> Option<u64> {
        let (before, now) = match self {
            Growth::Since(before, now) => (&before.counters, &now.counters),
            Growth::Birth(zeros, now) => (*zeros, &now.counters),
            Growth::Unknown => return None,
            Growth::Sum(sum) => return sum.get(counter),
            Growth::Gain(gain) => return gain.counters.get(counter),
        };
        Some(now.get(counter)?.saturating_sub(before.get(counter)?))
    }

    /// What a gauge of its memory gained, bytes; negative where it shrank.
    pub fn of_memory(&self, gauge: fn(&Memory) -> u64) -> Option<i64> {
        match self {
            Growth::Since(before, now) => Some(difference(gauge(&before.memory?), gauge(&now.memory?))),
            Growth::Birth(_, now) => Some(difference(0, gauge(&now.memory?))),
            Growth::Gain(gain) => gain.memory.map(|(before, now)| difference(gauge(&before), gauge(&now))),
            Growth::Unknown | Growth::Sum(_) => None,
        }
    }

    /// All of it, to be added up.
    pub fn work_out(&self) -> Gain {
        match self {
            Growth::Since(before, now) => Gain { counters: now.counters.since(&before.counters), memory: before.memory.zip(now.memory) },
            Growth::Birth(zeros, now) => {
                Gain { counters: now.counters.since(zeros), memory: now.memory.map(|memory| (Memory::default(), memory)) }
            }
            Growth::Unknown => Gain::default(),
            Growth::Sum(counters) => Gain { counters: **counters, memory: None },
            Growth::Gain(gain) => **gain,
        }
    }
}

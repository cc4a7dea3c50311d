//! One row of the walk, as the kernel half wrote it, in the words of [`crate::sample`].

pub use crate::bpf::tasks::types::{eb_task as Row, eb_task_facts as Facts, eb_task_kind as Kind};
use crate::sample::{Memory, ProcKey};

/// Bits of `task_struct::__state` and `exit_state` (include/linux/sched.h); the same from 5.10 to 7.x.
mod bits {
    pub const INTERRUPTIBLE: u32 = 0x1;
    pub const UNINTERRUPTIBLE: u32 = 0x2;
    pub const STOPPED: u32 = 0x4;
    pub const TRACED: u32 = 0x8;
    pub const PARKED: u32 = 0x40;
    pub const DEAD: u32 = 0x80;
    pub const NO_LOAD: u32 = 0x400;
    pub const EXIT_DEAD: u32 = 0x10;
    pub const EXIT_ZOMBIE: u32 = 0x20;
}

impl Row {
    /// The process it belongs to.
    pub fn key(&self) -> ProcKey {
        ProcKey { pid: self.tgid, start_ns: self.start_ns }
    }

    /// Whether it is the thread that gives the process its id.
    pub fn is_leader(&self) -> bool {
        self.tid == self.tgid
    }

    /// Whether a fact holds.
    pub fn has(&self, fact: Facts) -> bool {
        self.facts.0 & fact.0 != 0
    }

    /// Whether it is all of its process (of one thread), as a walk up to this round wrote it: nothing has changed since.
    pub fn is_unchanged_since(&self, round: u32) -> bool {
        self.kind == Kind::EB_TASK_ROW && self.is_leader() && self.task != 0 && (1..=round).contains(&self.changed)
    }

    /// Letter of the thread's state, as in ps; a parked kernel thread sleeps.
    pub fn state_letter(&self) -> u8 {
        let (state, exit) = (self.state & 0xffff, self.state >> 16);
        let any = |mask| state & mask != 0;
        match () {
            _ if exit & bits::EXIT_DEAD != 0 => b'X',
            _ if exit & bits::EXIT_ZOMBIE != 0 => b'Z',
            _ if any(bits::DEAD) => b'X',
            _ if any(bits::TRACED) => b't',
            _ if any(bits::STOPPED) => b'T',
            _ if any(bits::UNINTERRUPTIBLE) && any(bits::NO_LOAD) => b'I',
            _ if any(bits::UNINTERRUPTIBLE) => b'D',
            _ if any(bits::INTERRUPTIBLE | bits::PARKED) => b'S',
            _ if state == 0 => b'R',
            // Waiting for an rt-lock, frozen, or a bit newer than this program.
            _ => b'D',
        }
    }

    /// Nice value: 20 below the static priority of ordinary tasks.
    pub fn nice(&self) -> i8 {
        (i64::from(self.static_prio) - 120).clamp(-20, 19) as i8
    }

    /// Resident memory, where the thread still had its address space.
    pub fn memory(&self, page_bytes: u64) -> Option<Memory> {
        let bytes = |pages: i64| u64::try_from(pages).unwrap_or(0).saturating_mul(page_bytes);
        self.has(Facts::EB_HAS_MEMORY).then(|| Memory {
            anon_bytes: bytes(self.anon_pages),
            file_bytes: bytes(self.file_pages),
            shmem_bytes: bytes(self.shmem_pages),
            swap_bytes: bytes(self.swap_pages),
            vm_bytes: self.vm_pages.saturating_mul(page_bytes),
        })
    }
}

/// How telling a state is for the whole process: the one of its busiest thread counts once the leader is dead.
pub fn activity(letter: u8) -> u8 {
    b"XZITtSDR".iter().position(|&l| l == letter).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(state: u32, exit: u32) -> char {
        Row { state: state | exit << 16, ..Row::default() }.state_letter() as char
    }

    #[test]
    fn state_letters_are_those_of_ps() {
        assert_eq!(letter(0, 0), 'R');
        assert_eq!(letter(0x1, 0), 'S');
        assert_eq!(letter(0x102, 0), 'D', "killable");
        assert_eq!(letter(0x402, 0), 'I', "idle kernel thread");
        assert_eq!(letter(0x104, 0), 'T');
        assert_eq!(letter(0x8, 0), 't');
        assert_eq!(letter(0x40, 0), 'S', "parked");
        assert_eq!(letter(0x1000, 0), 'D', "rt-lock");
        assert_eq!(letter(0x80, 0x20), 'Z');
        assert_eq!(letter(0x80, 0x10), 'X');
    }

    #[test]
    fn nice_comes_from_static_priority() {
        for (prio, nice) in [(100, -20), (120, 0), (139, 19), (0, -20), (u32::MAX, 19)] {
            assert_eq!(Row { static_prio: prio, ..Row::default() }.nice(), nice);
        }
    }

    #[test]
    fn memory_is_unknown_without_an_address_space() {
        assert_eq!(Row { anon_pages: 5, ..Row::default() }.memory(4096), None);
        let row = Row { anon_pages: 5, facts: Facts::EB_HAS_MEMORY, ..Row::default() };
        assert_eq!(row.memory(4096).map(|m| m.rss_bytes()), Some(5 * 4096));
        assert_eq!(Row { anon_pages: -1, ..row }.memory(4096).map(|m| m.rss_bytes()), Some(0));
    }
}

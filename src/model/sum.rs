//! Several processes as one row: a subtree, a group.

use super::growth::Gain;
use crate::sample::{Memory, Task};

/// The figures of several processes added up, in the form of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// How many.
    pub count: u32,
    /// Who they are is that of the first; counters, memory and threads are those of all. Pages that several share count in each.
    pub task: Task,
    /// All of them were born within the tick.
    pub is_new: bool,
    /// All of them have ended, and wait for their parents to ask how.
    pub are_zombies: bool,
    /// What all gained.
    pub gain: Gain,
}

impl Sum {
    /// Adds one; the first gives its name to all.
    pub fn add(&mut self, task: &Task, gain: &Gain, is_new: bool) {
        self.count += 1;
        if self.count == 1 {
            (self.task, self.gain, self.is_new, self.are_zombies) = (*task, *gain, is_new, task.is_zombie());
            return;
        }
        self.task.threads = self.task.threads.saturating_add(task.threads);
        self.task.counters.add(&task.counters);
        self.task.memory = either(self.task.memory, task.memory, add_memory);
        self.is_new &= is_new;
        self.are_zombies &= task.is_zombie();
        self.gain.counters.add(&gain.counters);
        let both = |(before, now): (Memory, Memory), (b, n)| (add_memory(before, b), add_memory(now, n));
        self.gain.memory = either(self.gain.memory, gain.memory, both);
    }

    /// Resident memory and counters without anybody's name, for a group.
    #[must_use]
    pub fn nameless(self) -> Sum {
        let Task { counters, memory, threads, .. } = self.task;
        Sum { task: Task { counters, memory, threads, ..Task::default() }, ..self }
    }
}

/// Known where either is, as with [`Counters::add`].
fn either<T>(a: Option<T>, b: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

fn add_memory(a: Memory, b: Memory) -> Memory {
    Memory {
        anon_bytes: a.anon_bytes.saturating_add(b.anon_bytes),
        file_bytes: a.file_bytes.saturating_add(b.file_bytes),
        shmem_bytes: a.shmem_bytes.saturating_add(b.shmem_bytes),
        swap_bytes: a.swap_bytes.saturating_add(b.swap_bytes),
        vm_bytes: a.vm_bytes.saturating_add(b.vm_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::growth::Growth;
    use crate::sample::{Counter, Counters, ProcKey};

    fn process(pid: u32, cpu_ns: u64, anon_bytes: Option<u64>) -> (Task, Gain) {
        let key = ProcKey { pid, start_ns: 1 };
        let memory = anon_bytes.map(|anon_bytes| Memory { anon_bytes, ..Memory::default() });
        let counters = Counters::default().with(Counter::CpuNs, cpu_ns);
        let gain = Gain { counters, memory: memory.map(|now| (Memory::default(), now)) };
        (Task { key, threads: 2, counters, memory, ..Task::default() }, gain)
    }

    #[test]
    fn everything_adds_up_under_the_name_of_the_first() {
        let mut sum = Sum::default();
        for (task, gain) in [process(1, 10, Some(4096)), process(2, 5, None), process(3, 1, Some(8192))] {
            sum.add(&task, &gain, false);
        }
        assert_eq!((sum.count, sum.task.key.pid, sum.task.threads), (3, 1, 6));
        let growth = Growth::Gain(&sum.gain);
        assert_eq!((sum.task.counters.get(Counter::CpuNs), growth.get(Counter::CpuNs)), (Some(16), Some(16)));
        assert_eq!((sum.task.memory.map(|m| m.anon_bytes), growth.of_memory(Memory::rss_bytes)), (Some(12_288), Some(12_288)));
        assert_eq!(sum.nameless().task.key, ProcKey::default());
    }

    #[test]
    fn a_group_has_ended_once_all_of_it_has() {
        let of = |members: &[(u8, u32)]| {
            let mut sum = Sum::default();
            let task = |&(state, threads): &(u8, u32)| Task { state, threads, ..Task::default() };
            members.iter().for_each(|member| sum.add(&task(member), &Gain::default(), false));
            sum.nameless().are_zombies
        };
        assert_eq!([of(&[(b'Z', 1), (b'Z', 1)]), of(&[(b'Z', 1), (b'S', 1)]), of(&[(b'Z', 4)])], [true, false, false]);
    }

    #[test]
    fn memory_beyond_all_measure_does_not_overflow() {
        let mut sum = Sum::default();
        for (task, gain) in [process(1, 1, Some(u64::MAX)), process(2, 1, Some(u64::MAX))] {
            sum.add(&task, &gain, true);
        }
        assert!(sum.is_new && sum.task.memory.is_some_and(|m| m.anon_bytes == u64::MAX));
    }
}

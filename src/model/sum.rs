//! Several processes as one row: a subtree, a group.

use super::Row;
use crate::sample::{Counters, Memory, Task};

/// The figures of several processes added up, in the form of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// How many.
    pub count: u32,
    /// Who they are is that of the first; counters, memory and threads are those of all. Pages that several share count in each.
    pub task: Task,
    /// Growth of all.
    pub row: Row,
}

impl Sum {
    /// Adds one; the first gives its name to all.
    pub fn add(&mut self, task: &Task, row: &Row) {
        self.count += 1;
        if self.count == 1 {
            (self.task, self.row) = (*task, *row);
            return;
        }
        self.task.threads = self.task.threads.saturating_add(task.threads);
        self.task.counters.add(&task.counters);
        self.task.memory = either(self.task.memory, task.memory, add_memory);
        self.row.is_new &= row.is_new;
        self.row.delta.add(&row.delta);
        self.row.rss_growth_bytes = either(self.row.rss_growth_bytes, row.rss_growth_bytes, i64::saturating_add);
        self.row.vm_growth_bytes = either(self.row.vm_growth_bytes, row.vm_growth_bytes, i64::saturating_add);
    }

    /// The sum of all of these.
    pub fn of<'a>(all: impl IntoIterator<Item = (&'a Task, &'a Row)>) -> Sum {
        let mut sum = Sum::default();
        all.into_iter().for_each(|(task, row)| sum.add(task, row));
        sum
    }

    /// Resident memory and counters without anybody's name, for a group.
    #[must_use]
    pub fn nameless(self) -> Sum {
        let Task { counters, memory, threads, .. } = self.task;
        Sum { task: Task { counters, memory, threads, ..Task::default() }, ..self }
    }

    /// Growth of all.
    pub fn delta(&self) -> &Counters {
        &self.row.delta
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
    use crate::sample::{Counter, ProcKey};

    fn process(pid: u32, cpu_ns: u64, anon_bytes: Option<u64>) -> (Task, Row) {
        let key = ProcKey { pid, start_ns: 1 };
        let memory = anon_bytes.map(|anon_bytes| Memory { anon_bytes, ..Memory::default() });
        let counters = Counters::default().with(Counter::CpuNs, cpu_ns);
        let row = Row { delta: counters, rss_growth_bytes: anon_bytes.map(|b| b as i64), ..Row::default() };
        (Task { key, threads: 2, counters, memory, ..Task::default() }, row)
    }

    #[test]
    fn everything_adds_up_under_the_name_of_the_first() {
        let all = [process(1, 10, Some(4096)), process(2, 5, None), process(3, 1, Some(u64::MAX))];
        let sum = Sum::of(all.iter().map(|(task, row)| (task, row)));
        assert_eq!((sum.count, sum.task.key.pid, sum.task.threads), (3, 1, 6));
        assert_eq!((sum.task.counters.get(Counter::CpuNs), sum.delta().get(Counter::CpuNs)), (Some(16), Some(16)));
        assert_eq!(sum.task.memory.map(|m| m.anon_bytes), Some(u64::MAX));
        assert_eq!(sum.row.rss_growth_bytes, Some(4095), "-1 is what is left of u64::MAX");
        assert_eq!(sum.nameless().task.key, ProcKey::default());
    }
}

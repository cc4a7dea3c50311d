//! The columns of the table of control groups.

use super::value::{Value, Value::*, bytes, known};
use super::{Columns, Spec, columns, num, share, size, word};
use crate::model::Model;
use crate::model::cgroups::CgroupRow;
use crate::sample::{Cgroup, Counter, Counter::*, Wants};

/// A line of the table of control groups.
#[derive(Clone, Copy, Debug)]
pub struct CgroupView<'a> {
    /// The group.
    pub group: &'a Cgroup,
    /// What it gained.
    pub row: &'a CgroupRow,
    /// Time over which its processes gained; 0 = no rates.
    pub elapsed_ns: u64,
    /// It goes by its whole path, not by the end of it.
    pub whole_path: bool,
}

impl<'a> CgroupView<'a> {
    /// The line of a row; `None` for one that this model does not have.
    pub fn new(model: &'a Model, row: &'a CgroupRow) -> Option<Self> {
        let group = model.sample.cgroups.as_deref()?.list.get(row.group as usize)?;
        Some(CgroupView { group, row, elapsed_ns: model.elapsed_ns, whole_path: true })
    }

    /// All of a model.
    pub fn all(model: &'a Model) -> impl Iterator<Item = Self> {
        model.cgroups.iter().filter_map(|row| CgroupView::new(model, row))
    }

    /// The same by its whole path, or by the end of it.
    #[must_use]
    pub fn with_path(self, whole_path: bool) -> Self {
        CgroupView { whole_path, ..self }
    }

    /// What it is called.
    pub fn name(&self) -> &'a str {
        let path = &self.group.path;
        match path.rfind('/') {
            Some(slash) if !self.whole_path && slash + 1 < path.len() => &path[slash + 1..],
            _ => path,
        }
    }

    /// Growth of one of its own counters, a second.
    fn per_sec(&self, growth: Option<u64>) -> Option<f64> {
        growth.filter(|_| self.row.elapsed_ns > 0).map(|growth| growth as f64 * 1e9 / self.row.elapsed_ns as f64)
    }

    /// A time of its own, as percent of the time that passed.
    fn percent(&self, growth: Option<u64>) -> Option<f64> {
        Some(self.per_sec(growth)? / 1e7)
    }

    /// CPU time. A group that only hierarchies without that are told of (memory of cgroup v1) has what its processes used.
    fn cpu_pct(&self) -> Option<f64> {
        let of_processes = || {
            let gain = self.row.gain.get(Counter::CpuNs).or((self.row.processes == Some(0)).then_some(0))?;
            (self.elapsed_ns > 0).then(|| gain as f64 * 100.0 / self.elapsed_ns as f64)
        };
        match self.group.cpu_ns {
            Some(_) => self.percent(self.row.cpu_ns),
            None => of_processes(),
        }
    }

    /// What its processes gained of two counters, a second; known if both are.
    fn of_processes(&self, a: Counter, b: Counter) -> Option<f64> {
        let sum = self.row.gain.get(a)?.checked_add(self.row.gain.get(b)?)?;
        (self.elapsed_ns > 0).then(|| sum as f64 * 1e9 / self.elapsed_ns as f64)
    }

    /// It was limited, or is: without a limit nothing is held back, and there is nothing to say.
    fn is_limited(&self) -> bool {
        self.group.cpu_max_milli.is_some() || self.row.periods.is_some_and(|periods| periods > 0)
    }

    fn throttled_pct(&self) -> Option<f64> {
        let (periods, throttled) = (self.row.periods?, self.row.throttled_periods?);
        self.is_limited().then(|| throttled as f64 * 100.0 / periods.max(1) as f64)
    }

    fn memory_pct(&self) -> Option<f64> {
        let most = self.group.memory_max_bytes.filter(|&most| most > 0)?;
        Some(self.group.memory_bytes? as f64 * 100.0 / most as f64)
    }

    fn pressure(&self, resource: usize) -> Value<'a> {
        known(self.group.pressure[resource], |pct| Percent(pct.into()))
    }

    fn worst_pressure(&self) -> Option<f64> {
        self.group.pressure.iter().flatten().map(|&pct| f64::from(pct)).reduce(f64::max)
    }
}

/// Kinds of memory come from a file that costs the kernel a sum over all CPUs.
const KINDS: Wants = Wants { cgroup_memory: true, ..Wants::NONE };

columns! {
    /// A column of the table of control groups.
    pub enum CgroupColumn(row: CgroupView)
    Processes: num("PROCS", "procs", &["processes"], 5, 200),
        "Processes in the cgroup and below it. Blank where its threads are of processes that belong to one above."
        => known(row.row.processes, |count| Exact(count.into()));
    CpuPct: share("CPU%", "cpu", &["cpu_ns"], 5, 240),
        "CPU time of it and all below over elapsed time, one core = 100, those that ended included. From cpu.stat, or cpuacct.usage of cgroup v1; where v1 has the cgroup for other controllers alone, the sum of its processes, without those that ended."
        => known(row.cpu_pct(), Percent);
    Throttled: share("THROTTLE%", "throttle", &["periods", "throttled_periods"], 9, 195),
        "Share of the periods of its own CPU limit in which it had used all it may and was stopped. From nr_throttled and nr_periods of cpu.stat; blank without a limit. Limits of those above and below it are theirs."
        => known(row.throttled_pct(), Percent);
    Memory: size("MEM", "mem", &["memory_bytes"], 5, 230).also(&["rss"]),
        "Memory that it and all below are charged for, page cache included: more than the sum of RSS, or less where pages are charged to others. From memory.current, or memory.usage_in_bytes; the root has none."
        => bytes(row.group.memory_bytes);
    MemoryPct: share("MEM/MAX", "memmax", &["memory_bytes", "memory_max_bytes"], 7, 188),
        "MEM as percent of its own limit (memory.max); blank without one. Near 100 the kernel reclaims page cache first, then stops the processes or kills one."
        => known(row.memory_pct(), Percent);
    Psi: share("PSI", "psi", &["cpu_pressure_pct", "memory_pressure_pct", "io_pressure_pct"], 5, 160),
        "Pressure: share of the last 10 s that some of its tasks waited, the worst of CPU, memory and I/O. From cpu.pressure, memory.pressure and io.pressure; cgroup v1 has none."
        => known(row.worst_pressure(), Percent);
    Net: size("NET/s", "net", &["tx_bytes", "rx_bytes"], 6, 190),
        "Application bytes a second over TCP and UDP, summed from the processes in it and below: the kernel keeps none by cgroup. Those that exited count where cgroup v2 has them."
        => known(row.of_processes(TxBytes, RxBytes), BytesPerSec);
    Io: size("IO/s", "io", &["read_bytes", "write_bytes"], 6, 185),
        "Block reads caused and pages dirtied, bytes a second, summed from the processes in it and below. What reached the devices is DEVR/s and DEVW/s. Those that exited count where cgroup v2 has them."
        => known(row.of_processes(ReadBytes, WriteBytes), BytesPerSec);
    MemoryMax: size("MAX", "max", &["memory_max_bytes"], 5, 120),
        "Its own limit of memory (memory.max, or memory.limit_in_bytes); blank without one."
        => bytes(row.group.memory_max_bytes);
    CpuMax: share("CPUMAX", "cpumax", &["cpu_max_milli"], 6, 119),
        "Its own limit of CPU time, one core = 100 (cpu.max, or cpu.cfs_quota_us); blank without one."
        => known(row.group.cpu_max_milli, |milli| Percent(milli as f64 / 10.0));
    ThrottledTime: share("STOPPED%", "stopped", &["throttled_ns"], 8, 116),
        "Time that it was stopped by its CPU limit, over elapsed time; each CPU on which something of it could have run counts, so it may exceed 100. Blank without a limit."
        => known(row.percent(row.row.throttled_ns).filter(|_| row.is_limited()), Percent);
    PsiCpu: share("PSI-CPU", "psicpu", &["cpu_pressure_pct"], 7, 110),
        "Share of the last 10 s that some of its tasks waited for a CPU; throttling is in it."
        => row.pressure(0);
    PsiMemory: share("PSI-MEM", "psimem", &["memory_pressure_pct"], 7, 109),
        "Share of the last 10 s that some of its tasks waited for memory: reclaim, and pages that were dropped too early."
        => row.pressure(1);
    PsiIo: share("PSI-IO", "psiio", &["io_pressure_pct"], 6, 108),
        "Share of the last 10 s that some of its tasks waited for I/O."
        => row.pressure(2);
    DeviceRead: size("DEVR/s", "devread", &["device_read_bytes"], 6, 106),
        "Bytes a second read from devices for it. From io.stat, or blkio.throttle of cgroup v1, where the controller is on."
        => known(row.per_sec(row.row.device_read_bytes), BytesPerSec);
    DeviceWrite: size("DEVW/s", "devwrite", &["device_write_bytes"], 6, 105),
        "Bytes a second written to devices for it. Cgroup v1 leaves out what the kernel writes back later."
        => known(row.per_sec(row.row.device_write_bytes), BytesPerSec);
    Anon: size("ANON", "anon", &["anon_bytes"], 5, 100).wanting(KINDS),
        "Anonymous memory in MEM: heap, stacks, private copies. It can only be swapped. From memory.stat."
        => bytes(row.group.anon_bytes);
    File: size("FILE", "file", &["file_bytes"], 5, 99).wanting(KINDS),
        "Page cache in MEM: most of it can be dropped when memory is short. From memory.stat."
        => bytes(row.group.file_bytes);
    Name: word("NAME", "name", &["path"], 12, 255).also(&["cgroup", "path", "command"]),
        "Name of the cgroup, in the tree below the one it is in. Several hierarchies of cgroup v1 are one tree here: what has the same path is one."
        => Text(row.name().into());
}

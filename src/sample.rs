//! The contract between the kernel half and the screen half: plain data, no imports from other rooms.
//!
//! A [`Sample`] holds raw, cumulative counters read at one instant; a rate is a pure function of two samples
//! (`model::Model::between`). Times are nanoseconds of `CLOCK_BOOTTIME`, the clock of `task_struct::start_boottime`,
//! unless a name says otherwise. Unknown is never 0: counters carry which of them are known, gauges are `Option`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A process, for good: the kernel reuses pids, but never with the same start time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcKey {
    /// Thread-group id in the initial pid namespace.
    pub pid: u32,
    /// Start of the group leader, ns since boot (10 ms resolution when it came from /proc).
    pub start_ns: u64,
}

/// The kernel's 16-byte task name, as bytes: it may hold anything but NUL. Only `Display` is fit for a terminal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// Cuts `name` to the kernel's 15 bytes.
    pub fn new(name: &[u8]) -> Self {
        let mut comm = [0; 16];
        let len = name.iter().position(|&b| b == 0).unwrap_or(name.len()).min(15);
        comm[..len].copy_from_slice(&name[..len]);
        Comm(comm)
    }

    /// The bytes before the first NUL.
    pub fn bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        &self.0[..len]
    }
}

impl fmt::Display for Comm {
    /// Printable text: control characters become `�`, as does what is not UTF-8.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.bytes()))
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Text from a process, made fit for a terminal: control characters, invisible direction marks and what is not UTF-8 become `�`.
pub fn printable(bytes: &[u8]) -> String {
    if bytes.iter().all(|b| (b' '..=b'~').contains(b)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    String::from_utf8_lossy(bytes).chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that move the cursor, start an escape sequence or reorder the text around them.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Every cumulative counter a process has. One list serves collection, rates, sums, columns and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Counter {
    /// On-CPU time (`se.sum_exec_runtime` of live threads + `signal->sum_sched_runtime`), ns.
    CpuNs,
    /// The user share of `CpuNs`, split by the kernel's tick-sampled ratio, ns.
    UserNs,
    /// The kernel share of `CpuNs`, ns.
    SystemNs,
    /// Time runnable but not running (`sched_info.run_delay`), ns, live threads only.
    WaitNs,
    /// Voluntary context switches.
    VoluntarySwitches,
    /// Involuntary context switches.
    InvoluntarySwitches,
    /// Minor faults.
    MinorFaults,
    /// Major faults.
    MajorFaults,
    /// Bytes of block reads caused (`ioac.read_bytes`).
    ReadBytes,
    /// Bytes of pages dirtied (`ioac.write_bytes`), not yet of device writes.
    WriteBytes,
    /// Dirtied bytes that were truncated before they reached the device.
    CancelledWriteBytes,
    /// Application bytes that send calls returned, TCP and UDP.
    TxBytes,
    /// Application bytes that receive calls returned, TCP and UDP; peeks excluded.
    RxBytes,
    /// Successful send calls (each message of sendmmsg counts).
    TxMessages,
    /// Successful receive calls.
    RxMessages,
    /// TCP segments retransmitted by the sockets the process moved bytes on.
    Retransmits,
    /// Kernel page allocations while the process was current. Counted only while something shows them.
    PageAllocs,
    /// Bytes of `PageAllocs`.
    PageAllocBytes,
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = 18;
    /// All of them, in order.
    pub const ALL: [Counter; Self::COUNT] = {
        use Counter::*;
        [
            CpuNs,
            UserNs,
            SystemNs,
            WaitNs,
            VoluntarySwitches,
            InvoluntarySwitches,
            MinorFaults,
            MajorFaults,
            ReadBytes,
            WriteBytes,
            CancelledWriteBytes,
            TxBytes,
            RxBytes,
            TxMessages,
            RxMessages,
            Retransmits,
            PageAllocs,
            PageAllocBytes,
        ]
    };
}

/// A value for each [`Counter`], each known or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    known: u32,
    values: [u64; Counter::COUNT],
}

impl Counters {
    /// The value, or `None` where it could not be learnt.
    pub fn get(&self, counter: Counter) -> Option<u64> {
        (self.known & (1 << counter as u32) != 0).then(|| self.values[counter as usize])
    }

    /// Makes the counter known.
    pub fn set(&mut self, counter: Counter, value: u64) {
        self.known |= 1 << counter as u32;
        self.values[counter as usize] = value;
    }

    /// The same as [`Counters::set`], for building one in an expression.
    #[must_use]
    pub fn with(mut self, counter: Counter, value: u64) -> Self {
        self.set(counter, value);
        self
    }

    /// Adds `other`; a counter is known in the sum where either side knows it.
    pub fn add(&mut self, other: &Counters) {
        self.known |= other.known;
        for (a, b) in self.values.iter_mut().zip(other.values) {
            *a = a.saturating_add(b);
        }
    }

    /// Growth since `earlier`; known where both are. A counter that shrank (a thread left mid-walk) grew by 0.
    #[must_use]
    pub fn since(&self, earlier: &Counters) -> Counters {
        let known = self.known & earlier.known;
        let mut values = [0; Counter::COUNT];
        for (i, value) in values.iter_mut().enumerate() {
            if known & (1 << i) != 0 {
                *value = self.values[i].saturating_sub(earlier.values[i]);
            }
        }
        Counters { known, values }
    }

    /// Keeps every counter that both know from falling below `floor`, so that a total never runs backwards.
    pub fn hold_above(&mut self, floor: &Counters) {
        let known = self.known & floor.known;
        for (i, value) in self.values.iter_mut().enumerate() {
            if known & (1 << i) != 0 {
                *value = (*value).max(floor.values[i]);
            }
        }
    }
}

/// What a process has resident, bytes. From 6.2 the kernel batches these per CPU: each may be off by 64 pages × CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Anonymous resident bytes.
    pub anon_bytes: u64,
    /// File-backed resident bytes.
    pub file_bytes: u64,
    /// Shared-memory resident bytes.
    pub shmem_bytes: u64,
    /// Bytes swapped out.
    pub swap_bytes: u64,
    /// Address space (`mm->total_vm`).
    pub vm_bytes: u64,
}

impl Memory {
    /// Resident set: anon + file + shmem.
    pub fn rss_bytes(&self) -> u64 {
        self.anon_bytes + self.file_bytes + self.shmem_bytes
    }
}

/// One process (all its threads folded), raw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Who.
    pub key: ProcKey,
    /// Parent process.
    pub ppid: u32,
    /// Real user id.
    pub uid: u32,
    /// Name of the leader thread.
    pub comm: Comm,
    /// `R S D T t Z X I` as in ps; `X` also for one that left the task list and whose last words are still to come.
    pub state: u8,
    /// True for kernel threads (no address space of their own).
    pub kernel_thread: bool,
    /// Nice value, -20 to 19.
    pub nice: i8,
    /// Threads alive.
    pub threads: u32,
    /// CPU it last ran on.
    pub last_cpu: u32,
    /// Changes at every exec, so that a stale command line can be told (0 = unknown).
    pub exec_id: u64,
    /// Id of its cgroup in the default hierarchy (0 = unknown).
    pub cgroup_id: u64,
    /// Cumulative counters since its start.
    pub counters: Counters,
    /// Resident memory; `None` for kernel threads, zombies and where refused.
    pub memory: Option<Memory>,
}

/// The last words of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Final state: counters are its lifetime's totals, memory what it held when it began to exit (where the kernel still had it).
    pub task: Task,
    /// When the kernel let go of it.
    pub at_ns: u64,
    /// `exit()` status, 0–255.
    pub code: u8,
    /// Signal that killed it, 0 = none.
    pub signal: u8,
    /// Peak resident bytes over its life, where known.
    pub peak_rss_bytes: Option<u64>,
}

/// Transport of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// TCP's own truth for one socket, cumulative, whatever path the bytes took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Bytes the peer acknowledged.
    pub acked_bytes: u64,
    /// In-order bytes received.
    pub received_bytes: u64,
    /// Segments retransmitted.
    pub retransmits: u64,
    /// Smoothed round-trip time, µs; `None` = no sample yet.
    pub rtt_us: Option<u32>,
    /// Bytes queued and not yet acknowledged.
    pub send_queue_bytes: u32,
    /// Bytes received and not yet read; for a listener, connections waiting to be accepted.
    pub receive_queue_bytes: u32,
}

/// What one process moved over one socket. A socket shared by several processes has one of these for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// The kernel's socket cookie: never reused while the machine is up.
    pub cookie: u64,
    /// Who moved the bytes; `None` = an open socket whose owner is not known.
    pub owner: Option<ProcKey>,
    /// Transport.
    pub protocol: Protocol,
    /// TCP state number of `include/net/tcp_states.h` (1 = ESTABLISHED); 7 = CLOSE, also an unconnected UDP socket.
    pub state: u8,
    /// Local address; v4-mapped addresses are shown as v4.
    pub local: std::net::SocketAddr,
    /// Remote address; unspecified when not connected.
    pub remote: std::net::SocketAddr,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Application bytes sent by this process.
    pub tx_bytes: u64,
    /// Application bytes received by this process.
    pub rx_bytes: u64,
    /// Send calls.
    pub tx_messages: u64,
    /// Receive calls.
    pub rx_messages: u64,
    /// First seen by ebtop.
    pub since_ns: u64,
    /// TCP's counters.
    pub tcp: Option<TcpInfo>,
    /// It closed since the sample before: these are its last words.
    pub closed: bool,
}

/// How far up a stack the unwinder came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StackQuality {
    /// Reached the thread's start (or the sample was in a kernel thread).
    Complete,
    /// Ended early: no frame pointer, unreadable stack.
    #[default]
    Cut,
    /// Ended at the depth limit.
    Deep,
}

/// Equal stacks of one thread since the sample before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackCount {
    /// Whose.
    pub key: ProcKey,
    /// Which thread.
    pub tid: u32,
    /// The thread's name.
    pub comm: Comm,
    /// How often it was seen.
    pub count: u32,
    /// Kernel addresses, innermost first; empty in user mode. Callers (all but the first) point into the call, one byte before the return address.
    pub kernel: Arc<[u64]>,
    /// User addresses, likewise; empty for kernel threads.
    pub user: Arc<[u64]>,
    /// Whether `user` is whole.
    pub quality: StackQuality,
}

/// The timed stack samples taken since the sample before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// Rate of the timer on each CPU, Hz; 0 = off.
    pub hz: u32,
    /// Folded samples.
    pub counts: Vec<StackCount>,
}

/// Time of one CPU by kind, cumulative ns (10 ms resolution from /proc/stat).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTimes {
    /// User, virtual machines included (the kernel counts guest time here too), without nice.
    pub user_ns: u64,
    /// Niced user, niced virtual machines included.
    pub nice_ns: u64,
    /// Kernel.
    pub system_ns: u64,
    /// Idle.
    pub idle_ns: u64,
    /// Idle with I/O outstanding.
    pub iowait_ns: u64,
    /// Hard interrupts.
    pub irq_ns: u64,
    /// Soft interrupts.
    pub softirq_ns: u64,
    /// Taken by the hypervisor.
    pub steal_ns: u64,
}

/// Machine memory, bytes, from /proc/meminfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineMemory {
    /// MemTotal.
    pub total_bytes: u64,
    /// MemFree.
    pub free_bytes: u64,
    /// MemAvailable.
    pub available_bytes: u64,
    /// Buffers.
    pub buffers_bytes: u64,
    /// Cached + SReclaimable - Shmem, as htop counts cache.
    pub cache_bytes: u64,
    /// Shmem.
    pub shared_bytes: u64,
    /// SwapTotal.
    pub swap_total_bytes: u64,
    /// SwapFree.
    pub swap_free_bytes: u64,
}

/// Share of time that something waited for a resource, last 10 s, percent ("some" of /proc/pressure).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// CPU.
    pub cpu_pct: f32,
    /// Memory.
    pub memory_pct: f32,
    /// I/O.
    pub io_pct: f32,
}

/// What belongs to no process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Host name.
    pub host: String,
    /// Kernel release.
    pub kernel: String,
    /// Online CPUs in order of their number.
    pub cpus: Vec<(u32, CpuTimes)>,
    /// All CPUs together (includes those that went offline).
    pub total: CpuTimes,
    /// This kernel keeps interrupt time out of on-CPU time (CONFIG_IRQ_TIME_ACCOUNTING), so that the two add up;
    /// else it is inside the run time of whoever was interrupted. `None` = not known.
    pub irq_apart: Option<bool>,
    /// The same for steal (CONFIG_PARAVIRT_TIME_ACCOUNTING).
    pub steal_apart: Option<bool>,
    /// Memory.
    pub memory: MachineMemory,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: [f32; 3],
    /// Time since boot.
    pub uptime_ns: u64,
    /// Runnable threads now.
    pub running: u32,
    /// Threads now.
    pub threads: u32,
    /// Bytes received on the wire, cumulative: by interfaces with hardware; where there are none (a container), by all but loopback.
    pub wire_rx_bytes: u64,
    /// Bytes sent on the wire.
    pub wire_tx_bytes: u64,
    /// Bytes read from disks (whole devices; no partitions, no devices stacked on others, none in memory), cumulative.
    pub disk_read_bytes: u64,
    /// Bytes written to disks.
    pub disk_write_bytes: u64,
    /// Pressure, where the kernel has it.
    pub pressure: Option<Pressure>,
}

/// A part of the kernel half that works, or does not, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// CPU, faults, memory, I/O of live processes, and the last words of exited ones.
    Tasks,
    /// Bytes per socket and process.
    Net,
    /// Timed stack samples.
    Stacks,
    /// Page allocations.
    Mem,
}

impl Domain {
    /// All domains.
    pub const ALL: [Domain; 4] = [Domain::Tasks, Domain::Net, Domain::Stacks, Domain::Mem];

    /// Its name on screen and in JSON.
    pub fn name(self) -> &'static str {
        ["tasks", "net", "stacks", "mem"][self as usize]
    }
}

/// How a domain is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// All of it works.
    Live,
    /// Runs, but only when asked: its probe is attached while something on screen shows it.
    Standby,
    /// Part of it works.
    Degraded {
        /// What is missing, why, and the fix, in one line.
        reason: String,
    },
    /// None of it works.
    Off {
        /// Why, and the fix, in one line.
        reason: String,
    },
}

/// Health and losses of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatus {
    /// Which.
    pub domain: Domain,
    /// How it is.
    pub health: Health,
    /// Events lost since ebtop started (full map or ring, failed read).
    pub lost: u64,
    /// What the kernel hooks in use cost, in words for the screen, e.g. `~70 ns a send or receive`.
    pub cost: Option<String>,
}

/// Everything read at one instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When the task walk ended, `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// The same instant, Unix time, ms.
    pub unix_ms: u64,
    /// Live processes, ascending by key, each key once.
    pub tasks: Vec<Task>,
    /// Processes that ended since the sample before.
    pub exits: Vec<Exit>,
    /// Sockets; empty unless wanted ([`Wants::sockets`]).
    pub sockets: Vec<Socket>,
    /// Stack samples since the sample before.
    pub stacks: Stacks,
    /// The machine.
    pub machine: Machine,
    /// One status for each domain.
    pub status: Vec<DomainStatus>,
    /// On-CPU time of ebtop itself, cumulative ns.
    pub own_cpu_ns: u64,
}

impl Sample {
    /// Takes over the events of an `earlier` sample that nobody saw, so that merging two ticks loses no exit, closed socket or stack.
    /// Of each kind the newest [`EVENTS_MAX`] stay; what is given back was lost.
    #[must_use]
    pub fn keep_events_of(&mut self, mut earlier: Sample) -> [(Domain, u64); 3] {
        let exits = prepend(earlier.exits, &mut self.exits, |_| 1);
        let stacks = prepend(earlier.stacks.counts, &mut self.stacks.counts, |stack| stack.count.into());
        earlier.sockets.retain(|socket| socket.closed);
        let (mut closed, live): (Vec<_>, Vec<_>) = self.sockets.drain(..).partition(|socket| socket.closed);
        let sockets = prepend(earlier.sockets, &mut closed, |_| 1);
        self.sockets.extend(live.into_iter().chain(closed));
        [(Domain::Tasks, exits), (Domain::Net, sockets), (Domain::Stacks, stacks)]
    }
}

/// Events of one kind that merged samples hold at most: minutes of a busy machine without a screen that looks.
pub const EVENTS_MAX: usize = 16_384;

/// Puts `earlier` events before `later` ones and drops the oldest where they are too many; the sum of their weights.
fn prepend<T>(mut earlier: Vec<T>, later: &mut Vec<T>, weight: fn(&T) -> u64) -> u64 {
    earlier.append(later);
    let excess = earlier.len().saturating_sub(EVENTS_MAX);
    let lost = earlier.drain(..excess).map(|event| weight(&event)).sum();
    *later = earlier;
    lost
}

/// Slow facts about a process, read from /proc once per process and exec, only when asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Arguments joined by spaces, control characters replaced; empty for kernel threads.
    pub cmdline: String,
    /// Path of the executable; `None` where refused.
    pub exe: Option<String>,
    /// Name of the user, or the number where there is none.
    pub user: String,
    /// Path of its cgroup (default hierarchy, else the named systemd one); `None` where refused.
    pub cgroup: Option<String>,
}

/// What the screen shows now, and so what must be collected beyond the basics. Costly probes live as long as their want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// List sockets one by one.
    pub sockets: bool,
    /// Count page allocations.
    pub page_allocs: bool,
}

/// From the screen to the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Time between two samples.
    SetInterval(Duration),
    /// What is on screen.
    Want(Wants),
    /// Read the details of these; answered by [`Update::Details`] without waiting for the tick. Already known ones are answered again.
    Details(Vec<(ProcKey, u64)>),
    /// Take a sample now.
    SampleNow,
    /// Take one sample more after this time; the clock goes on as it was.
    SampleSoon(Duration),
    /// Stop.
    Quit,
}

/// From the collector to the screen.
#[derive(Clone, Debug)]
pub enum Update {
    /// A new sample.
    Sample(Arc<Sample>),
    /// Details that were asked for; a process that is gone is left out.
    Details(Vec<(ProcKey, Details)>),
    /// The source ended (a replay ran out), or failed for good.
    End(Option<String>),
}

//! The columns of process tables.

use super::row::{RowView, Subject};
use super::value::{Value, Value::*, bytes, known};
use super::{Columns, Spec, columns, num, share, size, time, word};
use crate::app::trends::Trend;
use crate::sample::{Counter::*, Memory, Wants};

columns! {
    /// A column of a table of processes.
    pub enum Column(row: RowView)
    Pid: num("PID", "pid", &["pid"], 7, 250),
        "Process id in the initial pid namespace; of a thread, the thread's. Where PID/NS is not shown, a process in another pid namespace has its id there behind a slash, or as much of that as has room: a slash alone says that its container knows it by another number."
        => pid(row);
    Ppid: num("PPID", "ppid", &["ppid"], 7, 60),
        "Process id of the parent; of a thread, of its process."
        => row.task().map_or(Unknown, |t| Exact(t.ppid.into()));
    User: word("USER", "user", &["user"], 8, 200),
        "Name of the real user id; the number until the name has been read."
        => user(row);
    State: word("S", "state", &["state"], 1, 190),
        "R runs or waits for a CPU, S sleeps, D sleeps uninterruptibly, T stopped, t traced, Z zombie, I idle kernel thread, X gone. Of a group only Z, where all of it are."
        => Text(state(row).into());
    Threads: num("THR", "threads", &["threads"], 4, 58).also(&["thr"]),
        "Threads alive."
        => known(row.threads(), |threads| Exact(threads.into()));
    Nice: num("NI", "nice", &["nice"], 3, 56).also(&["ni"]),
        "Nice value, -20 (favoured) to 19."
        => known(row.running(), |t| Exact(t.nice.into()));
    CpuPct: share("CPU%", "cpu", &["cpu_ns"], 5, 240),
        "On-CPU time of all threads over elapsed time, one core = 100. From the scheduler's nanoseconds, threads that ended included; a thread running now may lag by up to a timer tick."
        => known(row.percent(CpuNs), Percent);
    UserPct: share("USR%", "usr", &["user_ns"], 5, 120),
        "User share of CPU%. The kernel splits it by what the timer tick hit, so short bursts are coarse."
        => known(row.percent(UserNs), Percent);
    SystemPct: share("SYS%", "sys", &["system_ns"], 5, 119),
        "Kernel share of CPU%. The kernel splits it by what the timer tick hit, so short bursts are coarse."
        => known(row.percent(SystemNs), Percent);
    WaitPct: share("WAIT%", "wait", &["wait_ns"], 5, 170),
        "Time its threads were runnable without a CPU, over elapsed time; 100 = one thread waited all the time. From the scheduler's run delay; threads that ended within the tick are not in it."
        => known(row.wait_percent(), Percent);
    Rss: size("RSS", "rss", &["rss_bytes"], 5, 210).also(&["mem"]),
        "Resident bytes: anonymous + file + shared memory. Pages shared by several processes count in each. From 6.2 the kernel batches these counters per CPU: above 3,000 threads each may be off by 32 pages or twice the number of CPUs, for every CPU."
        => bytes(row.memory().map(Memory::rss_bytes));
    Faults: num("FLT/s", "flt", &["min_flt", "maj_flt"], 6, 160).also(&["faults"]),
        "Page faults a second, minor and major, as getrusage counts them. A fault is not bytes: one may map 4 KiB or 2 MiB."
        => known(row.per_sec_of_both(MinorFaults, MajorFaults), PerSec);
    MinorFaults: num("MIN/s", "minflt", &["min_flt"], 6, 115).also(&["min"]),
        "Minor page faults a second, as getrusage counts them."
        => known(row.per_sec(MinorFaults), PerSec);
    MajorFaults: num("MAJ/s", "majflt", &["maj_flt"], 6, 54).also(&["maj"]),
        "Page faults a second that had to wait for a device, as getrusage counts them."
        => known(row.per_sec(MajorFaults), PerSec);
    Net: size("NET/s", "net", &["tx_bytes", "rx_bytes"], 6, 180),
        "Application bytes sent + received a second over TCP and UDP, from what the calls returned; headers and retransmits are not in it."
        => known(row.per_sec_of_both(TxBytes, RxBytes), BytesPerSec);
    Io: size("IO/s", "io", &["read_bytes", "write_bytes"], 6, 150),
        "R/s + W/s: block reads caused and pages dirtied, bytes a second."
        => known(row.per_sec_of_both(ReadBytes, WriteBytes), BytesPerSec);
    Time: time("TIME+", "time", &["cpu_ns_total"], 9, 140),
        "On-CPU time since the process started, threads that ended included."
        => known(row.total(CpuNs), CpuTime);
    VoluntarySwitches: num("VCS/s", "vcs", &["csw_voluntary"], 6, 114),
        "Context switches a second because a thread slept or gave up the CPU."
        => known(row.per_sec(VoluntarySwitches), PerSec);
    InvoluntarySwitches: num("IVCS/s", "ivcs", &["csw_involuntary"], 6, 113),
        "Context switches a second because the scheduler took the CPU away."
        => known(row.per_sec(InvoluntarySwitches), PerSec);
    Switches: num("CSW/s", "csw", &["csw_voluntary", "csw_involuntary"], 6, 52),
        "Context switches a second, voluntary and involuntary."
        => known(row.per_sec_of_both(VoluntarySwitches, InvoluntarySwitches), PerSec);
    LastCpu: num("LASTCPU", "lastcpu", &["last_cpu"], 7, 100),
        "CPU on which the leader thread last ran."
        => known(row.running(), |t| Exact(t.last_cpu.into()));
    Age: time("AGE", "age", &["start_ns"], 6, 50),
        "Time since the process started."
        => known(row.age_ns(), Duration);
    InnerPid: word("PID/NS", "nspid", &["ns_pid"], 15, 46),
        "Process id here and in its own pid namespace, as the container knows it; blank where the two are one. Sorts and filters go by the latter."
        => known(row.inner_pid(), |(outer, inner)| Pids(outer, inner));
    Unit: word("UNIT", "unit", &["unit"], 20, 44),
        "Systemd unit: the innermost service or scope of its control group, else the slice."
        => known(row.unit(), |unit| Text(unit.into()));
    Container: word("CONTAINER", "container", &["container"], 16, 45),
        "Container: the name that Docker, containerd, CRI-O, podman, LXC or nspawn wrote down for it, else the beginning of its id (filters find either). Read off the control group and the runtime's files; no daemon is asked."
        => known(row.container(), |container| Text(container.title().into()));
    Pod: word("POD", "pod", &["pod"], 24, 43),
        "Kubernetes pod with its namespace, as the container's runtime wrote it down."
        => known(row.container().and_then(|container| container.pod_title()), Text);
    Cgroup: word("CGROUP", "cgroup", &["cgroup"], 24, 40),
        "Path of its control group."
        => row.details.and_then(|d| d.cgroup.as_deref()).map_or(Unknown, |path| Text(path.into()));
    Anon: size("ANON", "anon", &["rss_anon_bytes"], 5, 118),
        "Anonymous resident bytes: heap, stacks, private copies."
        => bytes(row.memory().map(|m| m.anon_bytes));
    File: size("FILE", "file", &["rss_file_bytes"], 5, 117),
        "Resident bytes of mapped files: program text, libraries, mapped data."
        => bytes(row.memory().map(|m| m.file_bytes));
    Shmem: size("SHM", "shm", &["rss_shmem_bytes"], 5, 53),
        "Resident bytes of shared memory: System V, POSIX, tmpfs, shared anonymous maps."
        => bytes(row.memory().map(|m| m.shmem_bytes));
    Swap: size("SWAP", "swap", &["swap_bytes"], 5, 116),
        "Bytes swapped out."
        => bytes(row.memory().map(|m| m.swap_bytes));
    RssGrowth: size("dRSS/s", "drss", &["rss_growth_bytes"], 6, 130),
        "Growth of RSS, bytes a second; negative when it shrinks. Pages gained, not calls to malloc."
        => known(row.growth_per_sec(Memory::rss_bytes), BytesPerSec);
    Vm: size("VM", "vm", &["vm_bytes"], 5, 48),
        "Address space asked for; most of it may never be touched."
        => bytes(row.memory().map(|m| m.vm_bytes));
    VmGrowth: size("VM/s", "dvm", &["vm_growth_bytes"], 6, 51),
        "Growth of the address space (mmap and brk less munmap), bytes a second."
        => known(row.growth_per_sec(|m| m.vm_bytes), BytesPerSec);
    PageAllocs: size("PGALLOC/s", "pgalloc", &["page_alloc_bytes"], 9, 104).also(&["page_allocs"]).wanting(Wants { page_allocs: true, ..Wants::NONE }),
        "Bytes of kernel page allocations a second while the process was current: includes page cache, slab and network buffers. The probe costs 4–10 % of a page-fault storm and is attached only while this is shown."
        => known(row.per_sec(PageAllocBytes), BytesPerSec);
    Rx: size("RX/s", "rx", &["rx_bytes"], 6, 129),
        "Application bytes received a second over TCP and UDP; peeks excluded."
        => known(row.per_sec(RxBytes), BytesPerSec);
    Tx: size("TX/s", "tx", &["tx_bytes"], 6, 128),
        "Application bytes sent a second over TCP and UDP, as far as send calls accepted them."
        => known(row.per_sec(TxBytes), BytesPerSec);
    RxTotal: size("RX", "rxtotal", &["rx_bytes_total"], 5, 111),
        "Application bytes received since ebtop first saw the process."
        => bytes(row.total(RxBytes));
    TxTotal: size("TX", "txtotal", &["tx_bytes_total"], 5, 110),
        "Application bytes sent since ebtop first saw the process."
        => bytes(row.total(TxBytes));
    Messages: num("MSG/s", "msg", &["tx_messages", "rx_messages"], 6, 108),
        "Successful send and receive calls a second; each message of sendmmsg counts."
        => known(row.per_sec_of_both(TxMessages, RxMessages), PerSec);
    Retransmits: num("RETR/s", "retr", &["retransmits"], 6, 109),
        "TCP segments retransmitted a second on the sockets the process moved bytes on."
        => known(row.per_sec(Retransmits), PerSec);
    Read: size("R/s", "read", &["read_bytes"], 6, 127),
        "Block reads caused, bytes a second; reads from the page cache are not in it."
        => known(row.per_sec(ReadBytes), BytesPerSec);
    Write: size("W/s", "write", &["write_bytes"], 6, 126),
        "Pages dirtied, bytes a second: not yet what reached the device."
        => known(row.per_sec(WriteBytes), BytesPerSec);
    Cancelled: size("CANCEL", "cancel", &["cancelled_write_bytes"], 6, 107),
        "Dirtied bytes a second that were truncated or deleted before they reached the device."
        => known(row.per_sec(CancelledWriteBytes), BytesPerSec);
    ReadTotal: size("READ", "readtotal", &["read_bytes_total"], 5, 103),
        "Bytes of block reads caused since the process started."
        => bytes(row.total(ReadBytes));
    WriteTotal: size("WRITE", "writetotal", &["write_bytes_total"], 5, 102),
        "Bytes of pages dirtied since the process started."
        => bytes(row.total(WriteBytes));
    CpuTrend: share("CPU-TREND", "cputrend", &["cpu_ns"], 10, 61),
        "CPU% over the last 40 refreshes, four to a cell, the newest on the right; a full cell is one core or more, less than 1 % is blank, as are the time before ebtop began, threads and groups."
        => row.trend(Trend::Cpu, known(row.percent(CpuNs), Percent));
    NetTrend: size("NET-TREND", "nettrend", &["tx_bytes", "rx_bytes"], 10, 61),
        "NET/s over the last 40 refreshes, four to a cell, the newest on the right; a full cell is the most that the process moved in that time."
        => row.trend(Trend::Net, known(row.per_sec_of_both(TxBytes, RxBytes), BytesPerSec));
    IoTrend: size("IO-TREND", "iotrend", &["read_bytes", "write_bytes"], 10, 61),
        "IO/s over the last 40 refreshes, four to a cell, the newest on the right; a full cell is the most that the process moved in that time."
        => row.trend(Trend::Io, known(row.per_sec_of_both(ReadBytes, WriteBytes), BytesPerSec));
    RssTrend: size("RSS-TREND", "rsstrend", &["rss_bytes"], 10, 61),
        "RSS over the last 40 refreshes, four to a cell, the newest on the right, between the least and the most of that time; what moves by less than 2 % lies flat."
        => row.trend(Trend::Rss, bytes(row.memory().map(Memory::rss_bytes)));
    Command: word("COMMAND", "command", &["comm", "cmdline"], 12, 255).also(&["name", "comm", "cmdline", "cmd"]),
        "Command line with its arguments; the name of the leader thread until it has been read."
        => Text(row.shown_command());
}

/// The process id, with the one that its container knows where no other column has it.
fn pid<'a>(row: &RowView<'a>) -> Value<'a> {
    match (row.task(), row.inner_pid().filter(|_| row.tells_inner_pid)) {
        (_, Some((outer, inner))) => PidWithin(outer, inner),
        (Some(task), None) => Exact(task.key.pid.into()),
        (None, None) => Unknown,
    }
}

/// Name of the user; of a group, how many it holds.
fn user<'a>(row: &RowView<'a>) -> Value<'a> {
    match row.subject {
        Subject::Exited(group) => Text(format!("({})", group.count).into()),
        Subject::Group(group) => Text(format!("({})", group.sum.count).into()),
        _ => row.user().map_or(Unknown, Text),
    }
}

/// The letter of ps; `X` for the exited.
fn state(row: &RowView<'_>) -> &'static str {
    if let Subject::Group(group) = row.subject {
        return if group.sum.are_zombies { "Z" } else { "" };
    }
    match row.running().map_or(b'X', |t| t.state) {
        b'R' => "R",
        b'S' => "S",
        b'D' => "D",
        b'T' => "T",
        b't' => "t",
        b'Z' => "Z",
        b'I' => "I",
        b'X' => "X",
        _ => "?",
    }
}

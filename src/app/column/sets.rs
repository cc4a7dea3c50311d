//! Which columns a view is made of: the first for 80 columns, more as the width grows.

use super::Column::*;
use super::{CgroupColumn, Column, InterfaceColumn, RemoteColumn, Set, SocketColumn};

/// Who uses the machine.
pub const PROCESSES: Set<Column> = Set {
    first: &[Pid, User, State, CpuPct, WaitPct, Rss, Faults, Net, Io, Time, Command],
    more: &[CpuTrend, Ppid, Threads, Nice, MajorFaults, Switches, Age, InnerPid, Unit, Container, Pod, Cgroup],
};
/// Where CPU time goes, and what waits for it.
pub const CPU: Set<Column> = Set {
    first: &[Pid, CpuPct, UserPct, SystemPct, WaitPct, VoluntarySwitches, InvoluntarySwitches, LastCpu, Threads, Command],
    more: &[CpuTrend, User, State, Time, Ppid, Nice, Age, Unit, Container, Pod, Cgroup],
};
/// Who holds memory, and who touches it.
pub const MEMORY: Set<Column> = Set {
    first: &[Pid, Rss, Anon, File, Shmem, Swap, RssGrowth, MinorFaults, MajorFaults, VmGrowth, PageAllocs, Command],
    more: &[RssTrend, User, Vm, Age, Unit, Container, Pod, Cgroup],
};
/// Who talks.
pub const NETWORK: Set<Column> = Set {
    first: &[Pid, User, Rx, Tx, RxTotal, TxTotal, Messages, Retransmits, Command],
    more: &[NetTrend, CpuPct, State, Ppid, Age, Unit, Container, Pod, Cgroup],
};
/// Who reads and writes.
pub const DISK: Set<Column> = Set {
    first: &[Pid, User, State, Io, Read, Write, Cancelled, Command],
    more: &[IoTrend, ReadTotal, WriteTotal, CpuPct, MajorFaults, Age, Unit, Container, Pod, Cgroup],
};

/// Who waits to be accepted, listener by listener.
pub const LISTENERS: Set<SocketColumn> = {
    use SocketColumn as C;
    Set {
        first: &[C::Local, C::Waiting, C::Backlog, C::BacklogUse, C::Turned, C::Connections, C::Pid, C::Command],
        more: &[C::User, C::Age, C::Netns],
    }
};
/// Who is at the other end.
pub const REMOTES: Set<RemoteColumn> = {
    use RemoteColumn as C;
    Set {
        first: &[C::Sockets, C::Rx, C::Tx, C::RttLeast, C::RttMost, C::Retransmits, C::By, C::Command],
        more: &[C::RxTotal, C::TxTotal, C::SendQueue, C::RetransmitsTotal, C::Processes],
    }
};
/// What the machine is connected by.
pub const INTERFACES: Set<InterfaceColumn> = {
    use InterfaceColumn as C;
    Set {
        first: &[C::State, C::Speed, C::Rx, C::Tx, C::RxPackets, C::TxPackets, C::Errors, C::Dropped, C::Command],
        more: &[C::RxUse, C::TxUse, C::ErrorsTotal, C::DroppedTotal, C::RxTotal, C::TxTotal],
    }
};

/// Who uses the machine, by control group.
pub const CGROUPS: Set<CgroupColumn> = {
    use CgroupColumn as C;
    Set {
        first: &[C::Processes, C::CpuPct, C::Throttled, C::Memory, C::MemoryPct, C::Psi, C::Net, C::Io, C::Name],
        more: &[
            C::MemoryMax,
            C::CpuMax,
            C::ThrottledTime,
            C::PsiCpu,
            C::PsiMemory,
            C::PsiIo,
            C::DeviceRead,
            C::DeviceWrite,
            C::Anon,
            C::File,
        ],
    }
};

/// All of it, socket by socket.
pub const SOCKETS: Set<SocketColumn> = {
    use SocketColumn as C;
    Set {
        first: &[C::Protocol, C::Local, C::Remote, C::State, C::Rx, C::Tx, C::Rtt, C::Pid, C::Command],
        more: &[C::Retransmits, C::SendQueue, C::ReceiveQueue, C::RxTotal, C::TxTotal, C::Age, C::User],
    }
};

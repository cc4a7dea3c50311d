//! The fields of JSON and CSV output: raw units, growth over the interval unless the name ends in `_total`.
//!
//! `docs/batch-json.md` promises these names and meanings; fields may be added, never changed.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::app::column::{CgroupView, Column, Columns, RowView, SocketColumn, SocketView, Subject, Value, socket};
use crate::app::user_names::UserNames;
use crate::sample::{Comm, Container, Counter::*, Exit, Memory, Task};

/// A value in raw units.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw<'a> {
    /// Unknown.
    Null,
    /// Times, bytes and counts.
    Unsigned(u64),
    /// What may be negative.
    Signed(i64),
    /// Shares, percent.
    Float(f32),
    /// A fact that holds or not.
    Bool(bool),
    /// Words, fit for a terminal.
    Text(Cow<'a, str>),
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Raw::Null => serializer.serialize_none(),
            Raw::Unsigned(v) => serializer.serialize_u64(*v),
            Raw::Signed(v) => serializer.serialize_i64(*v),
            Raw::Float(v) => serializer.serialize_f32(*v),
            Raw::Bool(v) => serializer.serialize_bool(*v),
            Raw::Text(v) => serializer.serialize_str(v),
        }
    }
}

impl From<u64> for Raw<'_> {
    fn from(value: u64) -> Self {
        Raw::Unsigned(value)
    }
}

impl From<u32> for Raw<'_> {
    fn from(value: u32) -> Self {
        Raw::Unsigned(value.into())
    }
}

impl From<u8> for Raw<'_> {
    fn from(value: u8) -> Self {
        Raw::Unsigned(value.into())
    }
}

impl From<i64> for Raw<'_> {
    fn from(value: i64) -> Self {
        Raw::Signed(value)
    }
}

impl From<f32> for Raw<'_> {
    fn from(value: f32) -> Self {
        Raw::Float(value)
    }
}

impl From<bool> for Raw<'_> {
    fn from(value: bool) -> Self {
        Raw::Bool(value)
    }
}

impl<'a> From<&'a str> for Raw<'a> {
    fn from(value: &'a str) -> Self {
        Raw::Text(value.into())
    }
}

impl From<String> for Raw<'_> {
    fn from(value: String) -> Self {
        Raw::Text(value.into())
    }
}

impl From<Comm> for Raw<'_> {
    fn from(comm: Comm) -> Self {
        Raw::Text(comm.to_string().into())
    }
}

impl<'a, T: Into<Raw<'a>>> From<Option<T>> for Raw<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Raw::Null, Into::into)
    }
}

impl<'a> From<Value<'a>> for Raw<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Text(words) => Raw::Text(words),
            _ => Raw::Null,
        }
    }
}

/// A named value of a process.
pub type ProcessField = (&'static str, for<'a> fn(&RowView<'a>) -> Raw<'a>);

/// A named value of a control group.
pub type CgroupField = (&'static str, for<'a> fn(&CgroupView<'a>) -> Raw<'a>);

/// A named value of a socket.
pub type SocketField = (&'static str, for<'a> fn(&SocketView<'a>) -> Raw<'a>);

/// What is said of each process, live or exited.
pub static PROCESS: &[ProcessField] = &[
    ("pid", |r| of_task(r, |t| t.key.pid)),
    ("start_ns", |r| of_task(r, |t| t.key.start_ns)),
    ("ppid", |r| of_task(r, |t| t.ppid)),
    ("comm", |r| of_task(r, |t| t.comm)),
    ("cmdline", |r| r.details.map(|d| d.cmdline.as_str()).into()),
    ("user", |r| UserNames::told(r.users, r.task(), r.details).into()),
    ("uid", |r| of_task(r, |t| t.uid)),
    ("state", |r| Column::State.value(r).into()),
    ("threads", |r| of_task(r, |t| t.threads)),
    ("nice", |r| of_task(r, |t| i64::from(t.nice))),
    ("last_cpu", |r| of_task(r, |t| t.last_cpu)),
    ("ns_pid", |r| r.inner_pid().map(|(_, inner)| inner).into()),
    ("cgroup", |r| r.details.and_then(|d| d.cgroup.as_deref()).into()),
    ("unit", |r| r.unit().into()),
    ("container", |r| r.container().map(Container::title).into()),
    ("container_id", |r| r.container().map(|c| c.id.as_str()).into()),
    ("runtime", |r| r.container().and_then(|c| c.runtime.name()).into()),
    ("pod", |r| r.container().and_then(|c| c.pod.as_deref()).into()),
    ("pod_namespace", |r| r.container().and_then(|c| c.namespace.as_deref()).into()),
    ("kernel_thread", |r| of_task(r, |t| t.kernel_thread)),
    ("cpu_ns", |r| r.delta.get(CpuNs).into()),
    ("cpu_ns_total", |r| r.total(CpuNs).into()),
    ("user_ns", |r| r.delta.get(UserNs).into()),
    ("system_ns", |r| r.delta.get(SystemNs).into()),
    ("wait_ns", |r| r.delta.get(WaitNs).into()),
    ("min_flt", |r| r.delta.get(MinorFaults).into()),
    ("maj_flt", |r| r.delta.get(MajorFaults).into()),
    ("min_flt_total", |r| r.total(MinorFaults).into()),
    ("maj_flt_total", |r| r.total(MajorFaults).into()),
    ("csw_voluntary", |r| r.delta.get(VoluntarySwitches).into()),
    ("csw_involuntary", |r| r.delta.get(InvoluntarySwitches).into()),
    ("rss_bytes", |r| of_memory(r, Memory::rss_bytes)),
    ("rss_anon_bytes", |r| of_memory(r, |m| m.anon_bytes)),
    ("rss_file_bytes", |r| of_memory(r, |m| m.file_bytes)),
    ("rss_shmem_bytes", |r| of_memory(r, |m| m.shmem_bytes)),
    ("rss_growth_bytes", |r| r.delta.of_memory(Memory::rss_bytes).into()),
    ("swap_bytes", |r| of_memory(r, |m| m.swap_bytes)),
    ("vm_bytes", |r| of_memory(r, |m| m.vm_bytes)),
    ("vm_growth_bytes", |r| r.delta.of_memory(|m| m.vm_bytes).into()),
    ("tx_bytes", |r| r.delta.get(TxBytes).into()),
    ("rx_bytes", |r| r.delta.get(RxBytes).into()),
    ("tx_bytes_total", |r| r.total(TxBytes).into()),
    ("rx_bytes_total", |r| r.total(RxBytes).into()),
    ("tx_messages", |r| r.delta.get(TxMessages).into()),
    ("rx_messages", |r| r.delta.get(RxMessages).into()),
    ("retransmits", |r| r.delta.get(Retransmits).into()),
    ("read_bytes", |r| r.delta.get(ReadBytes).into()),
    ("write_bytes", |r| r.delta.get(WriteBytes).into()),
    ("cancelled_write_bytes", |r| r.delta.get(CancelledWriteBytes).into()),
    ("read_bytes_total", |r| r.total(ReadBytes).into()),
    ("write_bytes_total", |r| r.total(WriteBytes).into()),
    ("page_allocs", |r| r.delta.get(PageAllocs).into()),
    ("page_alloc_bytes", |r| r.delta.get(PageAllocBytes).into()),
];

/// What is said of exited processes besides.
pub static EXIT: &[ProcessField] = &[
    ("exit_code", |r| of_exit(r, |e| Some(e.code.into()))),
    ("exit_signal", |r| of_exit(r, |e| Some(e.signal.into()))),
    ("exited_at_ns", |r| of_exit(r, |e| Some(e.at_ns))),
    ("peak_rss_bytes", |r| of_exit(r, |e| e.peak_rss_bytes)),
];

/// What is said of each socket.
pub static SOCKET: &[SocketField] = &[
    ("cookie", |s| s.socket.cookie.into()),
    ("pid", |s| s.socket.owner.map(|key| key.pid).into()),
    ("start_ns", |s| s.socket.owner.map(|key| key.start_ns).into()),
    ("comm", |s| s.task.map(|t| t.comm).into()),
    ("cmdline", |s| s.details.map(|d| d.cmdline.as_str()).into()),
    ("user", |s| UserNames::told(s.users, s.task, s.details).into()),
    ("proto", |s| SocketColumn::Protocol.value(s).into()),
    ("local", |s| s.socket.local.to_string().into()),
    ("remote", |s| s.socket.remote.to_string().into()),
    ("netns", |s| s.socket.netns.into()),
    ("state", |s| socket::kernel_state(s.socket).into()),
    ("tx_bytes", |s| s.row.tx_bytes.into()),
    ("rx_bytes", |s| s.row.rx_bytes.into()),
    ("tx_bytes_total", |s| s.socket.tx_bytes.into()),
    ("rx_bytes_total", |s| s.socket.rx_bytes.into()),
    ("tx_messages_total", |s| s.socket.tx_messages.into()),
    ("rx_messages_total", |s| s.socket.rx_messages.into()),
    ("acked_bytes_total", |s| s.socket.tcp.map(|t| t.acked_bytes).into()),
    ("received_bytes_total", |s| s.socket.tcp.map(|t| t.received_bytes).into()),
    ("rtt_us", |s| s.socket.tcp.and_then(|t| t.rtt_us).into()),
    ("retransmits", |s| s.row.retransmits.into()),
    ("retransmits_total", |s| s.socket.tcp.map(|t| t.retransmits).into()),
    ("send_queue_bytes", |s| s.socket.tcp.map(|t| t.send_queue_bytes).into()),
    ("receive_queue_bytes", |s| s.socket.tcp.map(|t| t.receive_queue_bytes).into()),
    ("backlog", |s| s.socket.tcp.and_then(|t| t.backlog).map(|b| b.waiting).into()),
    ("backlog_max", |s| s.socket.tcp.and_then(|t| t.backlog).map(|b| b.most).into()),
    ("backlog_dropped_total", |s| s.socket.tcp.and_then(|t| t.backlog).map(|b| b.dropped).into()),
    ("connections", |s| s.connections.into()),
    ("since_ns", |s| s.socket.since_ns.into()),
    ("closed", |s| s.socket.closed.into()),
];

/// What is said of each control group.
pub static CGROUP: &[CgroupField] = &[
    ("path", |c| c.group.path.as_str().into()),
    ("id", |c| Some(c.group.id).filter(|&id| id != 0).into()),
    ("processes", |c| c.row.processes.into()),
    ("counted_ns", |c| Some(c.row.elapsed_ns).filter(|&ns| ns > 0).into()),
    ("cpu_ns", |c| c.row.cpu_ns.into()),
    ("cpu_ns_total", |c| c.group.cpu_ns.into()),
    ("periods", |c| c.row.periods.into()),
    ("throttled_periods", |c| c.row.throttled_periods.into()),
    ("throttled_ns", |c| c.row.throttled_ns.into()),
    ("cpu_max_milli", |c| c.group.cpu_max_milli.into()),
    ("memory_bytes", |c| c.group.memory_bytes.into()),
    ("memory_max_bytes", |c| c.group.memory_max_bytes.into()),
    ("anon_bytes", |c| c.group.anon_bytes.into()),
    ("file_bytes", |c| c.group.file_bytes.into()),
    ("cpu_pressure_pct", |c| c.group.pressure[0].into()),
    ("memory_pressure_pct", |c| c.group.pressure[1].into()),
    ("io_pressure_pct", |c| c.group.pressure[2].into()),
    ("device_read_bytes", |c| c.row.device_read_bytes.into()),
    ("device_write_bytes", |c| c.row.device_write_bytes.into()),
    ("tx_bytes", |c| c.row.gain.get(TxBytes).into()),
    ("rx_bytes", |c| c.row.gain.get(RxBytes).into()),
    ("read_bytes", |c| c.row.gain.get(ReadBytes).into()),
    ("write_bytes", |c| c.row.gain.get(WriteBytes).into()),
];

fn of_task<'a, T: Into<Raw<'a>>>(row: &RowView<'a>, read: fn(&'a Task) -> T) -> Raw<'a> {
    row.task().map(read).into()
}

/// Memory now; of the exited, what it held when it began to exit.
fn of_memory<'a>(row: &RowView<'a>, read: fn(&'a Memory) -> u64) -> Raw<'a> {
    row.task().and_then(|t| t.memory.as_ref()).map(read).into()
}

fn of_exit<'a>(row: &RowView<'a>, read: fn(&'a Exit) -> Option<u64>) -> Raw<'a> {
    match row.subject {
        Subject::Departed(exit) => read(exit).into(),
        _ => Raw::Null,
    }
}

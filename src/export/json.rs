//! One JSON object per tick and line, schema 1 of `docs/batch-json.md`.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::Report;
use super::field::{CGROUP, CgroupField, EXIT, PROCESS, ProcessField, Raw, SOCKET, SocketField};
use super::net_field::{INTERFACE, InterfaceField, REMOTE, RemoteField};
use super::stack::{JsonFrame, NamedStack};
use crate::app::column::{RowView, SocketView};
use crate::model::disks::DiskGrowth;
use crate::model::ledger::Ledger;
use crate::sample::{self, Disk, DomainStatus, Machine};

/// Which fields to write; `None` = all.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Of processes, live and exited.
    pub process: Option<Vec<ProcessField>>,
    /// Of sockets and listeners.
    pub socket: Option<Vec<SocketField>>,
    /// Of remote addresses.
    pub remote: Option<Vec<RemoteField>>,
    /// Of network interfaces.
    pub interface: Option<Vec<InterfaceField>>,
    /// Of control groups.
    pub cgroup: Option<Vec<CgroupField>>,
}

/// Writes a tick as one line.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report<'_>, fields: &Fields, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { report, fields })?;
    out.write_all(b"\n")
}

struct Line<'a> {
    report: &'a Report<'a>,
    fields: &'a Fields,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Report { model, live, exited, cgroups, disks, stacks, .. } = self.report;
        let sample = &model.sample;
        let all: Vec<_> = PROCESS.iter().chain(EXIT).copied().collect();
        let (of_live, of_exited) = match &self.fields.process {
            Some(chosen) => (&chosen[..], &chosen[..]),
            None => (PROCESS, &all[..]),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", &1)?;
        map.serialize_entry("at_ns", &sample.at_ns)?;
        map.serialize_entry("unix_ms", &sample.unix_ms)?;
        map.serialize_entry("interval_ns", &model.elapsed_ns)?;
        map.serialize_entry("host", &Host(&sample.machine))?;
        map.serialize_entry("health", &Health(&sample.status))?;
        map.serialize_entry("lost", &Lost(&sample.status))?;
        map.serialize_entry("ledger", &LedgerParts(&model.ledger))?;
        map.serialize_entry("processes", &Rows(live.iter().map(|row| Process { row, fields: of_live })))?;
        map.serialize_entry("exited", &Rows(exited.iter().map(|row| Process { row, fields: of_exited })))?;
        self.network(&mut map)?;
        if let Some(cgroups) = cgroups {
            let fields = self.fields.cgroup.as_deref().unwrap_or(CGROUP);
            let object = |row| Object(fields.iter().map(|(name, get)| (*name, get(row))).collect());
            map.serialize_entry("cgroups", &Rows(cgroups.iter().map(object)))?;
            let read = sample.cgroups.as_deref();
            map.serialize_entry("cgroups_left_out", &read.map(|groups| groups.left_out))?;
            map.serialize_entry("cgroups_trouble", &read.and_then(|groups| groups.trouble.as_deref()))?;
        }
        if *disks {
            map.serialize_entry("disks", &Rows(sample.machine.disks.iter().zip(&model.machine.disks).map(Device)))?;
        }
        if let Some(stacks) = stacks {
            map.serialize_entry("stacks", &Rows(stacks.iter().map(Stack)))?;
        }
        map.end()
    }
}

impl Line<'_> {
    fn network<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let Report { sockets, listeners, remotes, interfaces, .. } = self.report;
        for (name, sockets) in [("sockets", sockets), ("listeners", listeners)] {
            if let Some(sockets) = sockets {
                let fields = self.fields.socket.as_deref().unwrap_or(SOCKET);
                map.serialize_entry(name, &Rows(sockets.iter().map(|row| SocketObject { row, fields })))?;
            }
        }
        if let Some(remotes) = remotes {
            let fields = self.fields.remote.as_deref().unwrap_or(REMOTE);
            let object = |row| Object(fields.iter().map(|(name, get)| (*name, get(row))).collect());
            map.serialize_entry("remotes", &Rows(remotes.iter().map(object)))?;
        }
        if let Some(interfaces) = interfaces {
            let fields = self.fields.interface.as_deref().unwrap_or(INTERFACE);
            let object = |row| Object(fields.iter().map(|(name, get)| (*name, get(row))).collect());
            map.serialize_entry("interfaces", &Rows(interfaces.iter().map(object)))?;
        }
        Ok(())
    }
}

/// Fields with their values.
struct Object<'a>(Vec<(&'static str, Raw<'a>)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A list made while it is written.
struct Rows<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Rows<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

struct Process<'a> {
    row: &'a RowView<'a>,
    fields: &'a [ProcessField],
}

impl Serialize for Process<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, get)| (name, get(self.row))))
    }
}

struct SocketObject<'a> {
    row: &'a SocketView<'a>,
    fields: &'a [SocketField],
}

impl Serialize for SocketObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, get)| (name, get(self.row))))
    }
}

struct Device<'a>((&'a Disk, &'a Option<DiskGrowth>));

impl Serialize for Device<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (disk, grown) = self.0;
        let grown = |read: fn(&DiskGrowth) -> u64| grown.as_ref().map(read);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &disk.name)?;
        map.serialize_entry("read_bytes", &grown(|g| g.read_bytes))?;
        map.serialize_entry("write_bytes", &grown(|g| g.write_bytes))?;
        map.serialize_entry("reads", &grown(|g| g.reads))?;
        map.serialize_entry("writes", &grown(|g| g.writes))?;
        map.serialize_entry("wait_ns", &grown(|g| g.wait_ns))?;
        map.serialize_entry("busy_ns", &grown(|g| g.busy_ns))?;
        map.serialize_entry("queue_ns", &grown(|g| g.queue_ns))?;
        map.serialize_entry("in_flight", &disk.in_flight)?;
        map.end()
    }
}

struct Stack<'a>(&'a NamedStack);

impl Serialize for Stack<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stack = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pid", &stack.key.pid)?;
        map.serialize_entry("start_ns", &stack.key.start_ns)?;
        map.serialize_entry("tid", &stack.tid)?;
        map.serialize_entry("comm", &Raw::from(stack.comm))?;
        map.serialize_entry("samples", &stack.samples)?;
        map.serialize_entry("quality", stack.quality_name())?;
        map.serialize_entry("frames", &Rows(stack.frames.iter().map(JsonFrame::from)))?;
        map.end()
    }
}

struct Host<'a>(&'a Machine);

impl Serialize for Host<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.0.host)?;
        map.serialize_entry("kernel", &self.0.kernel)?;
        map.serialize_entry("cores", &self.0.cpus.len())?;
        map.end()
    }
}

struct Health<'a>(&'a [DomainStatus]);

impl Serialize for Health<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|s| (s.domain.name(), State::from(&s.health))))
    }
}

#[derive(Serialize)]
struct State<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a sample::Health> for State<'a> {
    fn from(health: &'a sample::Health) -> Self {
        match health {
            sample::Health::Live => State { state: "live", reason: None },
            sample::Health::Standby => State { state: "standby", reason: None },
            sample::Health::Loading => State { state: "loading", reason: None },
            sample::Health::Degraded { reason } => State { state: "degraded", reason: Some(reason) },
            sample::Health::Off { reason } => State { state: "off", reason: Some(reason) },
        }
    }
}

struct Lost<'a>(&'a [DomainStatus]);

impl Serialize for Lost<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|s| (s.domain.name(), s.lost)))
    }
}

struct LedgerParts<'a>(&'a Ledger);

impl Serialize for LedgerParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let l = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("capacity_ns", &l.capacity_ns)?;
        map.serialize_entry("processes_ns", &l.processes_ns)?;
        map.serialize_entry("kernel_ns", &l.kernel_ns)?;
        map.serialize_entry("exited_ns", &l.exited_ns)?;
        map.serialize_entry("irq_ns", &l.irq_ns)?;
        map.serialize_entry("steal_ns", &l.steal_ns)?;
        map.serialize_entry("idle_ns", &l.idle_ns)?;
        map.serialize_entry("gap_ns", &l.gap_ns)?;
        map.serialize_entry("irq_inside", &l.irq_inside)?;
        map.serialize_entry("steal_inside", &l.steal_inside)?;
        map.end()
    }
}

//! Comma-separated values (RFC 4180): a heading, then a line for each process and tick. Unknown is empty.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Report;
use super::field::{CGROUP, CgroupField, EXIT, PROCESS, ProcessField, Raw, SOCKET, SocketField};
use super::json::Fields;
use super::net_field::{INTERFACE, InterfaceField, REMOTE, RemoteField};
use crate::app::column::RowView;
use crate::app::net::NetTable;

/// Writes lines, and the heading before the first.
#[derive(Clone, Debug)]
pub struct Csv {
    table: Table,
    headed: bool,
}

#[derive(Clone, Debug)]
enum Table {
    Processes(Vec<ProcessField>),
    Sockets(Vec<SocketField>),
    Remotes(Vec<RemoteField>),
    Interfaces(Vec<InterfaceField>),
    Cgroups(Vec<CgroupField>),
    Stacks,
}

impl Csv {
    /// Processes, live and exited, or a table of the network; all fields where none are chosen.
    pub fn new(table: NetTable, fields: Fields) -> Csv {
        let of_processes = || PROCESS.iter().chain(EXIT).copied().collect();
        let table = match table {
            NetTable::Processes => Table::Processes(fields.process.unwrap_or_else(of_processes)),
            NetTable::Sockets | NetTable::Listeners => Table::Sockets(fields.socket.unwrap_or_else(|| SOCKET.to_vec())),
            NetTable::Remotes => Table::Remotes(fields.remote.unwrap_or_else(|| REMOTE.to_vec())),
            NetTable::Interfaces => Table::Interfaces(fields.interface.unwrap_or_else(|| INTERFACE.to_vec())),
        };
        Csv { table, headed: false }
    }

    /// Control groups; `None` = all fields.
    pub fn cgroups(fields: Option<Vec<CgroupField>>) -> Csv {
        Csv { table: Table::Cgroups(fields.unwrap_or_else(|| CGROUP.to_vec())), headed: false }
    }

    /// Stacks.
    pub fn stacks() -> Csv {
        Csv { table: Table::Stacks, headed: false }
    }

    /// Writes a tick.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
        let tick = [Raw::from(report.model.sample.at_ns), Raw::from(report.model.elapsed_ns)];
        if !std::mem::replace(&mut self.headed, true) {
            self.head(out)?;
        }
        match &self.table {
            Table::Processes(fields) => {
                let lists = [(&report.live, false), (&report.exited, true)];
                for (row, exited) in lists.into_iter().flat_map(|(rows, exited)| rows.iter().map(move |r| (r, exited))) {
                    let values = fields.iter().map(|(_, get)| get(row));
                    line(tick.iter().cloned().chain([Raw::from(exited)]).chain(values), out)?;
                }
            }
            Table::Sockets(fields) => {
                for row in report.sockets.iter().chain(&report.listeners).flatten() {
                    line(tick.iter().cloned().chain(fields.iter().map(|(_, get)| get(row))), out)?;
                }
            }
            Table::Remotes(fields) => {
                for row in report.remotes.iter().flatten() {
                    line(tick.iter().cloned().chain(fields.iter().map(|(_, get)| get(row))), out)?;
                }
            }
            Table::Interfaces(fields) => {
                for row in report.interfaces.iter().flatten() {
                    line(tick.iter().cloned().chain(fields.iter().map(|(_, get)| get(row))), out)?;
                }
            }
            Table::Cgroups(fields) => {
                for row in report.cgroups.iter().flatten() {
                    line(tick.iter().cloned().chain(fields.iter().map(|(_, get)| get(row))), out)?;
                }
            }
            Table::Stacks => {
                for s in report.stacks.iter().flatten() {
                    let who = [s.key.pid.into(), s.key.start_ns.into(), s.tid.into(), s.comm.into()];
                    let what = [s.samples.into(), s.quality_name().into(), s.folded().into()];
                    line(tick.iter().cloned().chain(who).chain(what), out)?;
                }
            }
        }
        Ok(())
    }

    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let names: Vec<&str> = match &self.table {
            Table::Processes(fields) => [&["exited"][..], &names(fields)].concat(),
            Table::Sockets(fields) => fields.iter().map(|(name, _)| *name).collect(),
            Table::Remotes(fields) => fields.iter().map(|(name, _)| *name).collect(),
            Table::Interfaces(fields) => fields.iter().map(|(name, _)| *name).collect(),
            Table::Cgroups(fields) => fields.iter().map(|(name, _)| *name).collect(),
            Table::Stacks => vec!["pid", "start_ns", "tid", "comm", "samples", "quality", "stack"],
        };
        writeln!(out, "at_ns,interval_ns,{}", names.join(","))
    }
}

fn names(fields: &[ProcessField]) -> Vec<&'static str> {
    fields.iter().map(|(name, _): &(&'static str, for<'a> fn(&RowView<'a>) -> Raw<'a>)| *name).collect()
}

fn line<'a>(values: impl Iterator<Item = Raw<'a>>, out: &mut impl Write) -> io::Result<()> {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match value {
            Raw::Null => {}
            Raw::Text(v) => out.write_all(quoted(&v).as_bytes())?,
            // Numbers are written as in JSON, whose writer is several times faster than `write!`.
            number => serde_json::to_writer(&mut *out, &number)?,
        }
    }
    out.write_all(b"\n")
}

/// Quotes what would read as more than one value.
fn quoted(text: &str) -> Cow<'_, str> {
    match text.contains([',', '"', '\n', '\r']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => Cow::Borrowed(text),
    }
}

//! What a tick looks like outside the terminal (text, JSON and CSV), and a profile for other tools: pure functions of the model.

pub mod csv;
pub mod field;
pub mod folded;
pub mod hot;
pub mod json;
pub mod net_field;
pub mod pprof;
pub mod profile;
pub mod speedscope;
pub mod stack;
#[cfg(feature = "svg")]
pub mod svg;
pub mod text;

use std::io::{self, Write};

use crate::app::column::{CgroupView, InterfaceView, RemoteView, RowView, SocketView};
use crate::model::Model;

/// One tick, sorted and filtered, ready to be written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Where it comes from.
    pub model: &'a Model,
    /// Live processes.
    pub live: Vec<RowView<'a>>,
    /// Exited processes, one by one.
    pub exited: Vec<RowView<'a>>,
    /// Live processes and exited ones folded by command, in one order: what text shows.
    pub mixed: Vec<RowView<'a>>,
    /// Sockets, if asked for.
    pub sockets: Option<Vec<SocketView<'a>>>,
    /// Listeners, if asked for.
    pub listeners: Option<Vec<SocketView<'a>>>,
    /// Remote addresses, if asked for.
    pub remotes: Option<Vec<RemoteView<'a>>>,
    /// Network interfaces, if asked for.
    pub interfaces: Option<Vec<InterfaceView<'a>>>,
    /// Control groups, if asked for.
    pub cgroups: Option<Vec<CgroupView<'a>>>,
    /// Tell of block devices.
    pub disks: bool,
    /// Stacks, if asked for.
    pub stacks: Option<Vec<stack::NamedStack>>,
}

impl<'a> Report<'a> {
    /// A report without rows.
    pub fn empty(model: &'a Model) -> Self {
        Report {
            model,
            live: Vec::new(),
            exited: Vec::new(),
            mixed: Vec::new(),
            sockets: None,
            listeners: None,
            remotes: None,
            interfaces: None,
            cgroups: None,
            disks: false,
            stacks: None,
        }
    }
}

/// Writes reports one after another in one format.
#[derive(Clone, Debug)]
pub enum Writer {
    /// Aligned text.
    Text(text::Table),
    /// A JSON object on each line.
    Json(json::Fields),
    /// Comma-separated values under one heading.
    Csv(csv::Csv),
}

impl Writer {
    /// Writes a tick.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
        match self {
            Writer::Text(table) => text::write(report, table, out),
            Writer::Json(fields) => json::write(report, fields, out),
            Writer::Csv(csv) => csv.write(report, out),
        }
    }
}

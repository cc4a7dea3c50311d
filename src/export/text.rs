//! A tick as plain text, like `top -b`: lines about the machine, then an aligned table. Unknown is `-`.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::Report;
use super::stack::NamedStack;
use crate::app::column::{Align, CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, SocketColumn};
use crate::format;
use crate::model::Model;
use crate::model::machine::MemoryUse;
use crate::sample::{DomainStatus, Health};

/// Which table follows the lines about the machine.
#[derive(Clone, Debug)]
pub enum Table {
    /// Processes, exited ones folded by command.
    Processes(Vec<Column>),
    /// Sockets.
    Sockets(Vec<SocketColumn>),
    /// Listeners.
    Listeners(Vec<SocketColumn>),
    /// Remote addresses.
    Remotes(Vec<RemoteColumn>),
    /// Network interfaces.
    Interfaces(Vec<InterfaceColumn>),
    /// Control groups.
    Cgroups(Vec<CgroupColumn>),
    /// Stacks.
    Stacks,
}

/// Writes a tick and a blank line.
///
/// # Errors
/// Those of `out`.
pub fn write(report: &Report<'_>, table: &Table, out: &mut impl Write) -> io::Result<()> {
    head(report.model, out)?;
    match table {
        Table::Processes(columns) => rows(columns, &report.mixed, out)?,
        Table::Sockets(columns) => rows(columns, report.sockets.as_deref().unwrap_or_default(), out)?,
        Table::Listeners(columns) => rows(columns, report.listeners.as_deref().unwrap_or_default(), out)?,
        Table::Remotes(columns) => rows(columns, report.remotes.as_deref().unwrap_or_default(), out)?,
        Table::Interfaces(columns) => rows(columns, report.interfaces.as_deref().unwrap_or_default(), out)?,
        Table::Cgroups(columns) => cgroups(columns, report, out)?,
        Table::Stacks => stacks(report.stacks.as_deref().unwrap_or_default(), out)?,
    }
    writeln!(out)
}

/// When and where; the CPU ledger; memory and traffic; what does not work.
fn head(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let sample = &model.sample;
    let machine = &sample.machine;
    let when = i64::try_from(sample.unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let [one, five, fifteen] = machine.load;
    writeln!(
        out,
        "ebtop {} {} linux {} up {} load {one:.2} {five:.2} {fifteen:.2} processes {} threads {} running {} exited {}",
        when.map(|t| format!("{t:.0}")).unwrap_or_default(),
        machine.host,
        machine.kernel,
        format::duration(machine.uptime_ns, 9),
        sample.tasks.len(),
        machine.threads,
        machine.running,
        model.departed.len(),
    )?;
    writeln!(out, "{}", ledger_line(model))?;
    writeln!(out, "{}", machine_line(model))?;
    for (domains, reason) in troubles(&sample.status) {
        writeln!(out, "{domains}: {reason}")?;
    }
    for status in sample.status.iter().filter(|s| s.lost > 0) {
        writeln!(out, "{} lost {} events", status.domain.name(), status.lost)?;
    }
    Ok(())
}

/// Domains that do not wholly work, those with the same reason together: `net off, mem off` and why.
fn troubles(status: &[DomainStatus]) -> Vec<(String, &str)> {
    let mut troubles: Vec<(String, &str)> = Vec::new();
    for one in status {
        let (state, reason) = match &one.health {
            Health::Live | Health::Standby | Health::Loading => continue,
            Health::Degraded { reason } => ("degraded", reason),
            Health::Off { reason } => ("off", reason),
        };
        let domain = format!("{} {state}", one.domain.name());
        match troubles.iter_mut().find(|(_, known)| known == reason) {
            Some((domains, _)) => *domains = format!("{domains}, {domain}"),
            None => troubles.push((domain, reason)),
        }
    }
    troubles
}

/// The ledger in cores.
fn ledger_line(model: &Model) -> String {
    let l = &model.ledger;
    let cores = |ns: f64| ns / (model.elapsed_ns as f64).max(1.0);
    let part = |name: &str, ns: u64| format!("{name} {:.3}", cores(ns as f64));
    let inside = |name: &'static str, is: bool| if is { format!(" ({name} inside)") } else { String::new() };
    format!(
        "cpu {:.0} cores = {} + {} + {} + {} + {} + {} + gap {:.3}{}{}",
        cores(l.capacity_ns as f64),
        part("processes", l.processes_ns),
        part("kernel", l.kernel_ns),
        part("exited", l.exited_ns),
        part("irq", l.irq_ns),
        part("steal", l.steal_ns),
        part("idle", l.idle_ns),
        (cores(l.gap_ns as f64) * 1000.0).round() / 1000.0 + 0.0,
        inside("irq", l.irq_inside),
        inside("steal", l.steal_inside),
    )
}

fn machine_line(model: &Model) -> String {
    let m = MemoryUse::of(&model.sample.machine.memory);
    let bytes = |v: u64| format::bytes(v as f64, 6);
    let rate = |v: Option<f64>| v.map_or("-".into(), |v| format::bytes(v, 6));
    let r = &model.machine;
    format!(
        "mem {}/{} buffers {} shared {} cache {} swap {}/{} net rx {}/s tx {}/s disk r {}/s w {}/s",
        bytes(m.used_bytes),
        bytes(m.total_bytes),
        bytes(m.buffers_bytes),
        bytes(m.shared_bytes),
        bytes(m.cache_bytes),
        bytes(m.swap_used_bytes),
        bytes(m.swap_total_bytes),
        rate(r.wire_rx_per_sec),
        rate(r.wire_tx_per_sec),
        rate(r.disk_read_per_sec),
        rate(r.disk_write_per_sec),
    )
}

/// An aligned table; columns of words are as wide as their longest.
fn rows<'a, C: Columns>(columns: &[C], rows: &[C::Row<'a>], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| columns.iter().map(|c| plain(*c, row)).collect()).collect();
    let width = |index: usize, column: &C| {
        let spec = column.spec();
        let words = cells.iter().map(|row| row[index].width()).max().filter(|_| spec.align == Align::Left);
        spec.title.width().max(words.unwrap_or(usize::from(spec.width)))
    };
    let widths: Vec<usize> = columns.iter().enumerate().map(|(i, c)| width(i, c)).collect();
    let titles: Vec<String> = columns.iter().map(|c| c.spec().title.to_string()).collect();
    for line in std::iter::once(&titles).chain(&cells) {
        let padded: Vec<String> =
            columns.iter().zip(line).zip(&widths).map(|((c, text), width)| pad(text, *width, c.spec().align)).collect();
        writeln!(out, "{}", padded.join(" ").trim_end())?;
    }
    Ok(())
}

/// A cell that no tool takes for two or for none.
fn plain<C: Columns>(column: C, row: &C::Row<'_>) -> String {
    match column.cell(row, column.spec().width).text {
        text if text.is_empty() => "-".into(),
        text if text == format::NOTHING => "0".into(),
        text => text,
    }
}

fn pad(text: &str, width: usize, align: Align) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    match align {
        Align::Left => format!("{text}{blanks}"),
        Align::Right => format!("{blanks}{text}"),
    }
}

/// What is missing, then the table.
fn cgroups(columns: &[CgroupColumn], report: &Report<'_>, out: &mut impl Write) -> io::Result<()> {
    if let Some(groups) = report.model.sample.cgroups.as_deref() {
        if groups.left_out > 0 {
            writeln!(out, "cgroups: {} or more not read", groups.left_out)?;
        }
        if let Some(trouble) = &groups.trouble {
            writeln!(out, "cgroups: {trouble}")?;
        }
    }
    rows(columns, report.cgroups.as_deref().unwrap_or_default(), out)
}

fn stacks(stacks: &[NamedStack], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "SAMPLES     PID COMM             QUALITY  STACK")?;
    for s in stacks {
        writeln!(
            out,
            "{:>7} {:>7} {} {:<8} {}",
            s.samples,
            s.key.pid,
            pad(&s.comm.to_string(), 16, Align::Left),
            s.quality_name(),
            s.folded()
        )?;
    }
    Ok(())
}

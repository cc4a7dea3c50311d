//! What a batch run writes, checked before it starts.

use clap::ValueEnum;

use crate::app::column::{CgroupColumn, Column, Columns, SocketColumn, fit, sets, wants};
use crate::app::filter::Filter;
use crate::app::view::{Shown, View};
use crate::export::field::{CGROUP, EXIT, PROCESS, SOCKET};
use crate::export::{Writer, csv, json, text};
use crate::sample::{Domain, Wants};

/// Form of batch output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    #[default]
    Text,
    /// One JSON object a sample and line; raw units, unknown is null
    Json,
    /// Comma-separated values with a header line
    Csv,
}

/// Why options make no sense together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// `--fields` or `--sort` names nothing there is.
    #[error("there is no {kind} `{name}`; there are: {known}")]
    Unknown {
        /// What was looked for.
        kind: &'static str,
        /// What was given.
        name: String,
        /// What could be given.
        known: String,
    },
    /// `--fields` where there is nothing to choose.
    #[error("stacks have no columns to choose: leave out --fields")]
    StacksHaveNone,
}

/// The word that asks `--fields` and `--sort` what there is.
const HELP: &str = "help";

/// What `--sort help` or `--fields help` asks for, a name on each line; `None` where neither is asked.
pub fn known_names(format: Format, shown: Shown, fields: &[String], sort: Option<&str>) -> Option<String> {
    let sockets = shown.sockets;
    let cgroups = shown.view == View::Cgroups;
    let asks_fields = fields.iter().any(|name| name == HELP);
    Some(match (sort == Some(HELP), asks_fields, format) {
        (true, _, _) | (_, true, Format::Text) if sockets => column_help::<SocketColumn>(),
        (true, _, _) | (_, true, Format::Text) if cgroups => column_help::<CgroupColumn>(),
        (true, _, _) | (_, true, Format::Text) => column_help::<Column>(),
        (_, true, _) if sockets => field_help(SOCKET.iter().map(|(name, _)| *name)),
        (_, true, _) if cgroups => field_help(CGROUP.iter().map(|(name, _)| *name)),
        (_, true, _) => field_help(PROCESS.iter().chain(EXIT).map(|(name, _)| *name)),
        (false, false, _) => return None,
    })
}

/// Each column with the first sentence of its help.
fn column_help<C: Columns>() -> String {
    let about = |help: &'static str| help.split_inclusive(['.', ';']).next().unwrap_or(help).trim_end_matches(['.', ';']);
    C::all().iter().map(|c| c.spec()).map(|spec| format!("{:<8}  {}\n", spec.name, about(spec.help))).collect()
}

fn field_help<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    fields.map(|name| format!("{name}\n")).collect()
}

/// What a batch run writes.
#[derive(Clone, Debug)]
pub struct BatchOptions {
    /// How.
    pub format: Format,
    /// What.
    pub shown: Shown,
    /// Stop after so many ticks; `None` = never.
    pub iterations: Option<u64>,
    /// Order of processes, and whether the largest come first.
    pub sort: (Column, bool),
    /// Order of sockets.
    pub socket_sort: (SocketColumn, bool),
    /// Order of control groups.
    pub cgroup_sort: (CgroupColumn, bool),
    /// Which rows.
    pub filter: Filter,
    /// Writes the columns or fields that were chosen.
    pub writer: Writer,
    /// What must be collected for them beyond the basics.
    pub wants: Wants,
}

impl BatchOptions {
    /// Checks `fields` (empty = the view's own) and `sort` (`None` = the view's own); everything else lets all pass.
    ///
    /// # Errors
    /// A name that is neither a column nor a field.
    pub fn new(format: Format, shown: Shown, fields: &[String], sort: Option<&str>) -> Result<BatchOptions, OptionsError> {
        let (mut process, mut socket, mut cgroup) = (first_sort(shown.view), SocketColumn::Rx, CgroupColumn::CpuPct);
        match (sort, shown) {
            (Some(name), Shown::SOCKETS) => socket = column(name)?,
            (Some(name), Shown { view: View::Cgroups, .. }) => cgroup = column(name)?,
            (Some(name), _) => process = column(name)?,
            (None, _) => {}
        }
        let writer = writer(format, shown, fields)?;
        Ok(BatchOptions {
            format,
            shown,
            iterations: None,
            sort: (process, process.descends()),
            socket_sort: (socket, socket.descends()),
            cgroup_sort: (cgroup, cgroup.descends()),
            filter: Filter::default(),
            wants: wanted(shown, format, &writer, fields),
            writer,
        })
    }

    /// The domains that what is shown comes from.
    pub fn domains(&self) -> Vec<Domain> {
        let mut domains = vec![Domain::Tasks, Domain::Net];
        domains.extend((self.shown.view == View::Stacks).then_some(Domain::Stacks));
        domains.extend(self.wants.page_allocs.then_some(Domain::Mem));
        domains
    }
}

fn writer(format: Format, shown: Shown, fields: &[String]) -> Result<Writer, OptionsError> {
    if shown.view == View::Stacks && format != Format::Json && !fields.is_empty() {
        return Err(OptionsError::StacksHaveNone);
    }
    let process = || chosen::<Column, _>(fields, PROCESS.iter().chain(EXIT));
    let socket = || chosen::<SocketColumn, _>(fields, SOCKET.iter());
    let cgroup = || chosen::<CgroupColumn, _>(fields, CGROUP.iter());
    Ok(match (format, shown) {
        (Format::Text, _) => Writer::Text(table(shown, fields)?),
        (Format::Json, Shown::SOCKETS) => Writer::Json(json::Fields { socket: socket()?, ..json::Fields::default() }),
        (Format::Json, Shown { view: View::Cgroups, .. }) => Writer::Json(json::Fields { cgroup: cgroup()?, ..json::Fields::default() }),
        (Format::Json, _) => Writer::Json(json::Fields { process: process()?, ..json::Fields::default() }),
        (Format::Csv, Shown::SOCKETS) => Writer::Csv(csv::Csv::sockets(socket()?)),
        (Format::Csv, Shown { view: View::Cgroups, .. }) => Writer::Csv(csv::Csv::cgroups(cgroup()?)),
        (Format::Csv, Shown { view: View::Stacks, .. }) => Writer::Csv(csv::Csv::stacks()),
        (Format::Csv, _) => Writer::Csv(csv::Csv::processes(process()?)),
    })
}

/// The table of text output: what 80 columns would show, unless columns are named.
fn table(shown: Shown, names: &[String]) -> Result<text::Table, OptionsError> {
    Ok(match (shown, shown.view.columns()) {
        (Shown::SOCKETS, _) if names.is_empty() => text::Table::Sockets(fit(sets::SOCKETS.first, sets::SOCKETS.more, u16::MAX)),
        (Shown::SOCKETS, _) => text::Table::Sockets(columns(names)?),
        (Shown { view: View::Cgroups, .. }, _) if names.is_empty() => text::Table::Cgroups(sets::CGROUPS.first.to_vec()),
        (Shown { view: View::Cgroups, .. }, _) => text::Table::Cgroups(columns(names)?),
        (_, Some(set)) if names.is_empty() => text::Table::Processes(set.first.to_vec()),
        (_, Some(_)) => text::Table::Processes(columns(names)?),
        (_, None) => text::Table::Stacks,
    })
}

/// What processes are sorted by unless told otherwise: as on the screen, but network bytes are those of both ways.
fn first_sort(view: View) -> Column {
    match view {
        View::Network => Column::Net,
        view => view.first_sort(),
    }
}

/// What must be collected: the probe of page allocations costs, so it runs only if a column or field made from them is shown.
fn wanted(shown: Shown, format: Format, writer: &Writer, names: &[String]) -> Wants {
    if shown.view == View::Cgroups {
        let named = |field: &str| names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(field));
        let cgroup_memory = match writer {
            Writer::Text(text::Table::Cgroups(columns)) => wants(columns).cgroup_memory,
            _ => format != Format::Text && ["anon_bytes", "anon", "file_bytes", "file"].into_iter().any(named),
        };
        return Wants { cgroups: true, cgroup_memory, ..Wants::NONE };
    }
    let of_columns = match writer {
        Writer::Text(text::Table::Processes(columns)) => wants(columns),
        _ => wants(&names.iter().filter_map(|name| Column::named(name)).collect::<Vec<_>>()),
    };
    Wants { sockets: shown.sockets, ..of_columns }
}

fn columns<C: Columns>(names: &[String]) -> Result<Vec<C>, OptionsError> {
    names.iter().map(|name| column(name)).collect()
}

fn column<C: Columns>(name: &str) -> Result<C, OptionsError> {
    C::named(name).ok_or_else(|| {
        let known = C::all().iter().map(|c| c.spec().name).collect::<Vec<_>>().join(" ");
        OptionsError::Unknown { kind: "column", name: name.into(), known }
    })
}

/// Fields by their name, or by that of a column made from them; `None` if none are named.
fn chosen<'a, C: Columns, F: Copy + 'static>(
    names: &[String],
    all: impl Iterator<Item = &'a (&'static str, F)> + Clone,
) -> Result<Option<Vec<(&'static str, F)>>, OptionsError> {
    let field = |wanted: &str| all.clone().find(|(field, _)| field.eq_ignore_ascii_case(wanted)).copied();
    let mut chosen: Vec<(&'static str, F)> = Vec::new();
    for name in names {
        let found: Vec<_> = match (field(name), C::named(name)) {
            (Some(field), _) => vec![field],
            (None, Some(column)) => column.spec().fields.iter().filter_map(|f| field(f)).collect(),
            (None, None) => {
                let known = all.map(|(field, _)| *field).collect::<Vec<_>>().join(" ");
                return Err(OptionsError::Unknown { kind: "field", name: name.clone(), known });
            }
        };
        let is_new = |field: &(&'static str, F)| !chosen.iter().any(|(name, _)| *name == field.0);
        let new: Vec<_> = found.into_iter().filter(is_new).collect();
        chosen.extend(new);
    }
    Ok((!names.is_empty()).then_some(chosen))
}

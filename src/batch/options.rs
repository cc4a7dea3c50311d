//! What a batch run writes, checked before it starts.

use clap::ValueEnum;

use super::needs::{made_from, wanted};
use super::net::NetSort;
use crate::app::column::{CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, Set, SocketColumn, Spec, fit, sets, wants_of};
use crate::app::filter::Filter;
use crate::app::net::NetTable;
use crate::app::user_names::UserNames;
use crate::app::view::{Shown, View};
use crate::export::field::{CGROUP, EXIT, PROCESS, SOCKET};
use crate::export::net_field::{INTERFACE, REMOTE, listener};
use crate::export::{Writer, csv, json, text};
use crate::sample::Wants;

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
    let asks_fields = fields.iter().any(|name| name == HELP);
    let columns = match (sort == Some(HELP), asks_fields, format) {
        (true, _, _) | (_, true, Format::Text) => true,
        (_, true, _) => false,
        (false, false, _) => return None,
    };
    Some(match (shown.net, columns) {
        (NetTable::Processes, true) if shown.view == View::Cgroups => column_help::<CgroupColumn>(),
        (NetTable::Processes, false) if shown.view == View::Cgroups => field_help(CGROUP.iter().map(|(name, _)| *name)),
        (NetTable::Processes, true) => column_help::<Column>(),
        (NetTable::Processes, false) => field_help(PROCESS.iter().chain(EXIT).map(|(name, _)| *name)),
        (NetTable::Sockets | NetTable::Listeners, true) => column_help::<SocketColumn>(),
        (NetTable::Sockets | NetTable::Listeners, false) => field_help(SOCKET.iter().map(|(name, _)| *name)),
        (NetTable::Remotes, true) => column_help::<RemoteColumn>(),
        (NetTable::Remotes, false) => field_help(REMOTE.iter().map(|(name, _)| *name)),
        (NetTable::Interfaces, true) => column_help::<InterfaceColumn>(),
        (NetTable::Interfaces, false) => field_help(INTERFACE.iter().map(|(name, _)| *name)),
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
    /// Order of what the network consists of.
    pub net_sort: NetSort,
    /// Order of control groups.
    pub cgroup_sort: (CgroupColumn, bool),
    /// Which rows.
    pub filter: Filter,
    /// Names of users that are known from the start; of others the details of processes tell.
    pub users: UserNames,
    /// Writes the columns or fields that were chosen.
    pub writer: Writer,
    /// The samples are those of a recording: nobody can be asked for more.
    pub recorded: bool,
    /// What must be collected for them and the order beyond the basics; see [`BatchOptions::collects`].
    pub wants: Wants,
    /// Fields that they and the order are made from, of tables of processes and control groups.
    pub fields: Vec<&'static str>,
}

impl BatchOptions {
    /// Checks `fields` (empty = the view's own) and `sort` (`None` = the view's own); everything else lets all pass.
    ///
    /// # Errors
    /// A name that is neither a column nor a field.
    pub fn new(format: Format, shown: Shown, fields: &[String], sort: Option<&str>) -> Result<BatchOptions, OptionsError> {
        let (mut process, mut cgroup) = (first_sort(shown.view), CgroupColumn::CpuPct);
        match (sort, shown.view, shown.net) {
            (Some(name), View::Cgroups, _) => cgroup = column(name)?,
            (Some(name), _, NetTable::Processes) => process = column(name)?,
            _ => {}
        }
        let net_sort = NetSort::new(shown.net, sort)?;
        let mut writer = writer(format, shown, fields)?;
        if let (Writer::Text(table), Some(_), true) = (&mut writer, sort, fields.is_empty()) {
            show_order(table, process, cgroup, net_sort);
        }
        let of_sort: Vec<&'static Spec> = match (shown.view, shown.net) {
            (View::Cgroups, _) => vec![cgroup.spec()],
            (View::Stacks, _) => Vec::new(),
            (_, NetTable::Processes) => vec![process.spec()],
            _ => Vec::new(),
        };
        let made_from = made_from(shown, &writer, &fields_of(shown, fields)?);
        Ok(BatchOptions {
            format,
            shown,
            iterations: None,
            sort: (process, process.descends()),
            net_sort,
            cgroup_sort: (cgroup, cgroup.descends()),
            filter: Filter::default(),
            users: UserNames::default(),
            recorded: false,
            wants: wanted(shown, format, &writer, fields).with(wants_of(of_sort.iter().copied())),
            fields: made_from.into_iter().chain(of_sort.iter().flat_map(|spec| spec.fields).copied()).collect(),
            writer,
        })
    }
}

fn writer(format: Format, shown: Shown, fields: &[String]) -> Result<Writer, OptionsError> {
    if shown.view == View::Stacks && format != Format::Json && !fields.is_empty() {
        return Err(OptionsError::StacksHaveNone);
    }
    Ok(match (format, shown.view) {
        (Format::Text, _) => Writer::Text(table(shown, fields)?),
        (Format::Json, _) => Writer::Json(fields_of(shown, fields)?),
        (Format::Csv, View::Stacks) => Writer::Csv(csv::Csv::stacks()),
        (Format::Csv, View::Cgroups) => Writer::Csv(csv::Csv::cgroups(fields_of(shown, fields)?.cgroup)),
        (Format::Csv, _) => Writer::Csv(csv::Csv::new(shown.net, fields_of(shown, fields)?)),
    })
}

/// The fields of a table that were named; of the others, all.
fn fields_of(shown: Shown, names: &[String]) -> Result<json::Fields, OptionsError> {
    let mut fields = json::Fields::default();
    match shown.net {
        NetTable::Processes if shown.view == View::Cgroups => fields.cgroup = chosen::<CgroupColumn, _>(names, CGROUP.iter())?,
        NetTable::Processes => fields.process = chosen::<Column, _>(names, PROCESS.iter().chain(EXIT))?,
        NetTable::Sockets => fields.socket = chosen::<SocketColumn, _>(names, SOCKET.iter())?,
        NetTable::Listeners => fields.socket = Some(chosen::<SocketColumn, _>(names, SOCKET.iter())?.unwrap_or_else(listener)),
        NetTable::Remotes => fields.remote = chosen::<RemoteColumn, _>(names, REMOTE.iter())?,
        NetTable::Interfaces => fields.interface = chosen::<InterfaceColumn, _>(names, INTERFACE.iter())?,
    }
    Ok(fields)
}

/// The table of text output: what 80 columns would show, unless columns are named.
fn table(shown: Shown, names: &[String]) -> Result<text::Table, OptionsError> {
    Ok(match (shown.net, shown.view.columns()) {
        (NetTable::Sockets, _) => text::Table::Sockets(all_or(names, sets::SOCKETS)?),
        (NetTable::Listeners, _) => text::Table::Listeners(all_or(names, sets::LISTENERS)?),
        (NetTable::Remotes, _) => text::Table::Remotes(all_or(names, sets::REMOTES)?),
        (NetTable::Interfaces, _) => text::Table::Interfaces(all_or(names, sets::INTERFACES)?),
        (NetTable::Processes, Some(set)) if names.is_empty() => text::Table::Processes(set.first.to_vec()),
        (NetTable::Processes, Some(_)) => text::Table::Processes(columns(names)?),
        (NetTable::Processes, None) if shown.view != View::Cgroups => text::Table::Stacks,
        (NetTable::Processes, None) if names.is_empty() => text::Table::Cgroups(sets::CGROUPS.first.to_vec()),
        (NetTable::Processes, None) => text::Table::Cgroups(columns(names)?),
    })
}

/// The columns that are named; where none are, all of the set.
fn all_or<C: Columns>(names: &[String], set: Set<C>) -> Result<Vec<C>, OptionsError> {
    if names.is_empty() { Ok(fit(set.first, set.more, u16::MAX)) } else { columns(names) }
}

/// Puts the column that a table is sorted by into it, as the screen does: who asks for an order wants to see it.
fn show_order(table: &mut text::Table, process: Column, cgroup: CgroupColumn, net: NetSort) {
    fn show<C: Columns>(columns: &mut Vec<C>, sort: C) {
        if !columns.contains(&sort) {
            let at = columns.iter().position(|c| c.takes_the_rest()).unwrap_or(columns.len());
            columns.insert(at, sort);
        }
    }
    match table {
        text::Table::Processes(columns) => show(columns, process),
        text::Table::Sockets(columns) | text::Table::Listeners(columns) => show(columns, net.socket.0),
        text::Table::Remotes(columns) => show(columns, net.remote.0),
        text::Table::Interfaces(columns) => show(columns, net.interface.0),
        text::Table::Cgroups(columns) => show(columns, cgroup),
        text::Table::Stacks => {}
    }
}

/// What processes are sorted by unless told otherwise: as on the screen, but network bytes are those of both ways.
fn first_sort(view: View) -> Column {
    match view {
        View::Network => Column::Net,
        view => view.first_sort(),
    }
}

fn columns<C: Columns>(names: &[String]) -> Result<Vec<C>, OptionsError> {
    names.iter().map(|name| column(name)).collect()
}

pub(super) fn column<C: Columns>(name: &str) -> Result<C, OptionsError> {
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

//! What a batch run needs collected, and which parts of the kernel half it would miss.

use super::options::{BatchOptions, Format};
use crate::app::column::{Column, Columns, Spec, wants, wants_of};
use crate::app::filter::FilterOf;
use crate::app::net::NetTable;
use crate::app::view::{Shown, View};
use crate::export::field::{CGROUP, EXIT, PROCESS};
use crate::export::{Writer, json, text};
use crate::sample::{Domain, Wants};

impl BatchOptions {
    /// What must be collected beyond the basics for what is written, sorted by or asked for by the filter.
    pub fn collects(&self) -> Wants {
        self.wants.with(wants_of(self.filter.specs(filter_of(self.shown)).into_iter()))
    }

    /// The domains that what is shown comes from, sorted and filtered by.
    pub fn domains(&self) -> Vec<Domain> {
        // From /proc alone.
        if self.shown.net == NetTable::Interfaces {
            return Vec::new();
        }
        let of_filter = self.filter.specs(filter_of(self.shown));
        let mut fields = self.fields.iter().chain(of_filter.iter().flat_map(|spec| spec.fields));
        let mut domains = vec![Domain::Tasks];
        domains.extend((self.shown.net != NetTable::Processes || fields.any(|field| is_of_net(field))).then_some(Domain::Net));
        domains.extend((self.shown.view == View::Stacks).then_some(Domain::Stacks));
        domains.extend(self.collects().page_allocs.then_some(Domain::Mem));
        domains
    }
}

/// The table that a filter of the view is for.
fn filter_of(shown: Shown) -> FilterOf {
    if shown.view == View::Cgroups { FilterOf::Cgroups } else { FilterOf::Net(shown.net) }
}

/// What must be collected: the probe of page allocations costs, so it runs only if a column or field made from them is shown.
pub(super) fn wanted(shown: Shown, format: Format, writer: &Writer, names: &[String]) -> Wants {
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
    Wants { page_allocs: of_columns.page_allocs, ..shown.net.wants() }
}

/// Fields of processes or control groups that a text table or chosen fields are made from.
pub(super) fn made_from(shown: Shown, writer: &Writer, chosen: &json::Fields) -> Vec<&'static str> {
    fn of_columns<C: Columns>(columns: &[C]) -> Vec<&'static str> {
        let spec = |column: &C| -> &'static Spec { column.spec() };
        columns.iter().flat_map(|column| spec(column).fields).copied().collect()
    }
    match writer {
        Writer::Text(text::Table::Processes(columns)) => of_columns(columns),
        Writer::Text(text::Table::Cgroups(columns)) => of_columns(columns),
        Writer::Json(_) | Writer::Csv(_) if shown.view == View::Cgroups => {
            chosen.cgroup.as_deref().unwrap_or(CGROUP).iter().map(|(name, _)| *name).collect()
        }
        Writer::Json(_) | Writer::Csv(_) if shown.net == NetTable::Processes && shown.view != View::Stacks => match &chosen.process {
            Some(fields) => fields.iter().map(|(name, _)| *name).collect(),
            None => PROCESS.iter().chain(EXIT).map(|(name, _)| *name).collect(),
        },
        _ => Vec::new(),
    }
}

/// Bytes, messages and retransmits of processes and control groups: counted by the network hooks.
fn is_of_net(field: &str) -> bool {
    ["tx_", "rx_", "retransmits"].iter().any(|start| field.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::filter::parse;

    fn domains(format: Format, shown: impl Into<Shown>, fields: &[&str], sort: Option<&str>, filter: &str) -> Vec<Domain> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let options = BatchOptions::new(format, shown.into(), &fields, sort).unwrap();
        BatchOptions { filter: parse(filter).unwrap(), ..options }.domains()
    }

    #[test]
    fn domains_are_those_of_what_is_shown() {
        use Domain::{Mem, Net, Stacks, Tasks};
        for (shown, text, json) in [
            (Shown::from(View::Processes), &[Tasks, Net][..], &[Tasks, Net][..]),
            (View::Cpu.into(), &[Tasks], &[Tasks, Net]),
            (View::Memory.into(), &[Tasks, Mem], &[Tasks, Net]),
            (View::Network.into(), &[Tasks, Net], &[Tasks, Net]),
            (View::Disk.into(), &[Tasks], &[Tasks, Net]),
            (View::Cgroups.into(), &[Tasks, Net], &[Tasks, Net]),
            (View::Stacks.into(), &[Tasks, Stacks], &[Tasks, Stacks]),
            (NetTable::Sockets.into(), &[Tasks, Net], &[Tasks, Net]),
            (NetTable::Listeners.into(), &[Tasks, Net], &[Tasks, Net]),
            (NetTable::Remotes.into(), &[Tasks, Net], &[Tasks, Net]),
            (NetTable::Interfaces.into(), &[], &[]),
        ] {
            assert_eq!(domains(Format::Text, shown, &[], None, ""), text, "{shown:?}");
            assert_eq!(domains(Format::Json, shown, &[], None, ""), json, "{shown:?}");
            assert_eq!(domains(Format::Csv, shown, &[], None, ""), json, "{shown:?}");
        }
    }

    #[test]
    fn fields_order_and_filter_have_domains_too() {
        use Domain::{Mem, Net, Stacks, Tasks};
        assert_eq!(domains(Format::Json, View::Processes, &["pid", "rss"], None, ""), [Tasks]);
        assert_eq!(domains(Format::Csv, View::Processes, &["pid", "retr"], None, ""), [Tasks, Net]);
        assert_eq!(domains(Format::Text, View::Cgroups, &["name", "cpu"], None, ""), [Tasks]);
        assert_eq!(domains(Format::Json, View::Cgroups, &["path", "rx_bytes"], None, ""), [Tasks, Net]);
        assert_eq!(domains(Format::Json, View::Cpu, &["pid"], Some("net"), ""), [Tasks, Net]);
        assert_eq!(domains(Format::Json, View::Cpu, &["pid"], Some("pgalloc"), ""), [Tasks, Mem]);
        assert_eq!(domains(Format::Json, View::Stacks, &[], Some("pgalloc"), ""), [Tasks, Stacks], "nothing there is in that order");
        assert_eq!(domains(Format::Text, View::Cpu, &[], None, "!(pgalloc<=0 rxtotal>1k)"), [Tasks, Net, Mem]);
    }
}

//! How ebtop itself is doing, in words; and what to say where there are no lines to show.

use super::App;
use super::filter::FilterOf;
use super::keys::Action;
use super::net::NetTable;
use super::view::View;
use crate::format;
use crate::sample::{Domain, Health, Sample};

/// The health of the kernel half as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overall {
    /// Nothing was read yet.
    Starting,
    /// Something is still on its way into the kernel.
    Loading,
    /// Everything works.
    Live,
    /// Some domains are not whole: which, and why the first of them.
    Degraded(String),
    /// No BPF at all: why.
    ProcOnly(String),
}

impl Overall {
    /// Sums the domains up.
    pub fn of(sample: &Sample) -> Overall {
        let is_off = |domain| matches!(health(sample, domain), Some(Health::Off { .. }));
        let reasons = Domain::ALL.into_iter().filter_map(|d| reason(health(sample, d)?).map(|r| (d, r)));
        let reasons: Vec<(Domain, &str)> = reasons.collect();
        match reasons.first() {
            None if sample.at_ns == 0 => Overall::Starting,
            None if sample.status.iter().any(|s| s.health == Health::Loading) => Overall::Loading,
            None => Overall::Live,
            Some((_, why)) if [Domain::Net, Domain::Stacks, Domain::Mem].into_iter().all(is_off) => Overall::ProcOnly(why.to_string()),
            Some((_, why)) => {
                let names: Vec<_> = reasons.iter().map(|(d, _)| d.name()).collect();
                Overall::Degraded(format!("{}: {why}", names.join(", ")))
            }
        }
    }
}

/// How a domain is.
pub fn health(sample: &Sample, domain: Domain) -> Option<&Health> {
    sample.status.iter().find(|s| s.domain == domain).map(|s| &s.health)
}

/// Why a domain is not whole.
fn reason(health: &Health) -> Option<&str> {
    match health {
        Health::Degraded { reason } | Health::Off { reason } => Some(reason),
        Health::Live | Health::Standby | Health::Loading => None,
    }
}

/// What was lost most of since the start, and whether there is more: `lost 9.1k stack samples`; the help tells all of it.
pub fn lost(sample: &Sample) -> Option<String> {
    let mut lost = sample.status.iter().filter(|status| status.lost > 0);
    let most = lost.clone().max_by_key(|status| status.lost)?;
    let what = match most.domain {
        Domain::Tasks => "exits",
        Domain::Net => "network events",
        Domain::Stacks => "stack samples",
        Domain::Mem => "page events",
        Domain::Watch => "probe events",
    };
    let more = if lost.nth(1).is_some() { " …" } else { "" };
    Some(format!("lost {} {what}{more}", format::count(most.lost as f64, 6)))
}

/// The part of the kernel half without which there is nothing to show. Interfaces come from /proc.
fn domain(app: &App) -> Domain {
    if app.net_table() == NetTable::Interfaces { Domain::Tasks } else { app.view().domain() }
}

/// What stands in place of lines, paragraph by paragraph; `None` where there are lines.
pub fn instead_of_lines(app: &App) -> Option<Vec<String>> {
    let sample = &app.model().sample;
    if sample.at_ns == 0 {
        return Some(match app.end() {
            Some(Some(error)) => vec!["No sample could be read.".into(), error.clone()],
            Some(None) => vec!["The recording holds no samples.".into()],
            None => vec!["Reading the first sample …".into()],
        });
    }
    let domain = domain(app);
    if let Some(Health::Off { reason }) = health(sample, domain) {
        let what = match app.view() {
            View::Network => "Network bytes are not counted.",
            _ => "This view has no data.",
        };
        return Some(vec![what.into(), reason.clone()]);
    }
    if health(sample, domain) == Some(&Health::Loading) {
        return Some(vec!["This part is being loaded into the kernel …".into()]);
    }
    if app.view() == View::Cgroups && app.model().cgroups.is_empty() {
        return Some(match &sample.cgroups {
            None if app.is_past() => vec!["Nobody looked at the cgroups then: they are read only while they are shown.".into()],
            None => vec!["Reading the cgroups …".into()],
            Some(groups) => ["There are no cgroups to show.".to_owned()].into_iter().chain(groups.trouble.clone()).collect(),
        });
    }
    let filtered = !app.filter_text().is_empty();
    match app.line_count() {
        0 if filtered => Some(
            [format!("The filter  {}  hides all {} lines.", app.filter_text(), app.lines_before_filter())]
                .into_iter()
                .chain(app.filter().foreign(app.filter_of()).map(|name| nothing_called(name, app.filter_of())))
                .chain(app.filter_doubt().map(|doubt| format!("({doubt})")))
                .chain([ways_out_of_the_filter(app)])
                .collect(),
        ),
        0 if app.net_table() != NetTable::Processes && !app.knows_net() => Some(vec![match app.is_replay() {
            _ if app.is_past() => format!("Nobody looked at the {} then: they are read only while they are shown.", app.net_table().name()),
            true => format!("The recording holds no {}: whoever records does not look at them.", app.net_table().name()),
            false => format!("Reading the {} …", app.net_table().name()),
        }]),
        0 if app.net_table() == NetTable::Processes && app.within().is_some() => {
            Some(vec!["No processes in this cgroup.".into(), "Esc leads back to all cgroups.".into()])
        }
        0 => Some(vec![format!("No {}.", app.net_table().name())]),
        _ => None,
    }
}

/// Why a filter that is meant for other tables hides everything.
fn nothing_called(name: &str, of: FilterOf) -> String {
    match of {
        FilterOf::Cgroups => format!("Cgroups have no `{name}`: it is for processes. Enter on a cgroup shows those in it."),
        FilterOf::Net(table) => format!("There is no `{name}` of {}.", table.name()),
    }
}

/// By the keys that are live.
fn ways_out_of_the_filter(app: &App) -> String {
    let key = |action, what| Some(format!("{} {what}", app.keymap().key_of(action, app.places())?.name()));
    let ways: Vec<String> = [key(Action::Back, "clears it"), key(Action::Filter, "changes it")].into_iter().flatten().collect();
    if ways.is_empty() { String::new() } else { ways.join(", ") + "." }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::DomainStatus;

    fn sample(health: [Health; 4]) -> Sample {
        let status = |(domain, health)| DomainStatus { domain, health, lost: 2, cost: None };
        Sample { at_ns: 1, status: Domain::ALL.into_iter().zip(health).map(status).collect(), ..Sample::default() }
    }

    fn off() -> Health {
        Health::Off { reason: "no CAP_BPF".into() }
    }

    #[test]
    fn sums_up_the_domains() {
        use Health::{Live, Standby};
        assert_eq!(Overall::of(&sample([Live, Live, Live, Standby])), Overall::Live);
        assert_eq!(Overall::of(&sample([Live, off(), Live, Standby])), Overall::Degraded("net: no CAP_BPF".into()));
        let proc_fs = [Health::Degraded { reason: "no CAP_BPF".into() }, off(), off(), off()];
        assert_eq!(Overall::of(&sample(proc_fs)), Overall::ProcOnly("no CAP_BPF".into()));
        assert_eq!(Overall::of(&sample([Live, Health::Loading, Live, Standby])), Overall::Loading);
        assert_eq!(Overall::of(&Sample::default()), Overall::Starting);
        let mut sample = sample([Live, Live, Live, Live]);
        assert_eq!(lost(&sample).as_deref(), Some("lost 2 page events …"));
        sample.status.iter_mut().for_each(|status| status.lost = if status.domain == Domain::Stacks { 9100 } else { 0 });
        assert_eq!(lost(&sample).as_deref(), Some("lost 9.1k stack samples"));
        assert_eq!(lost(&Sample::default()), None);
    }
}

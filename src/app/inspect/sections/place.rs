//! Where a process runs: unit, container, control groups, namespaces.

use super::{Section, Tone, unknown};
use crate::app::App;
use crate::app::inspect::Pane;
use crate::sample::cgroup_path;
use crate::sample::inspection::{Fact, Inspection};

/// Unit, container and control groups, where they are known.
pub(super) fn place(app: &App, pane: &Pane) -> Option<Section> {
    let mut section = Section::new("Runs in");
    let details = app.details.get(pane.key)?;
    let cgroup = details.cgroup.as_deref();
    if let Some(container) = details.container.as_deref() {
        let runtime = container.runtime.name().map(|name| format!("{name} ")).unwrap_or_default();
        let named = if container.name.as_ref() == Some(&container.id) { String::new() } else { format!("  {}", container.id) };
        section.say("container", format!("{runtime}{}{named}", container.title()));
        if let Some(pod) = container.pod_title() {
            section.say("pod", pod);
        }
    }
    let container_id = details.container.as_ref().map(|container| container.id.as_str());
    // A unit that is named after the container says nothing more.
    let unit = cgroup.and_then(cgroup_path::unit).filter(|unit| container_id.is_none_or(|id| !unit.contains(id)));
    if let Some(unit) = unit {
        section.say("unit", unit);
    }
    if let Some(slice) = cgroup.and_then(cgroup_path::slice) {
        section.say("slice", slice);
    }
    section.say("cgroup", cgroup.unwrap_or("unknown"));
    let all = pane.found.as_deref().and_then(|found| found.cgroups.known());
    // Version 1 has one for each controller; those in the root are left out.
    let others = all.into_iter().flatten().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        (!controllers.is_empty() && path != "/" && Some(path) != cgroup).then_some((controllers, path))
    });
    for (controllers, path) in others {
        section.say("", format!("{controllers}: {path}"));
    }
    Some(section)
}

/// Its namespaces: those of its own, and those it shares with ebtop.
pub(super) fn namespaces(found: &Inspection) -> Section {
    let mut section = Section::new("Namespaces");
    let Fact::Known(all) = &found.namespaces else {
        section.say_in(Tone::Dim, "", unknown(&found.namespaces));
        return section;
    };
    let (own, shared): (Vec<_>, Vec<_>) = all.iter().partition(|namespace| namespace.is_other);
    if !own.is_empty() {
        let own: Vec<String> = own.iter().map(|namespace| format!("{} {}", namespace.kind, namespace.inode)).collect();
        section.say("of its own", own.join("  "));
    }
    if !shared.is_empty() {
        section.say("as ebtop", shared.iter().map(|namespace| namespace.kind.as_str()).collect::<Vec<_>>().join(" "));
    }
    section
}

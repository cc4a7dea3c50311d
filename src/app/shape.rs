//! How the lines of a process table stand together: one by one, as a tree, in groups.

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::sample::{Container, Details, Task, cgroup_path};

/// How lines stand together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// One by one.
    #[default]
    Flat,
    /// Children below their parents.
    Tree,
    /// Members below what they have in common.
    Groups(Grouping),
}

/// What the members of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Name of the leader thread.
    Command,
    /// Real user.
    User,
    /// Path of the control group.
    Cgroup,
    /// Systemd unit.
    Unit,
    /// Container.
    Container,
    /// Kubernetes pod.
    Pod,
}

impl Grouping {
    /// All there are, in the order of the menu.
    pub const ALL: [Grouping; 6] =
        [Grouping::Command, Grouping::User, Grouping::Cgroup, Grouping::Unit, Grouping::Container, Grouping::Pod];

    /// Its name.
    pub fn name(self) -> &'static str {
        ["command", "user", "cgroup", "unit", "container", "pod"][self as usize]
    }

    /// Said about it in the menu.
    pub fn note(self) -> &'static str {
        [
            "the name of the program",
            "whose processes they are",
            "the control group they are in",
            "the systemd service, scope or slice",
            "the container, by its name or id",
            "the Kubernetes pod, with its namespace",
        ][self as usize]
    }

    /// Who is in a cgroup decides, and nothing else.
    pub fn is_by_cgroup(self) -> bool {
        !matches!(self, Grouping::Command | Grouping::User)
    }

    /// It is read off details.
    pub fn needs_details(self) -> bool {
        self != Grouping::Command
    }

    /// The group of a process, fit for a terminal.
    pub fn group_of(self, task: &Task, details: Option<&Details>) -> String {
        let Some(details) = details.filter(|_| self.needs_details()) else {
            return match self {
                Grouping::Command => task.comm.to_string(),
                Grouping::User => task.uid.to_string(),
                _ => "…".to_string(),
            };
        };
        let cgroup = details.cgroup.as_deref();
        let container = details.container.as_deref();
        match self {
            Grouping::Command => task.comm.to_string(),
            Grouping::User => details.user.clone(),
            Grouping::Cgroup => cgroup.unwrap_or("no cgroup").to_string(),
            Grouping::Unit => cgroup.and_then(cgroup_path::unit).unwrap_or("no unit").to_string(),
            Grouping::Container => container.map_or(Cow::Borrowed("no container"), Container::full_title).into_owned(),
            Grouping::Pod => container.and_then(Container::pod_title).unwrap_or(Cow::Borrowed("no pod")).into_owned(),
        }
    }
}

/// A number for a group that stays the same from tick to tick.
pub fn group_id(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_goes_by_what_is_known() {
        let named = |pod: &str| Container { name: Some("app".into()), pod: Some(pod.into()), ..Container::default() };
        let details = |container: Option<Container>| Details {
            cgroup: Some("/system.slice/ssh.service".into()),
            container: container.map(Into::into),
            ..Details::default()
        };
        let of = |by: Grouping, details: Option<&Details>| by.group_of(&Task { uid: 7, ..Task::default() }, details);
        let in_pod = details(Some(named("web-0")));
        assert_eq!(of(Grouping::Container, Some(&in_pod)), "web-0/app");
        assert_eq!((of(Grouping::Pod, Some(&in_pod)), of(Grouping::Unit, Some(&in_pod))), ("web-0".into(), "ssh.service".into()));
        let outside = details(None);
        assert_eq!((of(Grouping::Container, Some(&outside)), of(Grouping::Pod, Some(&outside))), ("no container".into(), "no pod".into()));
        assert_eq!([Grouping::Unit, Grouping::User].map(|by| of(by, None)), ["…", "7"]);
    }
}

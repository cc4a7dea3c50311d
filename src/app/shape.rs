//! How the lines of a process table stand together: one by one, as a tree, in groups.

use std::borrow::Cow;
use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::details::DetailsBook;
use super::user_names::UserNames;
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
    pub fn group_of(self, task: &Task, book: &DetailsBook) -> String {
        let details = || book.get(task.key);
        let read = |of: fn(&Details) -> Cow<'_, str>| details().map_or(Cow::Borrowed("…"), of).into_owned();
        match self {
            Grouping::Command => task.comm.to_string(),
            Grouping::User => UserNames::of(Some(book.users()), Some(task), details()).unwrap_or_default().into_owned(),
            Grouping::Cgroup => read(|d| d.cgroup.as_deref().unwrap_or("no cgroup").into()),
            Grouping::Unit => read(|d| d.cgroup.as_deref().and_then(cgroup_path::unit).unwrap_or("no unit").into()),
            Grouping::Container => read(|d| d.container.as_deref().map_or("no container".into(), Container::full_title)),
            Grouping::Pod => read(|d| d.container.as_deref().and_then(Container::pod_title).unwrap_or("no pod".into())),
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
        let of = |by: Grouping, details: Option<&Details>| {
            let (task, mut book) = (Task { uid: 7, ..Task::default() }, DetailsBook::default());
            book.learn(details.map(|details| (task.key, details.clone())).into_iter().collect());
            by.group_of(&task, &book)
        };
        let in_pod = details(Some(named("web-0")));
        assert_eq!(of(Grouping::Container, Some(&in_pod)), "web-0/app");
        assert_eq!((of(Grouping::Pod, Some(&in_pod)), of(Grouping::Unit, Some(&in_pod))), ("web-0".into(), "ssh.service".into()));
        let outside = details(None);
        assert_eq!((of(Grouping::Container, Some(&outside)), of(Grouping::Pod, Some(&outside))), ("no container".into(), "no pod".into()));
        assert_eq!([Grouping::Unit, Grouping::User].map(|by| of(by, None)), ["…", "7"]);
    }
}

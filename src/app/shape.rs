//! How the lines of a process table stand together: one by one, as a tree, in groups.

use rustc_hash::FxHasher;
use std::hash::Hasher;

use crate::sample::{Details, Task};

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
}

impl Grouping {
    /// All there are, in the order of the menu.
    pub const ALL: [Grouping; 5] = [Grouping::Command, Grouping::User, Grouping::Cgroup, Grouping::Unit, Grouping::Container];

    /// Its name.
    pub fn name(self) -> &'static str {
        ["command", "user", "cgroup", "unit", "container"][self as usize]
    }

    /// Said about it in the menu.
    pub fn note(self) -> &'static str {
        [
            "the name of the program",
            "whose processes they are",
            "the control group they are in",
            "the systemd service, scope or slice",
            "the container, by its id in the cgroup",
        ][self as usize]
    }

    /// It is read off details.
    pub fn needs_details(self) -> bool {
        self != Grouping::Command
    }

    /// The group of a process, fit for a terminal.
    pub fn group_of(self, task: &Task, details: Option<&Details>) -> String {
        let of_cgroup = |name: fn(&str) -> Option<&str>, none: &str| match details {
            Some(details) => details.cgroup.as_deref().and_then(name).unwrap_or(none).to_string(),
            None => "…".to_string(),
        };
        match self {
            Grouping::Command => task.comm.to_string(),
            Grouping::User => details.map_or_else(|| task.uid.to_string(), |d| d.user.clone()),
            Grouping::Cgroup => of_cgroup(|path| Some(path), "no cgroup"),
            Grouping::Unit => of_cgroup(unit, "no unit"),
            Grouping::Container => match details.and_then(|d| d.cgroup.as_deref()).and_then(container) {
                Some(id) => id.chars().take(SHORT_ID).collect(),
                None if details.is_none() => "…".to_string(),
                None => "no container".to_string(),
            },
        }
    }
}

/// Letters of a container id that docker, podman and crictl show.
const SHORT_ID: usize = 12;
/// Letters of a whole container id.
const ID: usize = 64;

/// The innermost service or scope of a cgroup path, else its innermost slice.
fn unit(path: &str) -> Option<&str> {
    let ends = |suffixes: &[&str]| path.rsplit('/').find(|part| suffixes.iter().any(|s| part.len() > s.len() && part.ends_with(s)));
    ends(&[".service", ".scope"]).or_else(|| ends(&[".slice"]))
}

/// The 64 hexadecimal digits by which docker, containerd, CRI-O and podman call a container in a cgroup path.
fn container(path: &str) -> Option<&str> {
    let hex = |text: &&str| text.len() == ID && text.bytes().all(|b| b.is_ascii_hexdigit());
    path.rsplit(['/', '-', '.', ':']).find(hex)
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
    fn units_and_containers_are_read_off_the_cgroup() {
        let id = "0123456789abcdef".repeat(4);
        assert_eq!(unit("/system.slice/ssh.service"), Some("ssh.service"));
        assert_eq!(unit("/user.slice/user-0.slice/session-3.scope"), Some("session-3.scope"));
        assert_eq!(unit("/user.slice"), Some("user.slice"));
        assert_eq!((unit("/"), unit("/.service")), (None, None));
        for path in
            [format!("/docker/{id}"), format!("/system.slice/docker-{id}.scope"), format!("/kubepods/pod1/cri-containerd-{id}.scope")]
        {
            assert_eq!(container(&path), Some(id.as_str()), "{path}");
        }
        assert_eq!(container("/system.slice/ssh.service"), None);
        let details = Details { cgroup: Some(format!("/docker/{id}")), ..Details::default() };
        assert_eq!(Grouping::Container.group_of(&Task::default(), Some(&details)), "0123456789ab");
        assert_eq!(Grouping::Unit.group_of(&Task::default(), None), "…");
    }
}

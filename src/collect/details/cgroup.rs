//! Which cgroup a process is in, from /proc/PID/cgroup.

use procfs::{FromRead, ProcessCGroup, ProcessCGroups};

use crate::sample::printable;

/// Controllers of version 1 that runtimes of containers use where nobody else does, the most telling first.
const TELLING: [&str; 3] = ["memory", "cpu", "pids"];

/// The path in the default hierarchy. Where version 1 is in use that is empty (`/`), and systemd keeps its units in a version 1
/// hierarchy named after it; without systemd there are only those of the controllers.
pub(super) fn path(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let groups = ProcessCGroups::from_read(text.as_bytes()).ok()?.0;
    let find = |is_it: fn(&&ProcessCGroup) -> bool| groups.iter().find(is_it).map(|group| group.pathname.as_str());
    let default = find(|group| group.hierarchy == 0);
    let systemd = find(|group| group.controllers.iter().any(|controller| controller == "name=systemd"));
    let of = |name: &&str| groups.iter().find(|g| g.controllers.iter().any(|c| c == name)).map(|group| group.pathname.as_str());
    let mut all = [default, systemd].into_iter().chain(TELLING.iter().map(of)).flatten();
    let chosen = all.clone().find(|&path| path != "/").or_else(|| all.next())?;
    Some(printable(chosen.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn systemd_where_the_default_is_empty() {
        let path = |text: &str| path(text.as_bytes());
        assert_eq!(path("0::/system.slice/ssh.service\n").as_deref(), Some("/system.slice/ssh.service"));
        assert_eq!(path("9:name=systemd:/user.slice\n4:memory:/m\n0::/\n").as_deref(), Some("/user.slice"));
        assert_eq!(path("9:name=systemd:/user.slice\n0::/other:with:colons\n").as_deref(), Some("/other:with:colons"));
        assert_eq!(path("0::/\n").as_deref(), Some("/"));
        assert_eq!(path("4:memory:/m\n3:cpu,cpuacct:/c\n2:pids:/p\n0::/\n").as_deref(), Some("/m"));
        assert_eq!(path("4:memory:/\n3:cpu,cpuacct:/c\n1:name=systemd:/\n").as_deref(), Some("/c"));
        assert_eq!(path("4:freezer:/f\n"), None);
        assert_eq!(path("0::/a\x1b[2J\n").as_deref(), Some("/a\u{fffd}[2J"));
    }

    proptest! {
        #[test]
        fn odd_bytes_never_panic(text in "([0-9]{0,12}:[a-z=,]{0,9}:?/?\\PC{0,9}\n?){0,4}", noise: Vec<u8>) {
            path(text.as_bytes());
            path(&noise);
        }
    }
}

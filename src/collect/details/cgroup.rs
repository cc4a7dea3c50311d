//! Which cgroup a process is in, from /proc/PID/cgroup.

use procfs::{FromRead, ProcessCGroup, ProcessCGroups};

use crate::sample::printable;

/// The path in the default hierarchy. Where version 1 is in use that is empty (`/`), and systemd keeps its units in a version 1
/// hierarchy named after it.
pub(super) fn path(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let groups = ProcessCGroups::from_read(text.as_bytes()).ok()?.0;
    let find = |is_it: fn(&&ProcessCGroup) -> bool| groups.iter().find(is_it).map(|group| group.pathname.as_str());
    let default = find(|group| group.hierarchy == 0);
    let systemd = find(|group| group.controllers.iter().any(|controller| controller == "name=systemd"));
    let chosen = default.filter(|&path| path != "/").or(systemd).or(default)?;
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
        assert_eq!(path("4:memory:/m\n"), None);
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

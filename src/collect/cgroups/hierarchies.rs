//! Which hierarchies of control groups are mounted, and where.

use std::path::{Path, PathBuf};

use procfs::process::MountInfo;

use crate::collect::proc_file::ProcFile;

/// Where the machine has them; other mounts of the same are for others.
const USUAL: &str = "/sys/fs/cgroup";

/// Controllers that have something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Controller {
    /// Limits of CPU time, and how often they were met.
    Cpu,
    /// CPU time.
    CpuAcct,
    /// Memory.
    Memory,
    /// Bytes of devices.
    BlkIo,
}

impl Controller {
    const ALL: [Controller; 4] = [Controller::Cpu, Controller::CpuAcct, Controller::Memory, Controller::BlkIo];

    /// Its name among the options of a mount.
    fn name(self) -> &'static str {
        ["cpu", "cpuacct", "memory", "blkio"][self as usize]
    }
}

/// A tree of control groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Its root directory.
    pub(super) root: PathBuf,
    /// Version 2: the default hierarchy, by which the kernel half knows processes.
    pub(super) is_default: bool,
    /// Of version 1: the controllers whose files it has.
    pub(super) controllers: Vec<Controller>,
}

/// Those of this mount namespace that tell of CPU, memory, I/O or units; version 1 first.
pub(super) fn mounted() -> Vec<Hierarchy> {
    ProcFile::open("/proc/self/mountinfo").read().map_or_else(Vec::new, |text| of_mounts(&text))
}

/// Reads /proc/self/mountinfo. A hierarchy that is mounted several times counts once, at its usual place.
fn of_mounts(text: &str) -> Vec<Hierarchy> {
    let mut found: Vec<(String, Hierarchy)> = Vec::new();
    for mount in text.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| MountInfo::from_line(line).ok()) {
        let has = |option: &str| mount.super_options.contains_key(option);
        let is_default = mount.fs_type == "cgroup2";
        let is_named = mount.super_options.get("name").is_some_and(|name| name.as_deref() == Some("systemd"));
        let controllers: Vec<Controller> = Controller::ALL.into_iter().filter(|c| !is_default && has(c.name())).collect();
        let tells = is_default || (mount.fs_type == "cgroup" && (is_named || !controllers.is_empty()));
        // A part of a hierarchy that is mounted somewhere would look like all of it.
        if !tells || (mount.root != "/" && !mount.root.starts_with("/..")) {
            continue;
        }
        let hierarchy = Hierarchy { root: mount.mount_point, is_default, controllers };
        match found.iter_mut().find(|(device, _)| *device == mount.majmin) {
            None => found.push((mount.majmin, hierarchy)),
            Some((_, known)) if !is_usual(&known.root) && is_usual(&hierarchy.root) => *known = hierarchy,
            Some(_) => {}
        }
    }
    found.sort_by_key(|(_, hierarchy)| hierarchy.is_default);
    found.into_iter().map(|(_, hierarchy)| hierarchy).collect()
}

fn is_usual(root: &Path) -> bool {
    root.starts_with(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roots(text: &str) -> Vec<(String, bool)> {
        of_mounts(text).into_iter().map(|h| (h.root.display().to_string(), h.is_default)).collect()
    }

    #[test]
    fn each_hierarchy_counts_once_at_its_usual_place() {
        let text = "\
36 25 0:30 / /chroot/sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct
31 24 0:27 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw,nsdelegate
32 24 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 24 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
34 24 0:32 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
35 24 0:33 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
99 24 0:44 / /mnt rw - tmpfs tmpfs rw\n";
        let expected = [("/sys/fs/cgroup/cpu,cpuacct", false), ("/sys/fs/cgroup/systemd", false), ("/sys/fs/cgroup/unified", true)];
        assert_eq!(roots(text), expected.map(|(root, is_default)| (root.to_owned(), is_default)));
        let controllers: Vec<_> = of_mounts(text).into_iter().map(|h| h.controllers).collect();
        assert_eq!(controllers, [vec![Controller::Cpu, Controller::CpuAcct], vec![], vec![]]);
        assert_eq!(roots("5 4 0:2 / /sys/fs/cgroup rw - cgroup2 none rw\n"), [("/sys/fs/cgroup".to_owned(), true)]);
    }

    proptest! {
        #[test]
        fn odd_mounts_never_panic(text in "([0-9]{0,3} [0-9]{0,3} [0-9]:[0-9] /? /[a-z\\\\0-9 ]{0,9} [a-z,=]{0,5} - cgroup2? ?[a-z]{0,4} ?[a-z,=]{0,9}\n|\\PC{0,20}\n){0,6}") {
            of_mounts(&text);
        }
    }
}

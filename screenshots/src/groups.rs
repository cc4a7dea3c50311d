//! Control groups for the workload, in every hierarchy that is mounted: version 2, version 1, or both at once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The group above all of them.
pub const TOP: &str = "shop";
const MOUNTED: &str = "/sys/fs/cgroup";
/// Hierarchies that ebtop reads from, of version 1; "" and "unified" are of version 2.
const HIERARCHIES: [&str; 5] = ["", "unified", "cpu", "cpuacct", "memory"];
/// A limit: of which group, in which file of version 2 and of version 1, what.
const LIMITS: [(&str, &str, &str, &str); 4] = [
    ("indexer", "cpu.max", "cpu.cfs_quota_us", "20000"),
    ("cache", "memory.max", "memory.limit_in_bytes", "1073741824"),
    ("web-server", "memory.max", "memory.limit_in_bytes", "536870912"),
    ("queue-worker", "memory.max", "memory.limit_in_bytes", "268435456"),
];

/// Groups that go with this value, once nobody is in them.
pub struct Groups {
    tops: Vec<PathBuf>,
}

impl Groups {
    /// One below [`TOP`] for each name.
    pub fn make(names: impl Iterator<Item = &'static str>) -> Result<Groups> {
        let roots = HIERARCHIES.map(|hierarchy| Path::new(MOUNTED).join(hierarchy));
        let tops: Vec<PathBuf> = roots.into_iter().filter(|root| root.join("cgroup.procs").exists()).map(|root| root.join(TOP)).collect();
        ensure!(!tops.is_empty(), "no control groups in {MOUNTED}");
        let groups = Groups { tops };
        for name in names {
            for top in &groups.tops {
                let group = top.join(name);
                fs::create_dir_all(&group).with_context(|| group.display().to_string())?;
            }
        }
        groups.limit();
        Ok(groups)
    }

    /// Where a hierarchy lacks a controller, its groups have no such limit.
    fn limit(&self) {
        for top in &self.tops {
            for above in top.ancestors().take(2) {
                let _ = fs::write(above.join("cgroup.subtree_control"), "+cpu +memory");
            }
            for (name, v2, v1, value) in LIMITS {
                [v2, v1].iter().for_each(|file| {
                    let file = top.join(name).join(file);
                    if file.exists() {
                        let _ = fs::write(file, value);
                    }
                });
            }
        }
    }

    /// Puts a process into its group.
    pub fn put(&self, name: &str, pid: u32) -> Result<()> {
        self.tops.iter().try_for_each(|top| {
            let file = top.join(name).join("cgroup.procs");
            fs::write(&file, pid.to_string()).with_context(|| file.display().to_string())
        })
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for top in &self.tops {
            let inner = fs::read_dir(top).into_iter().flatten().flatten();
            inner.filter(|entry| entry.path().is_dir()).for_each(|group| drop(fs::remove_dir(group.path())));
            let _ = fs::remove_dir(top);
        }
    }
}

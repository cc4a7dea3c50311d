//! Whose stacks.

use std::collections::BTreeSet;

use crate::sample::ProcKey;

/// The processes whose samples are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of the machine.
    #[default]
    Machine,
    /// One.
    Process(ProcKey),
    /// Several.
    Set(BTreeSet<ProcKey>),
    /// Those of a cgroup: its id and those of the cgroups below it, in the default hierarchy.
    Cgroup(Vec<u64>),
}

impl Scope {
    /// The process, if it is one.
    pub fn process(&self) -> Option<ProcKey> {
        match self {
            Scope::Process(key) => Some(*key),
            _ => None,
        }
    }

    /// Whether a process that was last seen in this cgroup (0 = unknown) is one of them.
    pub(super) fn covers(&self, process: ProcKey, cgroup_id: u64) -> bool {
        match self {
            Scope::Machine => true,
            Scope::Process(key) => *key == process,
            Scope::Set(keys) => keys.contains(&process),
            Scope::Cgroup(ids) => ids.contains(&cgroup_id),
        }
    }
}

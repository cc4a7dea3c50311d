//! Whose stacks are wanted, as processes come and go.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::sample::{Container, Details, ProcKey, Sample, Task, Watched, cgroup_path};

/// Whose stacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of one process.
    Pid(u32),
    /// Those of all processes of that name.
    Comm(String),
    /// Those of all processes in that cgroup or below it: a path, or a name in it such as `nginx.service`.
    Cgroup(String),
    /// Those of all processes.
    Everyone,
}

/// What is known of processes.
pub(super) struct Members {
    whose: Whose,
    /// Those that belong to it.
    keys: FxHashSet<ProcKey>,
    /// Exec and cgroup of each process that was asked about.
    cgroups: FxHashMap<ProcKey, (u64, Option<String>)>,
}

impl Members {
    pub(super) fn new(whose: &Whose) -> Members {
        let whose = match whose {
            Whose::Cgroup(path) => Whose::Cgroup(absolute(path)),
            other => other.clone(),
        };
        Members { whose, keys: FxHashSet::default(), cgroups: FxHashMap::default() }
    }

    /// Looks at who is there; what is given back should be asked for.
    pub(super) fn look(&mut self, sample: &Sample) -> Vec<(ProcKey, u64)> {
        let gone = sample.exits.iter().map(|exit| &exit.task);
        let tasks: Vec<&Task> = sample.tasks.iter().chain(gone).collect();
        match &self.whose {
            Whose::Everyone => {}
            // The pid may change hands: only who has it first is meant.
            Whose::Pid(pid) if self.keys.is_empty() => {
                self.keys.extend(sample.tasks.iter().find(|task| task.key.pid == *pid).map(|task| task.key));
            }
            Whose::Pid(_) => {}
            Whose::Comm(name) => self.keys.extend(tasks.iter().filter(|task| task.comm.to_string() == *name).map(|task| task.key)),
            Whose::Cgroup(_) => self.inherit(&tasks),
        }
        let is_new = |task: &&Task| self.cgroups.get(&task.key).is_none_or(|&(exec_id, _)| exec_id != task.exec_id);
        let new: Vec<_> = sample.tasks.iter().filter(is_new).map(|task| (task.key, task.exec_id)).collect();
        for &(key, exec_id) in &new {
            self.cgroups.entry(key).or_default().0 = exec_id;
        }
        new
    }

    /// Who is not known yet is where its parent is: that is where it was born.
    fn inherit(&mut self, tasks: &[&Task]) {
        let by_pid: FxHashMap<u32, ProcKey> = tasks.iter().map(|task| (task.key.pid, task.key)).collect();
        for task in tasks {
            if self.cgroup(task.key).is_none()
                && let Some(parent) = by_pid.get(&task.ppid).and_then(|parent| self.cgroup(*parent)).map(str::to_owned)
            {
                self.belong(task.key, parent);
            }
        }
    }

    /// Takes in answers.
    pub(super) fn learn(&mut self, found: Vec<(ProcKey, Details)>) {
        for (key, details) in found {
            if let Some(cgroup) = details.cgroup {
                self.belong(key, cgroup);
            }
        }
    }

    fn belong(&mut self, key: ProcKey, cgroup: String) {
        if let Whose::Cgroup(wanted) = &self.whose {
            match is_in(&cgroup, wanted) {
                true => self.keys.insert(key),
                false => self.keys.remove(&key),
            };
        }
        self.cgroups.entry(key).or_default().1 = Some(cgroup);
    }

    fn cgroup(&self, key: ProcKey) -> Option<&str> {
        self.cgroups.get(&key)?.1.as_deref()
    }

    /// Whether its stacks are wanted, as far as is known.
    pub(super) fn has(&self, key: ProcKey) -> bool {
        self.whose == Whose::Everyone || self.keys.contains(&key)
    }

    /// Whether its stacks may turn out to be wanted.
    pub(super) fn may_have(&self, key: ProcKey) -> bool {
        self.has(key) || matches!(self.whose, Whose::Comm(_) | Whose::Cgroup(_))
    }

    /// The only process, if there is only one to be.
    pub(super) fn only(&self) -> Option<ProcKey> {
        matches!(self.whose, Whose::Pid(_)).then(|| self.keys.iter().next().copied()).flatten()
    }

    /// Those of them that live, for a probe.
    pub(super) fn watched(&self, sample: &Sample) -> Watched {
        match self.whose {
            Whose::Everyone => Watched::Everyone,
            Whose::Pid(_) => Watched::One(self.only().unwrap_or_default()),
            _ => Watched::Family(sample.tasks.iter().map(|task| task.key).filter(|key| self.has(*key)).collect::<Arc<[_]>>()),
        }
    }

    /// The container a process runs in: the first 12 digits of its id, or the name of the machine, where its cgroup is named after one.
    pub(super) fn container(&self, key: ProcKey) -> Option<String> {
        let (runtime, id) = cgroup_path::container(self.cgroup(key)?)?;
        Some(Container { runtime, id: id.to_owned(), ..Container::default() }.short_id().to_owned())
    }
}

/// As it would stand in /proc/PID/cgroup.
fn absolute(path: &str) -> String {
    let path = path.strip_prefix("/sys/fs/cgroup").unwrap_or(path).trim_end_matches('/');
    let path = ["/unified", "/systemd"].iter().find_map(|mount| path.strip_prefix(mount)).unwrap_or(path);
    match path.is_empty() {
        true => "/".to_owned(),
        false => path.to_owned(),
    }
}

/// A name without a slash is that of any cgroup on the way.
fn is_in(cgroup: &str, wanted: &str) -> bool {
    if wanted == "/" {
        return true;
    }
    match wanted.contains('/') {
        true => {
            cgroup.trim_start_matches('/').strip_prefix(wanted.trim_start_matches('/')).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        }
        false => cgroup.split('/').any(|name| name == wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Comm, Exit};

    fn task(pid: u32, ppid: u32, comm: &str) -> Task {
        Task { key: ProcKey { pid, start_ns: 1 }, ppid, comm: Comm::new(comm.as_bytes()), ..Task::default() }
    }

    fn details(cgroup: &str) -> Details {
        Details { cgroup: Some(cgroup.into()), ..Details::default() }
    }

    fn pids(members: &Members) -> Vec<u32> {
        let mut pids: Vec<_> = members.keys.iter().map(|key| key.pid).collect();
        pids.sort_unstable();
        pids
    }

    #[test]
    fn names_of_the_living_and_the_dead() {
        let mut members = Members::new(&Whose::Comm("cc1".into()));
        let exits = vec![Exit { task: task(3, 1, "cc1"), ..Exit::default() }];
        members.look(&Sample { tasks: vec![task(1, 0, "make"), task(2, 1, "cc1")].into(), exits, ..Sample::default() });
        assert_eq!(pids(&members), [2, 3]);
        assert!(members.may_have(task(9, 1, "").key) && !members.has(task(1, 0, "").key));
    }

    #[test]
    fn a_pid_is_its_first_owner() {
        let mut members = Members::new(&Whose::Pid(2));
        members.look(&Sample { tasks: vec![task(2, 1, "a")].into(), ..Sample::default() });
        let heir = ProcKey { pid: 2, start_ns: 5 };
        members.look(&Sample { tasks: vec![Task { key: heir, ..Task::default() }].into(), ..Sample::default() });
        assert!(!members.has(heir) && members.only() == Some(task(2, 1, "a").key));
    }

    #[test]
    fn cgroups_hold_what_is_below_them_and_children_not_asked_about_yet() {
        let mut members = Members::new(&Whose::Cgroup("/sys/fs/cgroup/system.slice/".into()));
        let sample = Sample { tasks: vec![task(1, 0, "a"), task(2, 1, "b"), task(3, 0, "c")].into(), ..Sample::default() };
        assert_eq!(members.look(&sample).len(), 3);
        members.learn(vec![(sample.tasks[0].key, details("/system.slice/a.service")), (sample.tasks[2].key, details("/system.slices"))]);
        assert!(members.look(&sample).is_empty(), "each is asked about once");
        assert_eq!(pids(&members), [1, 2]);
        members.learn(vec![(sample.tasks[1].key, details("/user.slice"))]);
        assert_eq!(pids(&members), [1]);
    }

    #[test]
    fn cgroups_by_path_or_name() {
        for (cgroup, wanted, is) in [
            ("/system.slice/nginx.service", "nginx.service", true),
            ("/system.slice/nginx.service", "system.slice/nginx.service", true),
            ("/system.slice/nginx.service2", "/system.slice/nginx.service", false),
            ("/a/b", "/", true),
            ("/a/b", "/b", false),
        ] {
            assert_eq!(is_in(cgroup, &absolute(wanted)), is, "{cgroup} {wanted}");
        }
    }
}

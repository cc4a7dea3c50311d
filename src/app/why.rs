//! From lines of tables to the stacks of who they are about: a process, those that are tagged, a group, the exited of a name.

use std::collections::BTreeSet;

use super::App;
use super::lines::{Line, LineKey};
use super::shape::Shape;
use super::view::View;
use crate::model::stacks::{Measure, Scope};
use crate::sample::{Comm, ProcKey};

impl App {
    /// The stacks of all that are tagged; where nobody is, of the selected line.
    pub(super) fn why(&mut self, measure: Measure) {
        if self.view == View::Cgroups {
            return self.why_of_cgroup(measure);
        }
        if !self.tags.is_empty() {
            return self.show_stacks_of_tagged(measure);
        }
        match self.current_line() {
            Some((LineKey::Process(key) | LineKey::Thread(key, _), _)) => self.show_stacks(key, measure),
            Some((LineKey::Group(_), Line::Group(group))) => self.show_stacks_of_group(group, measure),
            Some((LineKey::Command(name), _)) if measure == Measure::OnCpu => self.show_stacks_of_exited(name),
            Some((LineKey::Exited, _)) if measure == Measure::OnCpu => {
                self.say("Space lists the commands that exited; Enter on one shows its stacks".into())
            }
            Some((LineKey::Exited | LineKey::Command(_), _)) => {
                self.say(format!("Choose a process that runs: {} by stack are counted only while they are looked at", measure.name()));
            }
            Some((LineKey::Group(_), _)) | None => self.say("Choose a process first".into()),
        }
    }

    pub(super) fn show_stacks(&mut self, key: ProcKey, measure: Measure) {
        let Some(row) = self.model.find(key) else { return };
        let name = self.model.task(row).comm.to_string();
        self.open_stacks(Scope::Process(key), &name, measure);
    }

    fn show_stacks_of_tagged(&mut self, measure: Measure) {
        match self.tagged()[..] {
            [key] => self.show_stacks(key, measure),
            ref keys => self.open_stacks(Scope::Set(keys.iter().copied().collect()), &format!("{} tagged", keys.len()), measure),
        }
    }

    /// Where a group is a matter of cgroups alone, by cgroup: then those that come and go are in it, too.
    fn show_stacks_of_group(&mut self, group: u32, measure: Measure) {
        let keys = self.members(group);
        let (Shape::Groups(by), Some(group)) = (self.shape, self.lines.groups.get(group as usize)) else { return };
        let title = format!("{} {}, {}", by.name(), group.name, keys.len());
        let tasks = || keys.iter().filter_map(|key| self.model.find(*key)).map(|row| self.model.task(row));
        let is_whole = self.filter.is_empty() && !self.hides_kernel_threads;
        let are_known = tasks().all(|task| task.cgroup_id != 0 && self.details.get(task.key).is_some_and(|d| d.cgroup.is_some()));
        let ids: Vec<u64> = tasks().map(|task| task.cgroup_id).collect::<BTreeSet<_>>().into_iter().collect();
        // With cgroup v1 all may be in one of the default hierarchy, whatever groups they are in.
        let are_all = || self.model.sample.tasks.iter().filter(|task| ids.binary_search(&task.cgroup_id).is_ok()).count() == keys.len();
        let scope = match by.is_by_cgroup() && is_whole && are_known && are_all() {
            true => Scope::Cgroup(ids),
            false => Scope::Set(keys.iter().copied().collect()),
        };
        self.open_stacks(scope, &title, measure);
    }

    /// The stacks of all processes of a name that exited in the last minutes.
    fn show_stacks_of_exited(&mut self, name: Comm) {
        let processes = self.history.processes(Measure::OnCpu);
        let keys: BTreeSet<ProcKey> = processes.iter().filter(|p| p.is_gone && p.name == name).map(|p| p.key).collect();
        if keys.is_empty() {
            return self.say(format!("No samples of {name}: it used next to no CPU"));
        }
        let title = format!("{name}, {} exited", keys.len());
        self.open_stacks(Scope::Set(keys), &title, Measure::OnCpu);
    }

    /// The stacks of some processes; one step back leads here.
    pub(super) fn open_stacks(&mut self, scope: Scope, name: &str, measure: Measure) {
        self.stacks.set_measure(measure);
        self.stacks.open(scope, name);
        let from = self.view;
        self.change_view(View::Stacks);
        self.trail.push(from);
    }
}

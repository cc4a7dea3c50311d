//! Processes that ended within the tick, folded by command.

use std::collections::BTreeMap;

use super::{Departed, Model, Row};
use crate::sample::{Comm, Counter, Counters, Task};

/// A process that runs no more.
#[derive(Clone, Copy, Debug)]
pub enum Ended<'a> {
    /// Its last words came.
    Departed(&'a Departed),
    /// It is on its way out, see [`Task::is_leaving`]; it ends within the next tick.
    Leaving(&'a Row),
}

impl<'a> Ended<'a> {
    /// Who it was.
    pub fn task(self, model: &'a Model) -> &'a Task {
        match self {
            Ended::Departed(departed) => &departed.exit.task,
            Ended::Leaving(row) => model.task(row),
        }
    }
}

impl Model {
    /// Those that run no more, in no order.
    pub fn ended(&self) -> impl Iterator<Item = Ended<'_>> {
        let leaving = self.rows.iter().filter(|row| self.task(row).is_leaving());
        self.departed.iter().map(Ended::Departed).chain(leaving.map(Ended::Leaving))
    }
}

/// Several processes as one row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What the row is called, fit for a terminal.
    pub name: String,
    /// Members.
    pub count: u32,
    /// Sum of the members' growth.
    pub delta: Counters,
    /// Largest peak of resident bytes among them.
    pub peak_rss_bytes: Option<u64>,
}

impl Group {
    fn add(&mut self, model: &Model, ended: Ended<'_>) {
        self.count += 1;
        match ended {
            Ended::Departed(departed) => {
                self.delta.add(&departed.delta);
                self.peak_rss_bytes = self.peak_rss_bytes.max(departed.exit.peak_rss_bytes);
            }
            Ended::Leaving(row) => self.delta.add(&model.growth(row).work_out().counters),
        }
    }
}

/// The exited of one tick. One that ends as the sample is taken is among those of two ticks, each time with what it gained in that one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exited {
    /// One for each command, most CPU first, then most members.
    pub groups: Vec<Group>,
    /// All of them; its name lists the commands with the most members.
    pub total: Group,
}

impl Exited {
    /// How many commands the name of the total lists.
    const NAMED: usize = 3;

    /// Folds by the name of the leader thread.
    pub fn fold<'a>(model: &'a Model, ended: impl Iterator<Item = Ended<'a>>) -> Exited {
        let mut by_comm: BTreeMap<Comm, Group> = BTreeMap::new();
        let mut total = Group::default();
        for one in ended {
            by_comm.entry(one.task(model).comm).or_default().add(model, one);
            total.add(model, one);
        }
        let mut groups: Vec<_> = by_comm.into_iter().map(|(comm, group)| Group { name: comm.to_string(), ..group }).collect();
        groups.sort_by_key(|g| std::cmp::Reverse((g.delta.get(Counter::CpuNs), g.count)));
        total.name = summary(&groups);
        Exited { groups, total }
    }
}

/// `exited: cc1 180 · sh 30`.
fn summary(groups: &[Group]) -> String {
    let mut by_count: Vec<_> = groups.iter().collect();
    by_count.sort_by_key(|g| std::cmp::Reverse(g.count));
    let named: Vec<_> = by_count.iter().take(Exited::NAMED).map(|g| format!("{} {}", g.name, g.count)).collect();
    let more = if groups.len() > Exited::NAMED { " · …" } else { "" };
    format!("exited: {}{more}", named.join(" · "))
}

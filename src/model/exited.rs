//! Processes that ended within the tick, folded by command.

use std::collections::BTreeMap;

use super::Departed;
use crate::sample::{Comm, Counter, Counters};

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
    fn add(&mut self, departed: &Departed) {
        self.count += 1;
        self.delta.add(&departed.delta);
        self.peak_rss_bytes = self.peak_rss_bytes.max(departed.exit.peak_rss_bytes);
    }
}

/// The exited of one tick.
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
    pub fn fold(departed: &[Departed]) -> Exited {
        let mut by_comm: BTreeMap<Comm, Group> = BTreeMap::new();
        let mut total = Group::default();
        for one in departed {
            by_comm.entry(one.exit.task.comm).or_default().add(one);
            total.add(one);
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

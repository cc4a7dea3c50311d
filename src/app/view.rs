//! The views and what each of them shows.

use super::column::{Column, Set, sets};
use crate::sample::Domain;

/// What fills the screen below the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    /// Who uses the machine.
    #[default]
    Processes,
    /// Where CPU time goes.
    Cpu,
    /// Who holds and touches memory.
    Memory,
    /// Who talks, by process or by socket.
    Network,
    /// Why: the hottest functions.
    Stacks,
}

impl View {
    /// All of them, in the order of their tabs.
    pub const ALL: [View; 5] = [View::Processes, View::Cpu, View::Memory, View::Network, View::Stacks];

    /// Its name on the tab.
    pub fn title(self) -> &'static str {
        ["Processes", "CPU", "Memory", "Network", "Stacks"][self as usize]
    }

    /// The next one, or the one before; the last is followed by the first.
    pub fn step(self, forward: bool) -> View {
        let count = View::ALL.len();
        View::ALL[(self as usize + if forward { 1 } else { count - 1 }) % count]
    }

    /// The columns of its table of processes; the stacks have none.
    pub fn columns(self) -> Option<Set<Column>> {
        match self {
            View::Processes => Some(sets::PROCESSES),
            View::Cpu => Some(sets::CPU),
            View::Memory => Some(sets::MEMORY),
            View::Network => Some(sets::NETWORK),
            View::Stacks => None,
        }
    }

    /// What its table is sorted by at first.
    pub fn first_sort(self) -> Column {
        match self {
            View::Memory => Column::Rss,
            View::Network => Column::Rx,
            View::Processes | View::Cpu | View::Stacks => Column::CpuPct,
        }
    }

    /// The part of the kernel half without which it has nothing of its own to show.
    pub fn domain(self) -> Domain {
        match self {
            View::Network => Domain::Net,
            View::Stacks => Domain::Stacks,
            View::Processes | View::Cpu | View::Memory => Domain::Tasks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_round() {
        let mut view = View::Processes;
        for _ in View::ALL {
            view = view.step(true);
        }
        assert_eq!(view, View::Processes);
        assert_eq!(View::Processes.step(false), View::Stacks);
    }

    #[test]
    fn a_view_shows_the_column_it_is_sorted_by() {
        for view in View::ALL {
            let Some(set) = view.columns() else { continue };
            assert!(set.first.contains(&view.first_sort()), "{view:?}");
        }
    }
}

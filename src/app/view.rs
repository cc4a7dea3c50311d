//! The views and what each of them shows.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::column::{Column, Set, sets};
use super::net::NetTable;
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
    /// Who reads and writes.
    Disk,
    /// Who uses the machine, by control group.
    Cgroups,
    /// Why: the hottest functions.
    Stacks,
}

impl View {
    /// All of them, in the order of their tabs.
    pub const ALL: [View; 7] = [View::Processes, View::Cpu, View::Memory, View::Network, View::Disk, View::Cgroups, View::Stacks];

    /// Its name on the tab.
    pub fn title(self) -> &'static str {
        ["Processes", "CPU", "Memory", "Network", "Disk", "Cgroups", "Stacks"][self as usize]
    }

    /// Its name on the command line and in the configuration.
    pub fn name(self) -> &'static str {
        ["processes", "cpu", "memory", "network", "disk", "cgroups", "stacks"][self as usize]
    }

    /// What `--view` says of it.
    fn help(self) -> &'static str {
        [
            "Everything about each process",
            "Where CPU time goes",
            "Resident memory, faults, growth",
            "Bytes of each process",
            "Blocks read and pages dirtied by each process, and the devices",
            "Control groups: limits, throttling, pressure, sums of their processes",
            "The hottest stacks",
        ][self as usize]
    }

    /// The next one, or the one before; the last is followed by the first.
    pub fn step(self, forward: bool) -> View {
        let count = View::ALL.len();
        View::ALL[(self as usize + if forward { 1 } else { count - 1 }) % count]
    }

    /// The columns of its table of processes; control groups and stacks have none.
    pub fn columns(self) -> Option<Set<Column>> {
        match self {
            View::Processes => Some(sets::PROCESSES),
            View::Cpu => Some(sets::CPU),
            View::Memory => Some(sets::MEMORY),
            View::Network => Some(sets::NETWORK),
            View::Disk => Some(sets::DISK),
            View::Cgroups | View::Stacks => None,
        }
    }

    /// What its table is sorted by at first.
    pub fn first_sort(self) -> Column {
        match self {
            View::Memory => Column::Rss,
            View::Network => Column::Rx,
            View::Disk => Column::Io,
            View::Processes | View::Cpu | View::Cgroups | View::Stacks => Column::CpuPct,
        }
    }

    /// The part of the kernel half without which it has nothing of its own to show.
    pub fn domain(self) -> Domain {
        match self {
            View::Network => Domain::Net,
            View::Stacks => Domain::Stacks,
            View::Processes | View::Cpu | View::Memory | View::Disk | View::Cgroups => Domain::Tasks,
        }
    }
}

/// What `--view` names: a view, or what the network consists of in place of its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The view.
    pub view: View,
    /// Its table: of processes in every view but Network.
    pub net: NetTable,
}

impl Shown {
    /// All of them, in the order of their tabs.
    pub const ALL: [Shown; View::ALL.len() + 4] = {
        const fn of(view: View) -> Shown {
            Shown { view, net: NetTable::Processes }
        }
        const fn net(net: NetTable) -> Shown {
            Shown { view: View::Network, net }
        }
        use NetTable::{Interfaces, Listeners, Remotes, Sockets};
        use View::{Cgroups, Cpu, Disk, Memory, Network, Processes, Stacks};
        [
            of(Processes),
            of(Cpu),
            of(Memory),
            of(Network),
            net(Sockets),
            net(Listeners),
            net(Remotes),
            net(Interfaces),
            of(Disk),
            of(Cgroups),
            of(Stacks),
        ]
    };

    /// Its name on the command line and in the configuration.
    pub fn name(self) -> &'static str {
        if self.net == NetTable::Processes { self.view.name() } else { self.net.name() }
    }

    /// Its name in the title of a list.
    pub fn title(self) -> &'static str {
        if self.net == NetTable::Processes { self.view.title() } else { self.net.name() }
    }
}

impl From<View> for Shown {
    fn from(view: View) -> Shown {
        Shown { view, net: NetTable::Processes }
    }
}

impl From<NetTable> for Shown {
    fn from(net: NetTable) -> Shown {
        Shown { view: View::Network, net }
    }
}

impl ValueEnum for Shown {
    fn value_variants<'a>() -> &'a [Shown] {
        &Shown::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let of_net = match self.net {
            NetTable::Processes => return Some(PossibleValue::new(self.view.name()).help(self.view.help())),
            NetTable::Sockets => "Bytes of each socket",
            NetTable::Listeners => "TCP listeners: how many connections wait to be accepted",
            NetTable::Remotes => "Sockets grouped by the address at the other end",
            NetTable::Interfaces => "Network interfaces: bytes, packets, errors, drops",
        };
        Some(PossibleValue::new(self.net.name()).help(of_net))
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
    fn every_view_has_a_name_of_its_own_on_the_command_line() {
        let shown = Shown::value_variants();
        for (index, one) in shown.iter().enumerate() {
            assert!(!shown[..index].contains(one), "{one:?} twice");
            let name = one.to_possible_value().unwrap();
            assert_eq!(Shown::from_str(name.get_name(), false), Ok(*one));
        }
        for view in View::ALL {
            assert!(shown.contains(&view.into()), "{view:?}");
            assert_eq!(view.name(), view.title().to_lowercase());
        }
    }

    #[test]
    fn a_view_shows_the_column_it_is_sorted_by() {
        for view in View::ALL {
            let Some(set) = view.columns() else { continue };
            assert!(set.first.contains(&view.first_sort()), "{view:?}");
        }
    }
}

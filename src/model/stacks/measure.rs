//! What stacks may be weighed by, and in which unit.

use crate::sample::{Domain, Probe, Weight};

/// What a tree or a table of stacks adds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Ticks of the timer that met it running.
    #[default]
    OnCpu,
    /// Time off the CPU: asleep, blocked, or waiting for a CPU.
    OffCpu,
    /// Page faults.
    Faults,
    /// Pages the kernel allocated for it.
    Allocs,
    /// What it sent and received over sockets.
    Net,
}

/// What the numbers of a measure count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Timed samples.
    Samples,
    /// Nanoseconds.
    Ns,
    /// Page faults.
    Faults,
    /// Bytes.
    Bytes,
}

impl Measure {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Measure; 5] = [Measure::OnCpu, Measure::OffCpu, Measure::Faults, Measure::Allocs, Measure::Net];

    /// What it adds up. Where it is more than one, the tree shows them apart.
    pub fn weights(self) -> &'static [Weight] {
        match self {
            Measure::OnCpu => &[Weight::OnCpu],
            Measure::OffCpu => &[Weight::Sleeping, Weight::Blocked, Weight::Runnable],
            Measure::Faults => &[Weight::MinorFault, Weight::MajorFault],
            Measure::Allocs => &[Weight::Alloc],
            Measure::Net => &[Weight::Sent, Weight::Received],
        }
    }

    /// The measure that adds up this weight.
    pub fn of(weight: Weight) -> Measure {
        match weight {
            Weight::OnCpu => Measure::OnCpu,
            Weight::Sleeping | Weight::Blocked | Weight::Runnable => Measure::OffCpu,
            Weight::MinorFault | Weight::MajorFault => Measure::Faults,
            Weight::Alloc => Measure::Allocs,
            Weight::Sent | Weight::Received => Measure::Net,
        }
    }

    /// The probe that it needs; none where the timer is enough.
    pub fn probe(self) -> Option<Probe> {
        match self {
            Measure::OnCpu => None,
            Measure::OffCpu => Some(Probe::OffCpu),
            Measure::Faults => Some(Probe::Faults),
            Measure::Allocs => Some(Probe::Allocs),
            Measure::Net => Some(Probe::Net),
        }
    }

    /// Where its samples come from.
    pub fn domain(self) -> Domain {
        if self.probe().is_some() { Domain::Watch } else { Domain::Stacks }
    }

    /// In which unit.
    pub fn unit(self) -> Unit {
        match self {
            Measure::OnCpu => Unit::Samples,
            Measure::OffCpu => Unit::Ns,
            Measure::Faults => Unit::Faults,
            Measure::Allocs | Measure::Net => Unit::Bytes,
        }
    }

    /// Its name on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Measure::OnCpu => "on-CPU",
            Measure::OffCpu => "off-CPU",
            Measure::Faults => "page faults",
            Measure::Allocs => "page allocations",
            Measure::Net => "network bytes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_in_its_own_measure_alone() {
        for measure in Measure::ALL {
            assert!(measure.weights().iter().all(|&weight| Measure::of(weight) == measure), "{measure:?}");
        }
        assert_eq!(Measure::ALL.map(|measure| measure.weights().len()).iter().sum::<usize>(), Weight::Received as usize + 1);
    }
}

//! Events of page faults on each CPU that is online, for as long as it is online.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;

use libbpf_rs::ProgramHandle;

use super::super::stacks::timers::{ROUNDS, online_cpus, refusal};
use crate::bpf::perf_event::{self, Event};

/// The events; they end when this is dropped.
pub(super) struct FaultEvents {
    /// What a minor fault runs, what a major one runs.
    programs: [ProgramHandle; 2],
    by_cpu: BTreeMap<u32, [Event; 2]>,
    round: u32,
}

impl FaultEvents {
    /// On all CPUs.
    ///
    /// # Errors
    /// One line: CPUs cannot be listed, or an event is refused.
    pub(super) fn start(programs: [ProgramHandle; 2]) -> Result<FaultEvents, String> {
        let mut events = FaultEvents { programs, by_cpu: BTreeMap::new(), round: 0 };
        for cpu in online_cpus().map_err(|e| format!("cannot list CPUs: {e}"))? {
            let opened = events.open(cpu).map_err(|e| refusal(&e))?;
            events.by_cpu.insert(cpu, opened);
        }
        Ok(events)
    }

    /// Lets go of CPUs that went away, whose events stay dead, and begins on those that came. One that is refused is tried again. Now and
    /// then each must show that its events live: a CPU may have come back before anybody saw it gone.
    pub(super) fn follow_cpus(&mut self) {
        let Ok(online) = online_cpus() else { return };
        self.by_cpu.retain(|cpu, _| online.binary_search(cpu).is_ok());
        self.round = self.round.wrapping_add(1);
        if self.round.is_multiple_of(ROUNDS) {
            self.by_cpu.retain(|_, events| events.iter_mut().all(Event::went_on));
        }
        for cpu in online {
            if !self.by_cpu.contains_key(&cpu)
                && let Ok(opened) = self.open(cpu)
            {
                self.by_cpu.insert(cpu, opened);
            }
        }
    }

    fn open(&self, cpu: u32) -> io::Result<[Event; 2]> {
        let [minor, major] = &self.programs;
        Ok([perf_event::each_fault_on_cpu(cpu, false, minor.as_fd())?, perf_event::each_fault_on_cpu(cpu, true, major.as_fd())?])
    }
}

#[cfg(test)]
impl FaultEvents {
    /// Whether each of them was on since the look before.
    pub(super) fn live(&mut self) -> bool {
        self.by_cpu.values_mut().flatten().all(Event::went_on)
    }

    /// Kills those of one kind, as a CPU does that goes offline.
    pub(super) fn turn_off(&self, major: bool) {
        self.by_cpu.values().for_each(|events| events[usize::from(major)].turn_off());
    }
}

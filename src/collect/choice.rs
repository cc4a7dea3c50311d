//! Which domains start, and by which of their hooks.

use super::{mem, net, tasks, watch};
use crate::sample::Domain;

/// What was asked for. The default is all domains, each by the best hooks that work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Domains that stay off.
    off: [bool; Domain::ALL.len()],
    /// The only way to walk the task list.
    pub tasks: Option<tasks::Rung>,
    /// The only way to see socket bytes.
    pub net: Option<net::Rung>,
    /// The only way to see page allocations.
    pub mem: Option<mem::Rung>,
    /// The only way to learn why a thread leaves the CPU.
    pub offcpu: Option<watch::Rung>,
    /// Without last words, as where processes cannot be followed to their end.
    pub deaf: bool,
    /// Without Python frames, as where the kernel refuses to read them.
    pub native: bool,
}

/// What [`Choice::force`] takes.
const FORCES: &str = "tasks=open-coded, tasks=iterator, exits=none, net=tracepoints, net=functions, net=probes, mem=typed, mem=raw, \
                      python=none, offcpu=told, offcpu=read";

impl Choice {
    /// These domains alone; all where none is named. Without tasks the table comes from /proc.
    pub fn only(domains: &[Domain]) -> Choice {
        Choice { off: Domain::ALL.map(|domain| !domains.is_empty() && !domains.contains(&domain)), ..Choice::default() }
    }

    /// Takes one rung of a domain's ladder instead of the best that works: `tasks=iterator,net=probes`. For tests.
    ///
    /// # Errors
    /// What is wrong with the text, and what it may hold.
    pub fn force(mut self, text: &str) -> Result<Choice, String> {
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair {
                "tasks=open-coded" => self.tasks = Some(tasks::Rung::OpenCoded),
                "tasks=iterator" => self.tasks = Some(tasks::Rung::Iterator),
                "net=tracepoints" => self.net = Some(net::Rung::Tracepoints),
                "net=functions" => self.net = Some(net::Rung::Functions),
                "net=probes" => self.net = Some(net::Rung::Probes),
                "mem=typed" => self.mem = Some(mem::Rung::Typed),
                "mem=raw" => self.mem = Some(mem::Rung::Raw),
                "exits=none" => self.deaf = true,
                "python=none" => self.native = true,
                "offcpu=told" => self.offcpu = Some(watch::Rung::Told),
                "offcpu=read" => self.offcpu = Some(watch::Rung::Read),
                _ => return Err(format!("EBTOP_FORCE: `{pair}` is none of {FORCES}")),
            }
        }
        Ok(self)
    }

    /// Whether a domain shall start; else the reason for the screen.
    pub fn wants(&self, domain: Domain) -> Result<(), String> {
        match self.off[domain as usize] {
            true => Err(format!("not asked for: start without --probes, or with {} among them", domain.name())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_domains_alone_start() {
        assert!(Domain::ALL.iter().all(|&domain| Choice::only(&[]).wants(domain).is_ok()));
        let choice = Choice::only(&[Domain::Tasks, Domain::Mem]);
        assert!(choice.wants(Domain::Mem).is_ok());
        assert!(choice.wants(Domain::Net).unwrap_err().contains("with net among them"));
    }

    #[test]
    fn rungs_are_forced_by_name() {
        let choice = Choice::default().force("net=probes, tasks=iterator").unwrap();
        assert_eq!((choice.net, choice.tasks, choice.mem), (Some(net::Rung::Probes), Some(tasks::Rung::Iterator), None));
        for pair in FORCES.split(", ") {
            assert_ne!(Choice::default().force(pair).unwrap(), Choice::default(), "{pair}");
        }
        assert_eq!(Choice::default().force(""), Ok(Choice::default()));
        assert!(Choice::default().force("net=magic").unwrap_err().contains("net=functions"));
    }
}

//! How the parts of the kernel half are doing.

use serde::{Deserialize, Serialize};

/// A part of the kernel half that works, or does not, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// CPU, faults, memory, I/O of live processes, and the last words of exited ones.
    Tasks,
    /// Bytes per socket and process.
    Net,
    /// Timed stack samples.
    Stacks,
    /// Page allocations.
    Mem,
    /// Stacks of watched processes, by what is costly to follow.
    Watch,
}

impl Domain {
    /// All domains.
    pub const ALL: [Domain; 5] = [Domain::Tasks, Domain::Net, Domain::Stacks, Domain::Mem, Domain::Watch];

    /// Its name on screen and in JSON.
    pub fn name(self) -> &'static str {
        ["tasks", "net", "stacks", "mem", "watch"][self as usize]
    }
}

/// How a domain is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// All of it works.
    Live,
    /// Runs, but only when asked: its probe is attached while something on screen shows it.
    Standby,
    /// Part of it works.
    Degraded {
        /// What is missing, why, and the fix, in one line.
        reason: String,
    },
    /// None of it works.
    Off {
        /// Why, and the fix, in one line.
        reason: String,
    },
    /// On its way into the kernel: the screen is shown before all of it is there.
    Loading,
}

/// Health and losses of one domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatus {
    /// Which.
    pub domain: Domain,
    /// How it is.
    pub health: Health,
    /// Events lost since ebtop started (full map or ring, failed read).
    pub lost: u64,
    /// What the kernel hooks in use cost, in words for the screen, e.g. `~70 ns a send or receive`.
    pub cost: Option<String>,
}

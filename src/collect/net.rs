//! Bytes per socket and process: owns the programs and maps of `net.bpf.c`.
//!
//! Process totals are read from their own map at every tick, and nothing else is while no socket is on screen. Sockets are read by a
//! *walk*: the kernel half visits every watched socket of every network namespace, refreshes its entry, and user space then reads all
//! entries in one go. Entries that the walk did not reach belong to sockets that are gone; they are given out once as closed and removed.

mod attach;
mod join;

use std::io::Read;
use std::time::{Duration, Instant};

use libbpf_rs::{Iter, Link, MapCore, MapFlags};
use rustc_hash::FxHashMap;

use crate::bpf::batch::{bytes_of, read_all, remove_all, value_of};
use crate::bpf::net::types::{eb_net_control, eb_net_proc, eb_net_proc_key, eb_net_stats, eb_net_use, eb_net_use_key};
use crate::sample::{Counter, Counters, Domain, DomainStatus, Health, ProcKey, Socket};
use attach::Attached;
use join::Joined;

/// Entries of sockets that may be gone are looked for at least this often.
const SWEEP_AT_LEAST: Duration = Duration::from_secs(60);
/// And at most this often.
const SWEEP_AT_MOST: Duration = Duration::from_secs(5);
/// How many entries may pile up over those of live sockets before a sweep.
const SWEEP_SLACK: u64 = 512;
/// The key of an array with one entry.
const ONLY: [u8; 4] = [0; 4];
/// The files of all processes are searched for idle sockets this often while sockets are on screen.
const SEARCH_EVERY: Duration = Duration::from_secs(30);
/// And this often while some have no known owner.
const SEARCH_UNKNOWN_EVERY: Duration = Duration::from_secs(5);

/// One reading of the socket counters.
#[derive(Default)]
pub struct NetReading {
    /// Cumulative bytes, messages and retransmits of every process that moved any, ascending by key.
    pub totals: Vec<(ProcKey, Counters)>,
    /// Sockets, where wanted.
    pub sockets: Vec<Socket>,
}

/// The socket hooks, attached as long as this lives.
pub struct Net {
    attached: Attached,
    control: eb_net_control,
    /// Bytes read past the hooks on live sockets, by process, as of the last walk.
    unhooked: FxHashMap<ProcKey, u64>,
    /// The highest total of received bytes given out, for processes that ever read past the hooks.
    floors: FxHashMap<ProcKey, u64>,
    entries: Vec<(eb_net_use_key, eb_net_use)>,
    removed: u64,
    live: u64,
    last_walk: Instant,
    last_search: Option<Instant>,
    unknown_owners: bool,
    stats: eb_net_stats,
    read_errors: u64,
}

impl Net {
    /// Loads and attaches the best hooks this kernel has.
    ///
    /// # Errors
    /// One line: why no way to count works here, and what to do about it.
    pub fn open() -> Result<Net, String> {
        Ok(Net {
            attached: attach::attach()?,
            control: eb_net_control::default(),
            unhooked: FxHashMap::default(),
            floors: FxHashMap::default(),
            entries: Vec::new(),
            removed: 0,
            live: 0,
            last_walk: Instant::now(),
            last_search: None,
            unknown_owners: false,
            stats: eb_net_stats::default(),
            read_errors: 0,
        })
    }

    /// Reads the totals of every process, and the sockets where wanted.
    pub fn read(&mut self, want_sockets: bool) -> NetReading {
        self.read_stats();
        self.want(want_sockets);
        let mut sockets = Vec::new();
        if want_sockets || !self.unhooked.is_empty() || self.sweep_is_due() {
            let joined = self.walk();
            self.unhooked = joined.unhooked;
            self.live = joined.live;
            self.unknown_owners = joined.sockets.iter().any(|s| s.owner.is_none());
            if want_sockets {
                sockets = joined.sockets;
            }
        }
        NetReading { totals: self.read_totals(), sockets }
    }

    /// What works, what was lost, and what it costs.
    pub fn status(&self) -> DomainStatus {
        let health = match self.attached.missing.is_empty() {
            true => Health::Live,
            false => Health::Degraded { reason: self.attached.missing.join("; ") },
        };
        let lost = self.stats.lost_uses + self.stats.lost_procs + self.stats.lost_sockets + self.read_errors;
        DomainStatus { domain: Domain::Net, health, lost, cost: self.attached.rung.cost().map(Into::into) }
    }

    /// The process is gone and its last words were given out: its totals may be dropped.
    pub fn forget(&mut self, key: ProcKey) {
        let wire = eb_net_proc_key { start_ns: key.start_ns, tgid: key.pid, zero: 0 };
        let _ = self.attached.procs.delete(bytes_of(&wire));
        self.floors.remove(&key);
    }

    fn read_stats(&mut self) {
        match self.attached.stats.lookup(&ONLY, MapFlags::ANY) {
            Ok(Some(bytes)) => self.stats = value_of(&bytes).unwrap_or(self.stats),
            _ => self.read_errors += 1,
        }
    }

    fn write_control(&mut self) {
        if self.attached.control.update(&ONLY, bytes_of(&self.control), MapFlags::ANY).is_err() {
            self.read_errors += 1;
        }
    }

    /// Tells the kernel half whether closed sockets should wait to be read; finds the owners of idle ones when the view opens, and rarely after.
    fn want(&mut self, sockets: bool) {
        if (self.control.keep_closed != 0) != sockets {
            self.control.keep_closed = u32::from(sockets);
            self.write_control();
            self.last_search = None;
        }
        let every = if self.unknown_owners { SEARCH_UNKNOWN_EVERY } else { SEARCH_EVERY };
        if sockets && self.last_search.is_none_or(|at| at.elapsed() >= every) {
            self.last_search = Some(Instant::now());
            self.run(|a| a.files.as_ref());
        }
    }

    fn sweep_is_due(&self) -> bool {
        let held = self.stats.made.saturating_sub(self.stats.dropped + self.removed);
        let since = self.last_walk.elapsed();
        since >= SWEEP_AT_LEAST || (since >= SWEEP_AT_MOST && held > 2 * self.live + SWEEP_SLACK)
    }

    /// Runs an iterator that writes into maps, not to its reader.
    fn run(&mut self, which: fn(&Attached) -> Option<&Link>) {
        let Some(link) = which(&self.attached) else { return };
        let done = Iter::new(link).map_err(std::io::Error::other).and_then(|mut iter| {
            loop {
                match iter.read(&mut [0; 64]) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => {}
                    Err(e) => return Err(e),
                }
            }
        });
        if done.is_err() {
            self.read_errors += 1;
        }
    }

    /// Visits all watched sockets, reads all entries, and removes those of sockets that are gone.
    fn walk(&mut self) -> Joined {
        self.last_walk = Instant::now();
        self.control.walk = self.control.walk.wrapping_add(1);
        self.write_control();
        self.run(|a| a.walk.as_ref());
        self.entries.clear();
        if read_all(&self.attached.uses, &mut self.entries).is_err() {
            self.read_errors += 1;
        }
        let joined = join::join(&mut self.entries, self.control.walk);
        self.removed += remove_all(&self.attached.uses, &joined.gone) as u64;
        joined
    }

    fn read_totals(&mut self) -> Vec<(ProcKey, Counters)> {
        let mut procs: Vec<(eb_net_proc_key, eb_net_proc)> = Vec::new();
        if read_all(&self.attached.procs, &mut procs).is_err() {
            self.read_errors += 1;
        }
        let mut totals: Vec<(ProcKey, Counters)> = procs.iter().map(|(key, proc)| self.total(join::proc_key(key), proc)).collect();
        totals.sort_unstable_by_key(|(key, _)| *key);
        totals
    }

    /// What the hooks counted, plus what was read past them. The two are read one after the other: a total never falls in between.
    fn total(&mut self, key: ProcKey, proc: &eb_net_proc) -> (ProcKey, Counters) {
        let mut rx_bytes = proc.rx_bytes;
        if let Some(unhooked) = self.unhooked.get(&key) {
            rx_bytes += unhooked;
            self.floors.entry(key).or_default();
        }
        if let Some(floor) = self.floors.get_mut(&key) {
            rx_bytes = rx_bytes.max(*floor);
            *floor = rx_bytes;
        }
        let mut counters = Counters::default()
            .with(Counter::TxBytes, proc.tx_bytes)
            .with(Counter::RxBytes, rx_bytes)
            .with(Counter::TxMessages, proc.tx_messages)
            .with(Counter::RxMessages, proc.rx_messages);
        if self.attached.counts_retransmits {
            counters.set(Counter::Retransmits, proc.retransmits);
        }
        (key, counters)
    }
}

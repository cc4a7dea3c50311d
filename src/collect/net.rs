//! Bytes per socket and process: owns the programs and maps of `net.bpf.c`.
//!
//! A *use* is what one process moved over one socket. At every tick the uses are read from shared memory and summed by process. Sockets
//! are shown after a *walk*: the kernel half visits every watched socket of every network namespace and refreshes its use. A use that the
//! walk did not reach belongs to a socket that is gone: it is given out once more as closed, summed up for good, and its slot given back.

mod ages;
mod attach;
mod join;
mod search;
mod slots;
mod totals;

use std::io::Read;
use std::time::{Duration, Instant};

use libbpf_rs::{Iter, Link, MapCore, MapFlags};

use crate::bpf::batch::{bytes_of, read_all, value_of};
use crate::bpf::net::types::{eb_net_control, eb_net_head, eb_net_moved, eb_net_proc_key, eb_net_stats, eb_net_use, eb_net_use_key};
use crate::sample::{Counters, Domain, DomainStatus, Health, ProcKey, Socket};
use ages::Ages;
use attach::Attached;
pub use attach::Rung;
use search::Searches;
use slots::Slots;
use totals::{Sum, Totals};

/// The key of an array with one entry.
const ONLY: [u8; 4] = [0; 4];
/// Sockets that may be gone are looked for at least this often.
const SWEEP_AT_LEAST: Duration = Duration::from_secs(60);
/// And at most this often.
const SWEEP_AT_MOST: Duration = Duration::from_secs(5);
/// How many uses may pile up, beyond twice those that lived at the last walk, before a sweep.
const SWEEP_SLACK: usize = 512;

/// One reading of the socket counters.
#[derive(Default)]
pub struct NetReading {
    /// Cumulative bytes, messages and retransmits of every process that moved any, ascending by key.
    pub totals: Vec<(ProcKey, Counters)>,
    /// The counters of a process that moved nothing: zeros of all that is counted here.
    pub none: Counters,
    /// Sockets, where wanted.
    pub sockets: Vec<Socket>,
}

/// The socket hooks, attached as long as this lives.
pub struct Net {
    attached: Attached,
    slots: Slots,
    totals: Totals,
    ages: Ages,
    control: eb_net_control,
    stats: eb_net_stats,
    /// Bytes read past the hooks on live sockets, as of the last walk.
    unhooked: Vec<(ProcKey, u64)>,
    last_walk: Instant,
    live_at_walk: usize,
    searches: Searches,
    wants_sockets: bool,
    /// Idle sockets that the last walk found no place for.
    unlisted: u64,
    /// net_procs holds something: the kernel half ran out of slots once.
    has_unslotted: bool,
    failed_reads: u64,
}

impl Net {
    /// Loads and attaches the best hooks this kernel has.
    ///
    /// # Errors
    /// One line: why no way to count works here, and what to do about it.
    pub fn open() -> Result<Net, String> {
        Self::open_with(&[Rung::Tracepoints, Rung::Functions, Rung::Probes])
    }

    /// The same, by these ways only.
    pub fn open_with(rungs: &[Rung]) -> Result<Net, String> {
        let mut attached = attach::attach(rungs)?;
        let slots = attached.slots.take().ok_or("the socket maps were not made")?;
        Ok(Net {
            attached,
            slots,
            totals: Totals::default(),
            ages: Ages::default(),
            control: eb_net_control::default(),
            stats: eb_net_stats::default(),
            unhooked: Vec::new(),
            last_walk: Instant::now(),
            live_at_walk: 0,
            searches: Searches::default(),
            wants_sockets: false,
            unlisted: 0,
            has_unslotted: false,
            failed_reads: 0,
        })
    }

    /// Reads the totals of every process, and the sockets where wanted.
    pub fn read(&mut self, want_sockets: bool) -> NetReading {
        self.want(want_sockets);
        self.read_stats();
        self.totals.begin();
        let sockets = match want_sockets || !self.unhooked.is_empty() || self.sweep_is_due() {
            true => self.walk(),
            false => self.tally(),
        };
        self.slots.top_up();
        self.add_unslotted();
        for (key, bytes) in &self.unhooked {
            self.totals.add_unhooked(*key, *bytes);
        }
        let with_retransmits = self.attached.counts_retransmits;
        NetReading {
            totals: self.totals.finish(with_retransmits),
            none: Sum::default().counters(with_retransmits),
            sockets: if want_sockets { sockets } else { Vec::new() },
        }
    }

    /// What works, what was lost, and what it costs.
    pub fn status(&self) -> DomainStatus {
        let unlisted = (self.wants_sockets && self.unlisted > 0)
            .then(|| format!("{} idle sockets have no place in the list, or not yet", self.unlisted));
        let reasons: Vec<&str> = self.attached.missing.iter().map(|why| why.as_ref()).chain(unlisted.as_deref()).collect();
        let health = match reasons.is_empty() {
            true => Health::Live,
            false => Health::Degraded { reason: reasons.join("; ") },
        };
        let lost = self.stats.lost_uses
            + self.stats.lost_procs
            + self.stats.lost_sockets
            + self.stats.lost_calls
            + self.attached.missed.runs()
            + self.failed_reads;
        DomainStatus { domain: Domain::Net, health, lost, cost: self.attached.rung.cost().map(Into::into) }
    }

    /// The process is gone and its last words were given out: its totals may be dropped.
    pub fn forget(&mut self, key: ProcKey) {
        self.totals.forget(key);
        self.searches.forget(key);
        if self.has_unslotted {
            let _ = self.attached.procs.delete(bytes_of(&eb_net_proc_key { start_ns: key.start_ns, tgid: key.pid, zero: 0 }));
        }
    }

    fn read_stats(&mut self) {
        match self.attached.stats.lookup(&ONLY, MapFlags::ANY) {
            Ok(Some(bytes)) => self.stats = value_of(&bytes).unwrap_or(self.stats),
            _ => self.failed_reads += 1,
        }
        self.slots.note_taken(self.stats.taken);
    }

    fn write_control(&mut self) {
        if self.attached.control.update(&ONLY, bytes_of(&self.control), MapFlags::ANY).is_err() {
            self.failed_reads += 1;
        }
    }

    /// While sockets are on screen idle ones are listed too; their owners are looked for when the view opens, when one ends, and rarely
    /// beside that. The walk that follows takes up what a search found.
    fn want(&mut self, sockets: bool) {
        if self.wants_sockets != sockets {
            self.wants_sockets = sockets;
            self.searches.begin_anew();
        }
        let began = Instant::now();
        if sockets && self.searches.is_due(began) {
            self.control.search = self.control.search.wrapping_add(1);
            self.write_control();
            self.run(|a| a.files.as_ref());
            self.searches.note(began, began.elapsed());
        }
    }

    fn sweep_is_due(&self) -> bool {
        let since = self.last_walk.elapsed();
        self.slots.are_scarce(self.live_at_walk)
            || since >= SWEEP_AT_LEAST
            || (since >= SWEEP_AT_MOST && self.slots.active().len() > 2 * self.live_at_walk + SWEEP_SLACK)
    }

    /// Runs an iterator that writes into maps, not to its reader; whether it ran to its end.
    fn run(&mut self, which: fn(&Attached) -> Option<&Link>) -> bool {
        let Some(link) = which(&self.attached) else { return false };
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
            self.failed_reads += 1;
        }
        done.is_ok()
    }

    /// Sums the uses by process; those that the kernel half has seen the end of are summed up for good.
    fn tally(&mut self) -> Vec<Socket> {
        let mut gone = Vec::new();
        for &slot in self.slots.active() {
            let head = self.slots.head(slot);
            match head.state {
                join::EMPTY => continue,
                join::CLOSED | join::DISCARDED => gone.push(slot),
                _ => {}
            }
            take_in(&mut self.totals, &head);
        }
        gone.sort_unstable();
        self.slots.recycle(&gone);
        Vec::new()
    }

    /// Visits all watched sockets, then reads all uses whole.
    fn walk(&mut self) -> Vec<Socket> {
        self.last_walk = Instant::now();
        self.control.walk = self.control.walk.wrapping_add(1);
        self.control.list_idle = if self.wants_sockets { self.slots.to_spare() } else { 0 };
        self.write_control();
        let unlisted = self.stats.unlisted;
        let complete = self.run(|a| a.walk.as_ref());
        self.read_stats();
        self.unlisted = self.stats.unlisted.saturating_sub(unlisted);
        let mut uses: Vec<(u32, eb_net_use)> = Vec::with_capacity(self.slots.active().len());
        let mut discarded = Vec::new();
        for &slot in self.slots.active() {
            let one = self.slots.get(slot);
            match one.head.state {
                join::EMPTY => {}
                join::DISCARDED => discarded.push(slot),
                _ => uses.push((slot, one)),
            }
        }
        match (&self.attached.walk, complete) {
            (Some(_), true) => {}
            // Nothing is known to be gone.
            (Some(_), false) => uses.iter_mut().for_each(|(_, one)| one.seen = self.control.walk),
            (None, _) => self.ages.judge(&mut uses, self.control.walk, Instant::now()),
        }
        let mut joined = join::join(&mut uses, self.control.walk);
        for (slot, one) in &mut uses {
            if joined.gone.binary_search(slot).is_ok() {
                one.head.state = join::CLOSED;
                self.unlist(one);
            }
            take_in(&mut self.totals, &one.head);
        }
        joined.gone.extend(discarded);
        joined.gone.sort_unstable();
        self.slots.recycle(&joined.gone);
        self.live_at_walk = self.slots.active().len();
        self.unhooked = joined.unhooked;
        self.searches.note_owners(std::mem::take(&mut joined.guessed), joined.sockets.iter().any(|s| s.owner.is_none()));
        if self.attached.walk.is_none() {
            // The kernel half never read TCP's counters, and what was idle for long may yet be open.
            joined.sockets.retain(|s| !s.closed);
            joined.sockets.iter_mut().for_each(|s| s.tcp = None);
        }
        joined.sockets
    }

    /// A use that the kernel half finds by key, not by its socket, must not be found there when its slot is given to another.
    fn unlist(&self, gone: &eb_net_use) {
        if gone.shared != 0 {
            let proc = eb_net_proc_key { start_ns: gone.head.start_ns, tgid: gone.head.tgid, zero: 0 };
            let _ = self.attached.shared.delete(bytes_of(&eb_net_use_key { cookie: gone.head.cookie, proc }));
        }
    }

    /// Adds what was counted by process alone, because no slot was left.
    fn add_unslotted(&mut self) {
        self.has_unslotted |= self.stats.lost_uses > 0;
        if !self.has_unslotted {
            return;
        }
        let mut procs: Vec<(eb_net_proc_key, eb_net_moved)> = Vec::new();
        if read_all(&self.attached.procs, &mut procs).is_err() {
            self.failed_reads += 1;
        }
        for (key, moved) in &procs {
            self.totals.add(ProcKey { pid: key.tgid, start_ns: key.start_ns }, Sum::from(moved));
        }
    }
}

/// Adds a use to the totals of its process: for good where its socket is gone.
fn take_in(totals: &mut Totals, head: &eb_net_head) {
    match (join::owner(head), head.state) {
        (None, _) | (_, join::DISCARDED) => {}
        (Some(owner), join::CLOSED) => totals.retire(owner, Sum::from(head)),
        (Some(owner), _) => totals.add(owner, Sum::from(head)),
    }
}

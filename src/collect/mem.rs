//! Page allocations per process: owns the program and totals of `mem.bpf.c`, attached only while something shows them.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags, MapHandle, ProgramHandle};

use crate::bpf::batch::{bytes_of, read_all};
use crate::bpf::builder;
use crate::bpf::mem::MemSkelBuilder;
use crate::bpf::mem::types::{eb_mem_key, eb_mem_pages};
use crate::bpf::raw_tracepoint;
use crate::collect::check::refused;
use crate::sample::{Counter, Counters, Domain, DomainStatus, Health, ProcKey};

/// A way to see page allocations, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The typed tracepoint.
    Typed,
    /// The raw one, which needs no types of the kernel.
    Raw,
}

/// The page-allocation counter.
pub struct Mem {
    program: ProgramHandle,
    /// Name to attach to; a `tp_btf` program knows its own.
    tracepoint: Option<&'static CStr>,
    totals: MapHandle,
    lost: MapHandle,
    link: Option<OwnedFd>,
    ever_attached: bool,
    refusal: Option<String>,
    page_bytes: u64,
}

impl Mem {
    /// Loads the program; attaches nothing. Fails, with one line for the screen, when the kernel refuses it.
    pub fn open() -> Result<Mem, String> {
        Self::open_with(&[Rung::Typed, Rung::Raw])
    }

    /// The same, by these ways only, tried in this order.
    pub fn open_with(rungs: &[Rung]) -> Result<Mem, String> {
        let mut refusal = "no way to count page allocations was asked for".to_owned();
        for &rung in rungs {
            match load(rung) {
                Ok(loaded) => return Ok(Self::new(rung, loaded)),
                Err(error) => refusal = refused(&error),
            }
        }
        Err(refusal)
    }

    fn new(rung: Rung, (program, totals, lost): Loaded) -> Mem {
        let tracepoint = (rung == Rung::Raw).then_some(c"mm_page_alloc");
        let page_bytes = rustix::param::page_size() as u64;
        Mem { program, tracepoint, totals, lost, link: None, ever_attached: false, refusal: None, page_bytes }
    }

    /// Attaches or detaches the hook. Totals are kept while it is detached, and do not grow.
    pub fn want(&mut self, wanted: bool) {
        if !wanted {
            self.link = None;
            self.refusal = None;
        } else if self.link.is_none() {
            match raw_tracepoint::attach(self.program.as_fd(), self.tracepoint) {
                Ok(link) => {
                    self.link = Some(link);
                    self.ever_attached = true;
                    self.refusal = None;
                }
                Err(error) => self.refusal = Some(format!("the kernel refused the hook kmem:mm_page_alloc: {error}")),
            }
        }
    }

    /// Cumulative page allocations while attached, ascending by key; a process that is not among them has none. `None` while nothing
    /// is counted, or where the totals cannot be read.
    ///
    /// A count is of calls to the page allocator that succeeded while the process was current; bytes are whole pages (order and all).
    pub fn read(&mut self) -> Option<Vec<(ProcKey, Counters)>> {
        self.link.as_ref()?;
        let mut entries = Vec::new();
        read_all(&self.totals, &mut entries).ok()?;
        let totals: BTreeMap<_, _> = entries.into_iter().map(|entry| self.told(entry)).collect();
        Some(totals.into_iter().collect())
    }

    /// Health, and allocations that found no room in the map (32,768 processes).
    pub fn status(&self) -> DomainStatus {
        let health = match (&self.refusal, &self.link) {
            (Some(reason), _) => Health::Off { reason: reason.clone() },
            (None, Some(_)) => Health::Live,
            (None, None) => Health::Standby,
        };
        let cost = self.link.is_some().then(|| "~100 ns a page allocation".into());
        DomainStatus { domain: Domain::Mem, health, lost: self.lost(), cost }
    }

    /// Frees the totals of a process that ended.
    pub fn forget(&mut self, key: ProcKey) {
        if self.ever_attached {
            // Most processes that end have no totals: nothing to free is not an error.
            let _ = self.totals.delete(bytes_of(&eb_mem_key { start_ns: key.start_ns, tgid: key.pid, pad: 0 }));
        }
    }

    fn lost(&self) -> u64 {
        let by_cpu = self.lost.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY).ok().flatten().unwrap_or_default();
        by_cpu.iter().filter_map(|bytes| Some(u64::from_ne_bytes(*bytes.first_chunk()?))).sum()
    }

    fn told(&self, (key, pages): (eb_mem_key, eb_mem_pages)) -> (ProcKey, Counters) {
        let bytes = pages.pages.saturating_mul(self.page_bytes);
        let counters = Counters::default().with(Counter::PageAllocs, pages.allocs).with(Counter::PageAllocBytes, bytes);
        (ProcKey { pid: key.tgid, start_ns: key.start_ns }, counters)
    }
}

type Loaded = (ProgramHandle, MapHandle, MapHandle);

/// Loads one of the two programs; the handles outlive the skeleton.
fn load(rung: Rung) -> libbpf_rs::Result<Loaded> {
    let typed = rung == Rung::Typed;
    let mut storage = MaybeUninit::uninit();
    let mut open = builder::<MemSkelBuilder>().open(&mut storage)?;
    open.progs.mem_alloc.set_autoload(typed);
    open.progs.mem_alloc_raw.set_autoload(!typed);
    let skel = open.load()?;
    let program = match typed {
        true => ProgramHandle::try_from(&skel.progs.mem_alloc)?,
        false => ProgramHandle::try_from(&skel.progs.mem_alloc_raw)?,
    };
    Ok((program, MapHandle::try_from(&skel.maps.mem_pages)?, MapHandle::try_from(&skel.maps.mem_lost)?))
}

//! Loads the programs of one probe of `watch.bpf.c` and attaches them.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Error, Link, MapHandle, ProgramMut};

use super::super::stacks::timers::{online_cpus, refusal};
use crate::bpf::builder;
use crate::bpf::watch::{OpenWatchSkel, WatchSkel, WatchSkelBuilder};
use crate::bpf::{perf_event, refusal as bpf_refusal};
use crate::sample::Probe;
use crate::unwind::TableMaps;

/// Innermost kernel frames that belong to the hook, not to what it saw: the program, how it is called, and the tracepoint.
const HOOK_FRAMES: u32 = 3;
const RING_BYTES: u32 = 1 << 20;

/// How a probe is set up: fixed from its load on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) probe: Probe,
    pub(super) everybody: bool,
    pub(super) children: bool,
}

/// What is left of a loaded and attached object: everything ends when this is dropped.
pub(super) struct Attached {
    pub(super) ring: MapHandle,
    pub(super) who: MapHandle,
    pub(super) lost: MapHandle,
    _links: Vec<Link>,
    _events: Vec<OwnedFd>,
}

/// One way to hook a probe, by the names of its programs.
type Way = &'static [&'static str];

/// Ways to hook a probe, best first.
fn ways(probe: Probe) -> &'static [Way] {
    match probe {
        Probe::OffCpu => &[&["watch_switch", "watch_waking"], &["watch_switch_o", "watch_waking"]],
        Probe::Faults => &[&["watch_minor", "watch_major"]],
        Probe::Allocs => &[&["watch_alloc"]],
        Probe::Net => &[&["watch_send", "watch_recv"], &["watch_x_send", "watch_x_send6", "watch_x_recv", "watch_x_recv6"]],
    }
}

/// Tries the ways in order.
///
/// # Errors
/// One line with the cause and the fix.
pub(super) fn attach(setup: Setup, tables: Option<&TableMaps>) -> Result<Attached, String> {
    let mut first = None;
    for way in ways(setup.probe) {
        match try_way(setup, way, tables) {
            Ok(attached) => return Ok(attached),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    let reason = first.unwrap_or_default();
    Err(match setup.probe {
        Probe::Net => format!("{reason}; bytes by stack need Linux 6.3, or function exits (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)"),
        _ => reason,
    })
}

fn try_way(setup: Setup, way: Way, tables: Option<&TableMaps>) -> Result<Attached, String> {
    let mut memory = MaybeUninit::uninit();
    let mut skel = load(&mut memory, setup, way, tables).map_err(|e| bpf_refusal::why(&e))?;
    let events = match setup.probe {
        Probe::Faults => fault_events(&skel)?,
        _ => Vec::new(),
    };
    let handles = |skel: &WatchSkel<'_>| {
        let maps = &skel.maps;
        Ok((MapHandle::try_from(&maps.watch_ring)?, MapHandle::try_from(&maps.watch_who)?, MapHandle::try_from(&maps.watch_cpu)?))
    };
    let (ring, who, lost) = handles(&skel).map_err(|e: Error| bpf_refusal::why(&e))?;
    let links = attach_programs(&mut skel, setup, way).map_err(|e| bpf_refusal::why(&e))?;
    Ok(Attached { ring, who, lost, _links: links, _events: events })
}

fn load<'m>(
    memory: &'m mut MaybeUninit<libbpf_rs::OpenObject>,
    setup: Setup,
    way: Way,
    tables: Option<&TableMaps>,
) -> libbpf_rs::Result<WatchSkel<'m>> {
    let mut open = builder::<WatchSkelBuilder>().open(memory)?;
    configure(&mut open, setup)?;
    if let Some(tables) = tables {
        let maps = &mut open.maps;
        tables.share(&mut maps.unwind_chunks, &mut maps.unwind_rules, &mut maps.unwind_procs)?;
    }
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = program.name().to_str().is_some_and(|name| is_loaded(name, setup, way));
        program.set_autoload(wanted);
    }
    open.load()
}

fn configure(open: &mut OpenWatchSkel<'_>, setup: Setup) -> libbpf_rs::Result<()> {
    open.maps.watch_ring.set_max_entries(RING_BYTES)?;
    if setup.probe != Probe::OffCpu {
        open.maps.watch_away.set_max_entries(1)?;
    }
    if let Some(config) = open.maps.rodata_data.as_deref_mut() {
        config.ring_bytes = u64::from(RING_BYTES);
        config.page_bytes = rustix::param::page_size() as u64;
        config.everybody = setup.everybody;
        config.children = setup.children;
        config.skip = HOOK_FRAMES;
    }
    Ok(())
}

/// Tracepoints and functions; what perf events run is attached to those.
fn attach_programs(skel: &mut WatchSkel<'_>, setup: Setup, way: Way) -> libbpf_rs::Result<Vec<Link>> {
    let is_hook = |program: &ProgramMut<'_>| program.name().to_str().is_some_and(|name| is_loaded(name, setup, way));
    match setup.probe {
        Probe::Faults if !setup.children => Ok(Vec::new()),
        Probe::Faults => Ok(vec![skel.progs.watch_fork.attach()?]),
        _ => skel.object_mut().progs_mut().filter(is_hook).map(|program| program.attach()).collect(),
    }
}

fn is_loaded(program: &str, setup: Setup, way: Way) -> bool {
    way.contains(&program) || setup.children && program == "watch_fork"
}

/// Two events on each CPU that is online.
fn fault_events(skel: &WatchSkel<'_>) -> Result<Vec<OwnedFd>, String> {
    let cpus = online_cpus().map_err(|e| format!("cannot list CPUs: {e}"))?;
    let mut events = Vec::new();
    for cpu in cpus {
        for (major, program) in [(false, &skel.progs.watch_minor), (true, &skel.progs.watch_major)] {
            events.push(perf_event::each_fault_on_cpu(cpu, major, program.as_fd()).map_err(|e| refusal(&e))?);
        }
    }
    Ok(events)
}

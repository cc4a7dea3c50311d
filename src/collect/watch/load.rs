//! Loads the programs of one probe of `watch.bpf.c` and attaches them.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Error, Link, MapHandle, ProgramHandle, ProgramMut};

use super::super::net;
use super::super::stacks::WalkMaps;
use super::fault_events::FaultEvents;
use crate::bpf::builder;
use crate::bpf::refusal;
use crate::bpf::watch::{OpenWatchSkel, WatchSkel, WatchSkelBuilder};
use crate::sample::Probe;

/// Innermost kernel frames that belong to the hook, not to what it saw: the program, how it is called, and the tracepoint.
const HOOK_FRAMES: u32 = 3;
/// Functions that the last way to see bytes probes, and whether they receive.
const PROBED: [(&str, bool); 4] = [("inet_sendmsg", false), ("inet6_sendmsg", false), ("inet_recvmsg", true), ("inet6_recvmsg", true)];
const RING_BYTES: u32 = 1 << 20;

/// How a probe is set up: fixed from its load on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) probe: Probe,
    pub(super) everybody: bool,
    pub(super) children: bool,
    /// The only way to see bytes over sockets.
    pub(super) net: Option<net::Rung>,
    /// The only way to learn why a thread leaves.
    pub(super) offcpu: Option<Rung>,
}

/// How it is learnt why a thread leaves the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The tracepoint tells its state (5.18).
    Told,
    /// Its state is read.
    Read,
}

/// What is left of a loaded and attached object: everything ends when this is dropped.
pub(super) struct Attached {
    pub(super) ring: MapHandle,
    pub(super) who: MapHandle,
    pub(super) lost: MapHandle,
    /// Threads off the CPU: `struct eb_watch_left` by id.
    pub(super) away: MapHandle,
    _links: Vec<Link>,
    pub(super) faults: Option<FaultEvents>,
}

/// One way to hook a probe: the names of its programs, and where there are several ways which it is.
#[derive(Clone, Copy, Debug)]
struct Way {
    programs: &'static [&'static str],
    net: Option<net::Rung>,
    offcpu: Option<Rung>,
}

impl Way {
    /// Whether it was asked for.
    fn is_of(self, setup: Setup) -> bool {
        self.net.is_none_or(|way| setup.net.is_none_or(|net| net == way))
            && self.offcpu.is_none_or(|way| setup.offcpu.is_none_or(|offcpu| offcpu == way))
    }
}

/// Ways to hook a probe, best first.
fn ways(probe: Probe) -> Vec<Way> {
    let of = |net, programs| Way { programs, net, offcpu: None };
    let leaving = |rung, programs| Way { programs, net: None, offcpu: Some(rung) };
    match probe {
        Probe::OffCpu => {
            vec![leaving(Rung::Told, &["watch_switch", "watch_waking"]), leaving(Rung::Read, &["watch_switch_o", "watch_waking"])]
        }
        Probe::Faults => vec![of(None, &["watch_minor", "watch_major"])],
        Probe::Allocs => vec![of(None, &["watch_alloc"])],
        Probe::Net => vec![
            of(Some(net::Rung::Tracepoints), &["watch_send", "watch_recv"]),
            of(Some(net::Rung::Functions), &["watch_x_send", "watch_x_send6", "watch_x_recv", "watch_x_recv6"]),
            of(Some(net::Rung::Probes), &["watch_k_send", "watch_kr_send", "watch_k_recv", "watch_kr_recv"]),
        ],
    }
}

/// Tries the ways in order, each without Python frames where the kernel refuses it with them.
///
/// # Errors
/// One line with the cause and the fix.
pub(super) fn attach(setup: Setup, maps: Option<&WalkMaps>) -> Result<Attached, String> {
    let reads_python = maps.is_some_and(|maps| maps.python.is_some());
    let mut first = None;
    for way in ways(setup.probe).into_iter().filter(|way| way.is_of(setup)) {
        for with_python in [true, false].into_iter().filter(|with| reads_python || !with) {
            match try_way(setup, way, maps, with_python) {
                Ok(attached) => return Ok(attached),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
    }
    let reason = first.unwrap_or_default();
    Err(match setup.probe {
        Probe::Net => format!("{reason}; bytes by stack need Linux 6.3, or else function exits or kprobes (CONFIG_KPROBE_EVENTS)"),
        _ => reason,
    })
}

fn try_way(setup: Setup, way: Way, maps: Option<&WalkMaps>, with_python: bool) -> Result<Attached, String> {
    let mut memory = MaybeUninit::uninit();
    let mut skel = load(&mut memory, setup, way, maps, with_python).map_err(|e| refusal::why(&e))?;
    let faults = match setup.probe {
        Probe::Faults => {
            let programs = [&skel.progs.watch_minor, &skel.progs.watch_major].map(ProgramHandle::try_from);
            let [minor, major] = programs.map(|program| program.map_err(|e| refusal::why(&e)));
            Some(FaultEvents::start([minor?, major?])?)
        }
        _ => None,
    };
    let handles = |skel: &WatchSkel<'_>| {
        let maps = &skel.maps;
        let (ring, who) = (MapHandle::try_from(&maps.watch_ring)?, MapHandle::try_from(&maps.watch_who)?);
        Ok((ring, who, MapHandle::try_from(&maps.watch_cpu)?, MapHandle::try_from(&maps.watch_away)?))
    };
    let (ring, who, lost, away) = handles(&skel).map_err(|e: Error| refusal::why(&e))?;
    let links = attach_programs(&mut skel, setup, way).map_err(|e| refusal::why(&e))?;
    Ok(Attached { ring, who, lost, away, _links: links, faults })
}

fn load<'m>(
    memory: &'m mut MaybeUninit<libbpf_rs::OpenObject>,
    setup: Setup,
    way: Way,
    shared: Option<&WalkMaps>,
    with_python: bool,
) -> libbpf_rs::Result<WatchSkel<'m>> {
    let mut open = builder::<WatchSkelBuilder>().open(memory)?;
    configure(&mut open, setup, way, with_python)?;
    if let Some(WalkMaps { tables, python }) = shared {
        let maps = &mut open.maps;
        tables.share(&mut maps.unwind_chunks, &mut maps.unwind_rules, &mut maps.unwind_procs)?;
        if let Some(python) = python {
            maps.stacks_python.reuse_fd(python.as_fd())?;
        }
    }
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = program.name().to_str().is_some_and(|name| is_loaded(name, setup, way));
        program.set_autoload(wanted);
    }
    open.load()
}

fn configure(open: &mut OpenWatchSkel<'_>, setup: Setup, way: Way, with_python: bool) -> libbpf_rs::Result<()> {
    let by_probes = way.net == Some(net::Rung::Probes);
    open.maps.watch_ring.set_max_entries(RING_BYTES)?;
    if setup.probe != Probe::OffCpu {
        open.maps.watch_away.set_max_entries(1)?;
    }
    if !by_probes {
        open.maps.watch_calls.set_max_entries(1)?;
    }
    if let Some(config) = open.maps.rodata_data.as_deref_mut() {
        config.ring_bytes = u64::from(RING_BYTES);
        config.page_bytes = rustix::param::page_size() as u64;
        config.everybody = setup.everybody;
        config.children = setup.children;
        // A probe's stack begins with the function that it is at.
        config.skip = if by_probes { 0 } else { HOOK_FRAMES };
        config.with_python = with_python;
    }
    Ok(())
}

/// Tracepoints, functions and probes; what perf events run is attached to those.
fn attach_programs(skel: &mut WatchSkel<'_>, setup: Setup, way: Way) -> libbpf_rs::Result<Vec<Link>> {
    let is_hook = |program: &ProgramMut<'_>| program.name().to_str().is_some_and(|name| is_loaded(name, setup, way));
    match setup.probe {
        Probe::Faults if !setup.children => Ok(Vec::new()),
        Probe::Faults => Ok(vec![skel.progs.watch_fork.attach()?]),
        _ if way.net == Some(net::Rung::Probes) => {
            let mut links = attach_probes(skel)?;
            if setup.children {
                links.push(skel.progs.watch_fork.attach()?);
            }
            Ok(links)
        }
        _ => skel.object_mut().progs_mut().filter(is_hook).map(|program| program.attach()).collect(),
    }
}

fn attach_probes(skel: &WatchSkel<'_>) -> libbpf_rs::Result<Vec<Link>> {
    let mut links = Vec::new();
    for (function, receives) in PROBED {
        let (entry, exit) = match receives {
            true => (&skel.progs.watch_k_recv, &skel.progs.watch_kr_recv),
            false => (&skel.progs.watch_k_send, &skel.progs.watch_kr_send),
        };
        links.extend([exit.attach_kprobe(true, function)?, entry.attach_kprobe(false, function)?]);
    }
    Ok(links)
}

fn is_loaded(program: &str, setup: Setup, way: Way) -> bool {
    way.programs.contains(&program) || setup.children && program == "watch_fork"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this kernel may refuse to attach must at least pass its verifier, but for functions that it lets nobody enter.
    #[test]
    #[ignore = "root"]
    fn every_way_passes_the_verifier() {
        for probe in [Probe::OffCpu, Probe::Faults, Probe::Allocs, Probe::Net] {
            for way in ways(probe).into_iter().filter(|way| way.net != Some(net::Rung::Functions)) {
                let setup = Setup { probe, everybody: false, children: true, net: None, offcpu: None };
                let mut memory = MaybeUninit::uninit();
                let loaded = load(&mut memory, setup, way, None, true).err().map(|error| format!("{way:?}: {error:#}"));
                assert!(loaded.is_none() || way.programs.contains(&"watch_switch_o"), "{loaded:?}");
            }
        }
    }
    /// A CPU that comes back has lost its events, whether or not anybody saw it gone.
    #[test]
    #[ignore = "root"]
    fn events_of_page_faults_that_died_are_made_anew() {
        let setup = Setup { probe: Probe::Faults, everybody: true, children: false, net: None, offcpu: None };
        let mut faults = attach(setup, None).unwrap().faults.unwrap();
        for major in [false, true] {
            assert!(faults.live());
            faults.turn_off(major);
            faults.live();
            assert!(!faults.live(), "their clocks stand still");
            (0..4).for_each(|_| faults.follow_cpus());
            assert!(faults.live());
        }
    }
}

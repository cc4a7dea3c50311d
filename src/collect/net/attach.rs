//! Loads `net.bpf.c` and attaches the best of its three ways to see what socket calls return.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use libbpf_rs::btf::{Btf, types};
use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{Error, Link, MapHandle, ProgramMut};

use super::slots::Slots;
use crate::bpf::missed::Missed;
use crate::bpf::net::{NetSkel, NetSkelBuilder, OpenNetSkel};
use crate::bpf::{builder, fexit};
use crate::collect::check::refused;

/// A way to see the results of socket calls, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The kernel's own tracepoints, 6.3+.
    Tracepoints,
    /// The exits of the functions that do the work.
    Functions,
    /// The same by kretprobes.
    Probes,
}

impl Rung {
    /// What a call costs with the way into the programs, for the screen; `None` where it was not measured.
    pub fn cost(self) -> Option<&'static str> {
        (self == Rung::Tracepoints).then_some("0.1 to 0.2 µs a send or receive")
    }
}

/// One thing to try: which hooks, with which extras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    rung: Rung,
    /// Function exits for what bypasses the rung: splice reads, and sendfile before 6.5.
    extras: bool,
}

/// Best first; the first that loads is taken.
const PLANS: [Plan; 4] = [
    Plan { rung: Rung::Tracepoints, extras: true },
    Plan { rung: Rung::Tracepoints, extras: false },
    Plan { rung: Rung::Functions, extras: true },
    Plan { rung: Rung::Probes, extras: false },
];

/// Functions that the last rung probes, and whether they receive.
const PROBED: [(&str, bool); 6] = [
    ("inet_sendmsg", false),
    ("inet6_sendmsg", false),
    ("inet_recvmsg", true),
    ("inet6_recvmsg", true),
    ("tcp_splice_read", true),
    ("inet_sendpage", false),
];

impl Plan {
    /// Storage and cookies of sockets, and compare-and-swap, which a probe has not and tracing programs have from 5.12: TCP's truth,
    /// retransmits, ends.
    fn has_storage(self) -> bool {
        self.rung != Rung::Probes
    }

    /// Whether it has programs at the exits of functions.
    fn has_exits(self) -> bool {
        self.extras || self.rung == Rung::Functions
    }

    /// Whether a program belongs to this plan. `has_sendpage`: this kernel still has inet_sendpage.
    fn wants(self, program: &str, has_sendpage: bool) -> bool {
        match program {
            "net_send" | "net_recv" => self.rung == Rung::Tracepoints,
            "net_x_send" | "net_x_send6" | "net_x_recv" | "net_x_recv6" => self.rung == Rung::Functions,
            "net_x_splice" => self.extras,
            "net_x_page" => self.extras && has_sendpage,
            "net_k_call" | "net_k_recv" | "net_kr_send" | "net_kr_recv" => self.rung == Rung::Probes,
            _ => self.has_storage(),
        }
    }
}

/// What is left of a loaded and attached object: everything ends when this is dropped.
pub struct Attached {
    /// Which way it was.
    pub rung: Rung,
    /// The uses, until their reader takes them.
    pub slots: Option<Slots>,
    /// Slots found by key.
    pub shared: MapHandle,
    /// What processes moved over sockets that found no slot.
    pub procs: MapHandle,
    /// The kernel half's own counts.
    pub stats: MapHandle,
    /// What user space tells the kernel half.
    pub control: MapHandle,
    /// Calls that no program saw.
    pub missed: Missed,
    /// Iterator over all watched sockets.
    pub walk: Option<Link>,
    /// Iterator over all open files.
    pub files: Option<Link>,
    /// Whether retransmits are seen.
    pub counts_retransmits: bool,
    /// What does not work, and why.
    pub missing: Vec<String>,
    _hooks: Vec<Link>,
}

/// Tries these ways, best first.
///
/// # Errors
/// One line with the true cause and the fix.
pub fn attach(rungs: &[Rung]) -> Result<Attached, String> {
    let has_sendpage = has_sendpage();
    let mut refusals = Vec::new();
    for plan in plans(rungs, fexit::is_forbidden()) {
        match try_plan(plan, has_sendpage) {
            Ok(attached) => return Ok(attached),
            Err(error) => refusals.push((plan, refused(&error))),
        }
    }
    // The plan that asks for the least rights is the one whose refusal tells most.
    let telling = refusals.iter().position(|(plan, _)| !plan.has_exits()).unwrap_or(0);
    Err(refusals.into_iter().nth(telling).map_or_else(|| "no way to count was asked for".into(), |(_, refusal)| refusal))
}

/// What to try, in order. What is forbidden is left out, unless all of it is: then it shall say so itself.
fn plans(rungs: &[Rung], exits_are_forbidden: bool) -> Vec<Plan> {
    let asked: Vec<Plan> = PLANS.into_iter().filter(|plan| rungs.contains(&plan.rung)).collect();
    let allowed: Vec<Plan> = asked.iter().copied().filter(|plan| !(exits_are_forbidden && plan.has_exits())).collect();
    if allowed.is_empty() { asked } else { allowed }
}

/// Whether this kernel still has inet_sendpage, which went in 6.5. To read all its types for that takes long.
fn has_sendpage() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    may_have_sendpage(&release) && Btf::from_vmlinux().is_ok_and(|btf| btf.type_by_name::<types::Func<'_>>("inet_sendpage").is_some())
}

fn may_have_sendpage(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) < (Some(6), Some(5))
}

fn try_plan(plan: Plan, has_sendpage: bool) -> Result<Attached, Error> {
    let mut memory = MaybeUninit::uninit();
    let mut open = builder::<NetSkelBuilder>().open(&mut memory)?;
    configure(&mut open, plan, has_sendpage)?;
    let mut skel = open.load()?;
    // Filled before the first hook runs.
    let slots = Slots::new(&MapHandle::try_from(&skel.maps.net_uses)?, MapHandle::try_from(&skel.maps.net_free)?)?;
    let mut hooks = Vec::new();
    let mut missing = Vec::new();
    match plan.rung {
        Rung::Tracepoints => hooks.extend([skel.progs.net_send.attach()?, skel.progs.net_recv.attach()?]),
        Rung::Functions => {
            let x = &mut skel.progs;
            hooks.extend([x.net_x_send.attach()?, x.net_x_send6.attach()?, x.net_x_recv.attach()?, x.net_x_recv6.attach()?]);
        }
        Rung::Probes => hooks.extend(attach_probes(&skel, &mut missing)?),
    }
    if plan.extras {
        hooks.push(skel.progs.net_x_splice.attach()?);
        if has_sendpage {
            hooks.push(skel.progs.net_x_page.attach()?);
        }
    }
    let x = &skel.progs;
    let counting = match plan.rung {
        Rung::Tracepoints => vec![x.net_send.as_fd(), x.net_recv.as_fd()],
        Rung::Functions => vec![x.net_x_send.as_fd(), x.net_x_send6.as_fd(), x.net_x_recv.as_fd(), x.net_x_recv6.as_fd()],
        // Kernels that need these do not count theirs (`trace_call_bpf` does from 6.7).
        Rung::Probes => Vec::new(),
    };
    let missed = Missed::of(counting)?;
    let mut attached = Attached {
        rung: plan.rung,
        missed,
        slots: Some(slots),
        shared: MapHandle::try_from(&skel.maps.net_shared)?,
        procs: MapHandle::try_from(&skel.maps.net_procs)?,
        stats: MapHandle::try_from(&skel.maps.net_stats)?,
        control: MapHandle::try_from(&skel.maps.net_control)?,
        walk: None,
        files: None,
        counts_retransmits: false,
        missing,
        _hooks: hooks,
    };
    match plan.has_storage() {
        true => attach_tcp(&mut skel, &mut attached),
        false => attached.missing.push(
            "counted by kprobes: no TCP counters, retransmits or closed sockets (Linux 6.3 has them; from 5.12, where function exits attach)".into(),
        ),
    }
    Ok(attached)
}

fn configure(open: &mut OpenNetSkel<'_>, plan: Plan, has_sendpage: bool) -> Result<(), Error> {
    open.maps.net_sks.set_autocreate(plan.has_storage())?;
    open.maps.net_calls.set_autocreate(plan.rung == Rung::Probes)?;
    if plan.rung == Rung::Probes {
        // Kernels before 6.1 must not allocate map entries in a kprobe.
        open.maps.net_shared.set_map_flags(0)?;
        open.maps.net_procs.set_map_flags(0)?;
    }
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = program.name().to_str().is_some_and(|name| plan.wants(name, has_sendpage));
        program.set_autoload(wanted);
    }
    Ok(())
}

/// What the socket view and retransmits need; each may fail alone.
fn attach_tcp(skel: &mut NetSkel<'_>, to: &mut Attached) {
    let mut one = |what: &str, program: &mut ProgramMut<'_>| match program.attach() {
        Ok(link) => Some(link),
        Err(error) => {
            to.missing.push(format!("{what}: {error}"));
            None
        }
    };
    let state = one("birth of TCP sockets unseen", &mut skel.progs.net_state);
    let end = one("last words of TCP sockets unseen", &mut skel.progs.net_end);
    let retransmit = one("no retransmits", &mut skel.progs.net_retransmit);
    let files = one("no owners of idle sockets", &mut skel.progs.net_files);
    to.counts_retransmits = retransmit.is_some();
    to._hooks.extend([state, end, retransmit].into_iter().flatten());
    to.files = files;
    match MapHandle::try_from(&skel.maps.net_sks).and_then(|map| skel.progs.net_walk.attach_iter(map.as_fd())) {
        Ok(link) => to.walk = Some(link),
        Err(error) => to.missing.push(format!("no TCP counters: {error}")),
    }
}

/// Both versions of send and receive must work, or v4 and v6 would be counted by halves; the rest may be absent.
fn attach_probes(skel: &NetSkel<'_>, missing: &mut Vec<String>) -> Result<Vec<Link>, Error> {
    let mut links = Vec::new();
    for (function, receives) in PROBED {
        let (entry, exit) = match receives {
            true => (&skel.progs.net_k_recv, &skel.progs.net_kr_recv),
            false => (&skel.progs.net_k_call, &skel.progs.net_kr_send),
        };
        let entry = if function == "tcp_splice_read" { &skel.progs.net_k_call } else { entry };
        match (exit.attach_kprobe(true, function), entry.attach_kprobe(false, function)) {
            (Ok(exit), Ok(entry)) => links.extend([exit, entry]),
            (Err(error), _) | (_, Err(error)) if function.ends_with("msg") => return Err(error),
            (Err(_), _) | (_, Err(_)) if function == "inet_sendpage" => {}
            (Err(error), _) | (_, Err(error)) => missing.push(format!("splice reads are not counted: {error}")),
        }
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_loads_its_own_hooks_only() {
        for plan in PLANS {
            let hooks = ["net_send", "net_x_send", "net_kr_send"].map(|p| plan.wants(p, true));
            assert_eq!(hooks.iter().filter(|&&h| h).count(), 1, "{plan:?}");
            assert_eq!(plan.wants("net_walk", true), plan.rung != Rung::Probes);
        }
        assert!(!PLANS[0].wants("net_x_page", false));
    }

    #[test]
    fn what_is_forbidden_is_not_tried_in_vain() {
        let all = [Rung::Tracepoints, Rung::Functions, Rung::Probes];
        assert_eq!(plans(&all, false), PLANS);
        assert!(plans(&all, true).iter().map(|plan| (plan.rung, plan.extras)).eq([(Rung::Tracepoints, false), (Rung::Probes, false)]));
        assert_eq!(plans(&[Rung::Functions], true).len(), 1, "but says so itself");
        assert!(plans(&[], true).is_empty());
    }

    #[test]
    fn the_kernel_that_lost_sendpage_is_known_by_its_release() {
        assert!(["5.10.0-30-amd64", "6.1.0", "6.4.16", "strange", ""].into_iter().all(may_have_sendpage));
        assert!(!["6.5", "6.5.0-rc1", "6.12.9+deb13", "7.2"].into_iter().any(may_have_sendpage));
    }

    /// The rung that this kernel may refuse to attach must at least pass its verifier, with the code paths it alone uses.
    #[test]
    #[ignore = "root"]
    fn the_last_rung_passes_the_verifier() {
        let mut memory = MaybeUninit::uninit();
        let mut open = builder::<NetSkelBuilder>().open(&mut memory).unwrap();
        configure(&mut open, Plan { rung: Rung::Probes, extras: false }, false).unwrap();
        open.load().unwrap();
    }
}

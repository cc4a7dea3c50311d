//! Rights are for starting: what is not needed later is given up, thread by thread, as soon as the kernel half is attached.
//!
//! Capabilities, `no_new_privs` and the user whose name stands on new files belong to a thread, and threads that it starts
//! inherit them. So each long-lived thread calls [`narrow`] before its work, and before it starts others.

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use crate::bpf::perf_event;

/// What a thread does from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reads maps, /proc and the files that processes run, and attaches what a view asks for later.
    Collect,
    /// Names addresses.
    Name,
    /// Draws, writes files, and acts on other processes where the user may.
    Screen {
        /// No signals, no nice values.
        readonly: bool,
    },
}

impl Work {
    /// The capabilities that it needs, each for something that comes after the start.
    fn needs(self) -> &'static [Capability] {
        use Capability::*;
        match self {
            // Kernels before 5.19 ask for CAP_BPF at every look into a map. A CPU that comes online gets its timer with CAP_PERFMON.
            Work::Collect => &[CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE, CAP_SYSLOG],
            // map_files asks for CAP_CHECKPOINT_RESTORE (or CAP_SYS_ADMIN), kallsyms for CAP_SYSLOG.
            Work::Name => &[CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE, CAP_SYSLOG],
            // Where /proc is mounted with hidepid, others' processes can only be looked up with CAP_SYS_PTRACE.
            Work::Screen { readonly: false } => &[CAP_KILL, CAP_SYS_NICE, CAP_SYS_PTRACE],
            Work::Screen { readonly: true } => &[],
        }
    }

    /// What of `permitted` stays. `CAP_SYS_ADMIN` does where it has to stand in for one of those that were split from it.
    fn keeps(self, permitted: &CapsHashSet) -> CapsHashSet {
        use Capability::*;
        let is_missing = |capability| self.needs().contains(&capability) && !permitted.contains(&capability);
        let stands_in = [CAP_BPF, CAP_PERFMON, CAP_CHECKPOINT_RESTORE].into_iter().any(is_missing);
        let wanted = self.needs().iter().copied().chain(stands_in.then_some(CAP_SYS_ADMIN));
        wanted.filter(|capability| permitted.contains(capability)).collect()
    }
}

/// Gives up every capability of the calling thread that `work` does not need, and the way to new ones: neither a set-user-id
/// program nor file capabilities give it, or what it starts, any more than it has.
///
/// # Errors
/// One line: the kernel, or a seccomp filter, refused. What was not given up is still there.
pub fn narrow(work: Work) -> Result<(), String> {
    let result = give_up(work).map_err(|error| format!("cannot give up rights: {error}"));
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("cannot forbid new rights: {error}")).and(result)
}

fn give_up(work: Work) -> Result<(), caps::errors::CapsError> {
    let had_timers = work == Work::Collect && perf_event::is_allowed();
    let mut keep = work.keeps(&caps::read(None, CapSet::Permitted)?);
    let effective = caps::read(None, CapSet::Effective)?;
    caps::set(None, CapSet::Effective, &effective.intersection(&keep).copied().collect())?;
    if had_timers && !perf_event::is_allowed() {
        // At kernel.perf_event_paranoid=3, their default, Debian's kernels ask for more than CAP_PERFMON.
        keep.insert(Capability::CAP_SYS_ADMIN);
        caps::set(None, CapSet::Effective, &effective.intersection(&keep).copied().collect())?;
    }
    caps::set(None, CapSet::Permitted, &keep)?;
    // The kernel takes a capability out of the ambient set with either of the two others.
    caps::clear(None, CapSet::Inheritable)
}

/// Somebody who became root for this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Invoker {
    uid: u32,
    gid: u32,
}

/// From now on the calling thread opens and makes files as the user behind sudo, with that user's rights and no more; without sudo
/// nothing changes. Needs rights that [`narrow`] gives up.
///
/// # Errors
/// One line: the kernel refused, and files would be root's.
pub fn files_as_invoker() -> Result<(), String> {
    let variable = |name| std::env::var(name).ok();
    let Some(invoker) = rustix::process::geteuid().is_root().then(|| invoker(variable("SUDO_UID"), variable("SUDO_GID"))).flatten() else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(invoker.uid), Gid::from_raw(invoker.gid));
    rustix::thread::set_thread_groups(&[]).map_err(|error| format!("files will be root's: setgroups: {error}"))?;
    setfsgid(gid);
    setfsuid(uid);
    // Neither call tells whether it worked; asking for a number that nobody has changes nothing and gives the one in force.
    let now = (setfsuid(Uid::from_raw(u32::MAX)), setfsgid(Gid::from_raw(u32::MAX)));
    if now == (uid, gid) { Ok(()) } else { Err("files will be root's: the kernel refused to make them as another user".into()) }
}

/// The user behind sudo; `None` without sudo.
pub fn invoking_user() -> Option<u32> {
    let variable = |name| std::env::var(name).ok();
    let invoker = rustix::process::geteuid().is_root().then(|| invoker(variable("SUDO_UID"), variable("SUDO_GID"))).flatten();
    invoker.map(|invoker| invoker.uid)
}

/// Who is behind sudo, as it says in the environment. That can only take rights away: whoever can set it for root is root already.
fn invoker(uid: Option<String>, gid: Option<String>) -> Option<Invoker> {
    let number = |text: Option<String>| text?.parse().ok().filter(|&id| id != u32::MAX);
    let uid = number(uid).filter(|&uid| uid != 0)?;
    // Without a group of one's own nobody's, rather than root's.
    Some(Invoker { uid, gid: number(gid).unwrap_or(NOGROUP) })
}

/// `nogroup` of most distributions, and what the kernel shows for a group it cannot express.
const NOGROUP: u32 = 65534;

/// The user that files of the calling thread belong to.
pub fn file_owner() -> u32 {
    setfsuid(Uid::from_raw(u32::MAX)).as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_line(name: &str) -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    }

    /// On a thread of its own: what is given up there stays with the others.
    fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    #[test]
    fn sudo_names_somebody_else_or_nobody() {
        let of = |uid: &str, gid: &str| invoker(Some(uid.into()), Some(gid.into()));
        assert_eq!(of("1000", "100"), Some(Invoker { uid: 1000, gid: 100 }));
        assert_eq!(of("1000", "x"), Some(Invoker { uid: 1000, gid: NOGROUP }));
        for uid in ["0", "", "-1", "4294967295", "4294967296", "alice"] {
            assert_eq!(of(uid, "1"), None, "{uid}");
        }
        assert_eq!(invoker(None, Some("1".into())), None);
    }

    #[test]
    fn the_old_capability_stays_only_for_those_that_are_missing() {
        use Capability::*;
        let of = |work: Work, permitted: &[Capability]| work.keeps(&permitted.iter().copied().collect());
        let set = |capabilities: &[Capability]| capabilities.iter().copied().collect::<CapsHashSet>();
        let all = caps::all();
        assert!(!Work::Collect.keeps(&all).contains(&CAP_SYS_ADMIN) && !Work::Name.keeps(&all).contains(&CAP_BPF));
        assert_eq!(of(Work::Collect, &[CAP_SYS_ADMIN, CAP_SYSLOG, CAP_CHOWN]), set(&[CAP_SYS_ADMIN, CAP_SYSLOG]));
        assert_eq!(of(Work::Screen { readonly: false }, &[CAP_SYS_ADMIN, CAP_KILL]), set(&[CAP_KILL]));
        assert_eq!(of(Work::Name, &[]), set(&[]));
    }

    #[test]
    fn what_is_given_up_is_gone_and_cannot_come_back() {
        let before = caps::read(None, CapSet::Permitted).unwrap();
        apart(move || {
            narrow(Work::Screen { readonly: false }).unwrap();
            let wanted: CapsHashSet = [Capability::CAP_KILL, Capability::CAP_SYS_NICE, Capability::CAP_SYS_PTRACE]
                .into_iter()
                .filter(|c| before.contains(c))
                .collect();
            assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), wanted);
            narrow(Work::Screen { readonly: true }).unwrap();
            assert_eq!((status_line("CapPrm:"), status_line("NoNewPrivs:")), ("0".repeat(16), "1".into()));
            assert!(caps::raise(None, CapSet::Effective, Capability::CAP_KILL).is_err());
        });
    }

    #[test]
    fn a_program_that_is_started_gets_no_rights_back() {
        apart(|| {
            narrow(Work::Screen { readonly: true }).unwrap();
            let output = std::process::Command::new("cat").arg("/proc/self/status").output().unwrap();
            let status = String::from_utf8(output.stdout).unwrap();
            assert!(status.contains("CapEff:\t0000000000000000\n"), "{status}");
        });
    }
}

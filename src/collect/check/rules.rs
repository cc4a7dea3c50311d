//! From facts to findings: one function a topic, each pure.

mod calls;
mod mounts;

use super::{Capabilities, Finding, Host, TYPES_DIR, TypesNote, Verdict};
use calls::{bpf_syscall, perf_events, seccomp};
use mounts::{cgroups, hidepid, sysfs, tracefs, unknown_lockdown};

type Rule = fn(&Host) -> Option<Finding>;

/// Without any one of these BPF does not start. What no right can mend stands first.
const NEEDED: [Rule; 9] = [kernel, sysfs, btf, lockdown, user_namespace, rights, open_files, memlock, bpf_syscall];
/// Without these something is missing.
const WANTED: [Rule; 11] = [
    perf_events,
    seccomp,
    unknown_lockdown,
    kernel_symbols,
    other_processes,
    other_files,
    pid_namespace,
    hidepid,
    cgroups,
    tracefs,
    unprivileged_bpf,
];

/// Everything that can be said about this host.
pub fn findings(host: &Host) -> Vec<Finding> {
    NEEDED.iter().chain(&WANTED).filter_map(|rule| rule(host)).collect()
}

/// Why BPF cannot start here: cause and fix in one line for the screen. `None` where nothing known stands against it.
pub fn why_no_bpf(host: &Host) -> Option<String> {
    let blocker = NEEDED.iter().filter_map(|rule| rule(host)).find(|finding| finding.verdict != Verdict::Works)?;
    Some(in_a_line(blocker))
}

/// Why there are no perf events, in the same form; `None` where there are.
pub(super) fn why_no_perf_events(host: &Host) -> Option<String> {
    lacks_perf_events(host).map(in_a_line)
}

/// What stands against perf events.
pub(super) fn lacks_perf_events(host: &Host) -> Option<Finding> {
    perf_events(host).filter(|finding| finding.verdict != Verdict::Works)
}

fn in_a_line(finding: Finding) -> String {
    match finding.fix {
        // The screen keeps what stands behind the dash when it must cut.
        Some(fix) => format!("{} — {fix}", finding.cause),
        None => finding.cause,
    }
}

impl Capabilities {
    /// May load and attach tracing programs, in the first user namespace.
    pub(super) fn may_trace(self) -> bool {
        self.sys_admin || (self.bpf && self.perfmon)
    }
}

/// How to get the rights that are missing.
fn more_rights(host: &Host) -> Option<&'static str> {
    Some(match host.euid {
        0 => "run on the host, or start the container with --privileged --pid=host",
        _ => "run `sudo ebtop`",
    })
}

fn finding(topic: &'static str, verdict: Verdict, cause: impl Into<String>, fix: Option<&str>) -> Option<Finding> {
    Some(Finding { topic, verdict, cause: cause.into(), fix: fix.map(str::to_owned) })
}

fn works(topic: &'static str, cause: impl Into<String>) -> Option<Finding> {
    finding(topic, Verdict::Works, cause, None)
}

/// `5.10` of `5.10.0-46-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Only a kernel that cannot have what every part needs is refused by its number; everything else is decided by trying.
fn kernel(host: &Host) -> Option<Finding> {
    let release = &host.release;
    match version(release) {
        Some(version) if version < (5, 8) => {
            let cause = format!("kernel {release} is older than 5.8, the first with BPF ring buffers and task iterators");
            finding("kernel", Verdict::Missing, cause, Some("boot a newer kernel (Debian 11 or later has one)"))
        }
        _ => works("kernel", release),
    }
}

fn btf(host: &Host) -> Option<Finding> {
    let topic = "kernel types";
    let own = "/sys/kernel/btf/vmlinux";
    if host.btf {
        return match &host.types_note {
            Some(TypesNote::LeftOut(file)) => works(topic, format!("{own}; --btf {file} is left out, as this kernel describes its own")),
            _ => works(topic, own),
        };
    }
    if let Some(file) = &host.types_file {
        return works(topic, format!("{file}; processes come from /proc, since their hooks need the kernel's own"));
    }
    // What is said of sysfs is all that is known then.
    if host.sysfs == Some(false) {
        return None;
    }
    let mut cause = format!("the kernel does not describe its types (no {own})");
    if let Some(TypesNote::Useless(file, why)) = &host.types_note {
        cause = format!("{cause}, and {file} is of no use: {why}");
    }
    let fix =
        format!("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, or give its types: --btf FILE, or {TYPES_DIR}/{}.btf", host.release);
    finding(topic, Verdict::Missing, cause, Some(&fix))
}

fn lockdown(host: &Host) -> Option<Finding> {
    match host.lockdown.as_deref()? {
        "confidentiality" => {
            let cause = "kernel lockdown is `confidentiality`: BPF may not read kernel memory";
            finding("lockdown", Verdict::Refused, cause, Some("boot without lockdown=confidentiality"))
        }
        "integrity" => works("lockdown", "integrity; some kernels then refuse fentry programs, which ebtop does not need"),
        other => works("lockdown", other),
    }
}

fn user_namespace(host: &Host) -> Option<Finding> {
    if host.initial_user_namespace? {
        return works("user namespace", "the first one");
    }
    let cause = "in a user namespace (a rootless container), whose root has no rights over BPF";
    finding("user namespace", Verdict::Refused, cause, Some("run ebtop on the host"))
}

/// Its capabilities say nothing of what they give outside.
fn is_in_user_namespace(host: &Host) -> bool {
    host.initial_user_namespace == Some(false)
}

fn rights(host: &Host) -> Option<Finding> {
    let capabilities = host.capabilities;
    if is_in_user_namespace(host) {
        return finding("rights", Verdict::Refused, "those of a user namespace end at its border", None);
    }
    if capabilities.may_trace() {
        return works("rights", if capabilities.sys_admin { "CAP_SYS_ADMIN" } else { "CAP_BPF and CAP_PERFMON" });
    }
    if host.euid == 0 {
        let cause = "root without CAP_BPF and CAP_PERFMON (a container?): exits, network and stacks are missing";
        return finding("rights", Verdict::Refused, cause, more_rights(host));
    }
    let cause = match (capabilities.bpf, capabilities.perfmon) {
        (true, false) => "CAP_BPF without CAP_PERFMON, which tracing needs, too: no exits, network, stacks",
        (false, true) => "CAP_PERFMON without CAP_BPF, which programs need, too: no exits, network, stacks",
        _ => "not root: no exits, network, stacks",
    };
    let fix = match (more_rights(host), &host.setcap) {
        (Some(run), Some(setcap)) => Some(format!("{run}, or once and for all `{setcap}`")),
        (run, _) => run.map(str::to_owned),
    };
    finding("rights", Verdict::Refused, cause, fix.as_deref())
}

/// Descriptors that the kernel half takes while it starts, and some for what looks at processes beside it (74 and two timers were
/// measured on Linux 6.18). With fewer, parts would take them from each other in whatever order they come.
const FILES_NEEDED: u64 = 96;

/// Whether as many files may be open as the kernel half needs.
pub fn has_files(limit: Option<u64>) -> bool {
    limit.is_none_or(|limit| limit >= FILES_NEEDED)
}

fn open_files(host: &Host) -> Option<Finding> {
    let topic = "open files";
    if has_files(host.open_files) {
        return works(topic, host.open_files.map_or("no limit".into(), |limit| format!("up to {limit}")));
    }
    let cause = format!("only {} files may be open here, and the kernel half needs {FILES_NEEDED}", host.open_files.unwrap_or_default());
    finding(topic, Verdict::Refused, cause, Some("raise the limit: `ulimit -n 1024`"))
}

/// Kernels before 5.11 charge maps to the memlock limit.
pub(super) fn charges_memlock(host: &Host) -> bool {
    version(&host.release).is_some_and(|version| version < (5, 11))
}

/// Whether the limit of locked memory can be in the way.
fn lacks_memlock(host: &Host) -> bool {
    charges_memlock(host) && host.memlock_bytes.is_some() && !host.capabilities.sys_resource
}

fn memlock(host: &Host) -> Option<Finding> {
    let topic = "locked memory";
    if !charges_memlock(host) {
        return works(topic, "maps are not charged to its limit since Linux 5.11");
    }
    let Some(limit) = host.memlock_bytes else { return works(topic, "no limit") };
    if host.capabilities.sys_resource || !host.capabilities.may_trace() {
        return works(topic, "ebtop raises the limit by itself, or has no use for it");
    }
    let cause = format!("this kernel charges maps to the limit of locked memory, which is {} KiB", limit / 1024);
    finding(topic, Verdict::Refused, cause, Some("run with `ulimit -l unlimited`, or add CAP_SYS_RESOURCE"))
}

fn kernel_symbols(host: &Host) -> Option<Finding> {
    let level = host.kptr_restrict.filter(|_| !is_in_user_namespace(host))?;
    let topic = "kernel symbols";
    match level {
        2.. => {
            let cause = format!("kernel.kptr_restrict={level} hides kernel addresses from everyone: kernel frames have no names");
            finding(topic, Verdict::Refused, cause, Some("`sudo sysctl kernel.kptr_restrict=1`"))
        }
        // The kernel shows addresses to everyone who may take perf samples of it (kallsyms_show_value).
        0 if host.perf_event_paranoid.is_some_and(|level| level <= 1) => works(topic, "kernel.kptr_restrict=0"),
        _ if host.capabilities.syslog => works(topic, format!("kernel.kptr_restrict={level}")),
        _ => finding(topic, Verdict::Refused, "without CAP_SYSLOG kernel frames have no names", more_rights(host)),
    }
}

fn other_processes(host: &Host) -> Option<Finding> {
    if is_in_user_namespace(host) {
        return finding("other users' processes", Verdict::Refused, "seen as far as the user namespace goes", None);
    }
    if host.capabilities.sys_ptrace {
        return works("other users' processes", "CAP_SYS_PTRACE");
    }
    let cause = "without CAP_SYS_PTRACE their executables and I/O are hidden, and their stacks have no names";
    finding("other users' processes", Verdict::Refused, cause, more_rights(host))
}

fn other_files(host: &Host) -> Option<Finding> {
    if is_in_user_namespace(host) {
        return None;
    }
    if host.capabilities.dac_read_search {
        return works("other users' files", "CAP_DAC_READ_SEARCH");
    }
    let cause = "without CAP_DAC_READ_SEARCH executables in private directories give no symbols";
    finding("other users' files", Verdict::Refused, cause, more_rights(host))
}

fn pid_namespace(host: &Host) -> Option<Finding> {
    if host.initial_pid_namespace? {
        return works("pid namespace", "the first one");
    }
    finding("pid namespace", Verdict::Refused, OWN_PIDS, Some(HOST_PIDS))
}

/// What is so where /proc and BPF number processes differently.
const OWN_PIDS: &str =
    "in a pid namespace (a container): pids are the host's, /proc has the container's; no command lines, details or names of functions";
const HOST_PIDS: &str = "start the container with --pid=host";

/// The same for the screen; `None` where both have the same pids.
pub fn why_no_details(has_host_pids: bool) -> Option<String> {
    (!has_host_pids).then(|| format!("{OWN_PIDS} — {HOST_PIDS}"))
}

fn unprivileged_bpf(host: &Host) -> Option<Finding> {
    let level = host.unprivileged_bpf_disabled?;
    let meaning = if level == 0 { "allowed, though not for tracing" } else { "off, as it should be; ebtop does not need it" };
    works("unprivileged BPF", format!("kernel.unprivileged_bpf_disabled={level}: {meaning}"))
}

#[cfg(test)]
pub(super) mod tests;

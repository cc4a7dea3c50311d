//! From facts to findings: one function a topic, each pure.

use super::{BpfSyscall, Capabilities, Cgroups, Finding, Host, TYPES_DIR, Verdict};

type Rule = fn(&Host) -> Option<Finding>;

/// Without any one of these BPF does not start. What no right can mend stands first.
const NEEDED: [Rule; 8] = [kernel, btf, lockdown, user_namespace, rights, open_files, bpf_syscall, memlock];
/// Without these something is missing.
const WANTED: [Rule; 9] =
    [perf_events, kernel_symbols, other_processes, other_files, pid_namespace, hidepid, cgroups, tracefs, unprivileged_bpf];

/// Everything that can be said about this host.
pub fn findings(host: &Host) -> Vec<Finding> {
    NEEDED.iter().chain(&WANTED).filter_map(|rule| rule(host)).collect()
}

/// Why BPF cannot start here: cause and fix in one line for the screen. `None` where nothing known stands against it.
pub fn why_no_bpf(host: &Host) -> Option<String> {
    let blocker = NEEDED.iter().filter_map(|rule| rule(host)).find(|finding| finding.verdict != Verdict::Works)?;
    Some(match blocker.fix {
        // The screen keeps what stands behind the dash when it must cut.
        Some(fix) => format!("{} — {fix}", blocker.cause),
        None => blocker.cause,
    })
}

impl Capabilities {
    /// May load and attach tracing programs, in the first user namespace.
    pub(super) fn may_trace(self) -> bool {
        self.sys_admin || (self.bpf && self.perfmon)
    }
}

/// What it says where bpf() is refused though the rights are there.
const BY_SECCOMP: &str = "a seccomp filter of this container or service refuses bpf()";

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
    if host.btf {
        return works("kernel types", "/sys/kernel/btf/vmlinux");
    }
    if let Some(file) = &host.types_file {
        return works("kernel types", format!("{file}; processes come from /proc, since their hooks need the kernel's own"));
    }
    let cause = "the kernel does not describe its types (no /sys/kernel/btf/vmlinux)";
    let fix =
        format!("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, or give its types: --btf FILE, or {TYPES_DIR}/{}.btf", host.release);
    finding("kernel types", Verdict::Missing, cause, Some(&fix))
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
    finding("rights", Verdict::Refused, cause, more_rights(host))
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

fn bpf_syscall(host: &Host) -> Option<Finding> {
    let topic = "bpf system call";
    let filtered =
        || finding(topic, Verdict::Refused, BY_SECCOMP, Some("allow bpf and perf_event_open in its profile, or run on the host"));
    match &host.bpf_syscall {
        BpfSyscall::Unknown => None,
        BpfSyscall::Works => works(topic, "a map could be created"),
        // Some profiles say so of all that they do not allow.
        BpfSyscall::Absent if host.seccomp == Some(true) => filtered(),
        BpfSyscall::Absent => {
            let fix = "boot a kernel built with CONFIG_BPF_SYSCALL=y";
            finding(topic, Verdict::Missing, "the kernel was built without it", Some(fix))
        }
        BpfSyscall::Refused(error) if !host.capabilities.may_trace() || is_in_user_namespace(host) => {
            finding(topic, Verdict::Refused, format!("refused ({error}), as it must be without the rights above"), None)
        }
        BpfSyscall::TooManyFiles => {
            finding(topic, Verdict::Refused, "no more files may be open here", Some("raise the limit: `ulimit -n 1024`"))
        }
        BpfSyscall::Refused(_) if host.seccomp == Some(true) => filtered(),
        BpfSyscall::Refused(error) => {
            let cause = format!("refused ({error}) in spite of the rights");
            finding(topic, Verdict::Refused, cause, Some("look for a security module that forbids it (SELinux, AppArmor)"))
        }
    }
}

/// Kernels before 5.11 charge maps to the memlock limit.
pub(super) fn charges_memlock(host: &Host) -> bool {
    version(&host.release).is_some_and(|version| version < (5, 11))
}

fn memlock(host: &Host) -> Option<Finding> {
    let limit = host.memlock_bytes.filter(|_| charges_memlock(host))?;
    if host.capabilities.sys_resource || !host.capabilities.may_trace() {
        return works("locked memory", "ebtop raises the limit by itself, or has no use for it");
    }
    let cause = format!("this kernel charges maps to the limit of locked memory, which is {} KiB", limit / 1024);
    finding("locked memory", Verdict::Refused, cause, Some("run with `ulimit -l unlimited`, or add CAP_SYS_RESOURCE"))
}

fn perf_events(host: &Host) -> Option<Finding> {
    let level = host.perf_event_paranoid.filter(|_| !is_in_user_namespace(host))?;
    let capabilities = host.capabilities;
    if capabilities.sys_admin || (capabilities.perfmon && level < 3) {
        return works("perf events", format!("kernel.perf_event_paranoid={level}"));
    }
    if capabilities.perfmon {
        let cause = format!("kernel.perf_event_paranoid={level}: Debian's and Ubuntu's kernels then want CAP_SYS_ADMIN; no stacks");
        return finding("perf events", Verdict::Refused, cause, Some("`sudo sysctl kernel.perf_event_paranoid=2`, or add CAP_SYS_ADMIN"));
    }
    let cause = format!("kernel.perf_event_paranoid={level} and neither CAP_PERFMON nor CAP_SYS_ADMIN: no stacks");
    finding("perf events", Verdict::Refused, cause, more_rights(host))
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

fn hidepid(host: &Host) -> Option<Finding> {
    if !host.hidepid? {
        return None;
    }
    if host.capabilities.sys_ptrace {
        return works("hidepid", "/proc hides processes from others, not from ebtop");
    }
    finding("hidepid", Verdict::Refused, "/proc is mounted with hidepid: only your own processes are seen", more_rights(host))
}

fn cgroups(host: &Host) -> Option<Finding> {
    match host.cgroups {
        Cgroups::V2 | Cgroups::Hybrid | Cgroups::V1 if host.initial_cgroup_namespace == Some(false) => {
            let cause = "in a cgroup namespace (a container): only its own groups are seen";
            finding("cgroups", Verdict::Refused, cause, Some("start the container with --cgroupns=host"))
        }
        Cgroups::V2 => works("cgroups", "version 2"),
        Cgroups::Hybrid => works("cgroups", "version 1 with version 2 beside it; where that is empty, paths come from systemd's hierarchy"),
        Cgroups::V1 => works("cgroups", "version 1 only; paths come from systemd's hierarchy"),
        Cgroups::None => finding("cgroups", Verdict::Missing, "none mounted: units and containers are not told apart", None),
    }
}

fn tracefs(host: &Host) -> Option<Finding> {
    match &host.tracefs {
        Some(path) => works("tracefs", path),
        None => {
            let cause = "not mounted; only fallbacks for kernels without typed tracepoints need it";
            finding("tracefs", Verdict::Missing, cause, Some("`sudo mount -t tracefs tracefs /sys/kernel/tracing`"))
        }
    }
}

fn unprivileged_bpf(host: &Host) -> Option<Finding> {
    let level = host.unprivileged_bpf_disabled?;
    let meaning = if level == 0 { "allowed, though not for tracing" } else { "off, as it should be; ebtop does not need it" };
    works("unprivileged BPF", format!("kernel.unprivileged_bpf_disabled={level}: {meaning}"))
}

#[cfg(test)]
pub(super) mod tests;

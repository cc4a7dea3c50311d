//! System calls that were tried: which filter, limit or setting refuses them.

use super::{finding, is_in_user_namespace, lacks_memlock, more_rights, works};
use crate::collect::check::{Finding, Host, Tried, Verdict};

/// What a filter means where a call is refused though the rights are there.
const BY_SECCOMP: &str = "a seccomp filter of this container or service refuses";
const ALLOW: &str = "allow bpf and perf_event_open in its profile, or run on the host";

fn filtered(topic: &'static str, call: &str, left: &str) -> Option<Finding> {
    finding(topic, Verdict::Refused, format!("{BY_SECCOMP} {call}{left}"), Some(ALLOW))
}

fn out_of_files(topic: &'static str) -> Option<Finding> {
    finding(topic, Verdict::Refused, "no more files may be open here", Some("raise the limit: `ulimit -n 1024`"))
}

pub(super) fn bpf_syscall(host: &Host) -> Option<Finding> {
    let topic = "bpf system call";
    match &host.bpf_syscall {
        Tried::Unknown => None,
        Tried::Works => works(topic, "a map could be created"),
        // Some profiles say so of all that they do not allow.
        Tried::Absent if host.seccomp == Some(true) => filtered(topic, "bpf()", ""),
        Tried::Absent => {
            let fix = "boot a kernel built with CONFIG_BPF_SYSCALL=y";
            finding(topic, Verdict::Missing, "the kernel was built without it", Some(fix))
        }
        Tried::Refused(error) if !host.capabilities.may_trace() || is_in_user_namespace(host) => {
            finding(topic, Verdict::Refused, format!("refused ({error}), as it must be without the rights above"), None)
        }
        Tried::TooManyFiles => out_of_files(topic),
        Tried::Refused(error) if lacks_memlock(host) => {
            finding(topic, Verdict::Refused, format!("refused ({error}), as locked memory has a limit"), None)
        }
        Tried::Refused(_) if host.seccomp == Some(true) => filtered(topic, "bpf()", ""),
        Tried::Refused(error) => {
            let cause = format!("refused ({error}) in spite of the rights");
            finding(topic, Verdict::Refused, cause, Some("look for a security module that forbids it (SELinux, AppArmor)"))
        }
    }
}

/// By what came of it; settings and rights only explain a refusal.
pub(super) fn perf_events(host: &Host) -> Option<Finding> {
    let topic = "perf events";
    let level = host.perf_event_paranoid.map_or("unknown".into(), |level| level.to_string());
    let error = match &host.perf_event_open {
        Tried::Unknown => return None,
        Tried::Works => return works(topic, format!("kernel.perf_event_paranoid={level}")),
        Tried::TooManyFiles => return out_of_files(topic),
        Tried::Absent if host.seccomp == Some(true) => return filtered(topic, "perf_event_open()", ": no stacks"),
        Tried::Absent => {
            let cause = "the kernel was built without perf_event_open: no stacks";
            return finding(topic, Verdict::Missing, cause, Some("boot a kernel built with CONFIG_PERF_EVENTS=y"));
        }
        Tried::Refused(error) => error,
    };
    let capabilities = host.capabilities;
    if is_in_user_namespace(host) {
        return None;
    }
    if !capabilities.sys_admin && !capabilities.perfmon {
        let cause = format!("kernel.perf_event_paranoid={level} and neither CAP_PERFMON nor CAP_SYS_ADMIN: no stacks");
        return finding(topic, Verdict::Refused, cause, more_rights(host));
    }
    if !capabilities.sys_admin && host.perf_event_paranoid.is_some_and(|level| level > 2) {
        let cause = format!("kernel.perf_event_paranoid={level}: Debian's and Ubuntu's kernels then want CAP_SYS_ADMIN; no stacks");
        return finding(topic, Verdict::Refused, cause, Some("`sudo sysctl kernel.perf_event_paranoid=2`, or add CAP_SYS_ADMIN"));
    }
    if host.seccomp == Some(true) {
        return filtered(topic, "perf_event_open()", ": no stacks");
    }
    let cause = format!("refused ({error}) in spite of the rights: no stacks");
    finding(topic, Verdict::Refused, cause, Some("look for a security module that forbids it (SELinux, AppArmor)"))
}

/// The filter by itself: most let through what ebtop needs.
pub(super) fn seccomp(host: &Host) -> Option<Finding> {
    let topic = "seccomp";
    match host.seccomp {
        Some(false) => works(topic, "no filter"),
        Some(true) if host.bpf_syscall == Tried::Works && host.perf_event_open == Tried::Works => {
            works(topic, "a filter, which lets bpf() and perf_event_open() through")
        }
        Some(true) => works(topic, "a filter; whether it is in the way is said above"),
        None => finding(topic, Verdict::Missing, "unknown: /proc does not tell", None),
    }
}

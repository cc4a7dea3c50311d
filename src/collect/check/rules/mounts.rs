//! File systems that should be mounted, and how.

use super::{finding, more_rights, works};
use crate::collect::check::{Cgroups, Finding, HidePid, Hides, Host, Verdict};

/// Said only where it is not there: then types, CPUs and devices are missing, too.
pub(super) fn sysfs(host: &Host) -> Option<Finding> {
    let cause = "/sys is not mounted: no kernel types, no list of CPUs";
    match host.sysfs? {
        true => None,
        false => finding("sysfs", Verdict::Missing, cause, Some("`sudo mount -t sysfs sysfs /sys`")),
    }
}

/// What lockdown is where nothing says that it forbids BPF.
pub(super) fn unknown_lockdown(host: &Host) -> Option<Finding> {
    if host.lockdown.is_some() {
        return None;
    }
    if host.securityfs {
        return works("lockdown", "this kernel has none");
    }
    let cause = "unknown: securityfs is not mounted";
    finding("lockdown", Verdict::Missing, cause, Some("`sudo mount -t securityfs securityfs /sys/kernel/security`"))
}

pub(super) fn cgroups(host: &Host) -> Option<Finding> {
    match host.cgroups {
        Cgroups::V2 | Cgroups::Hybrid | Cgroups::V1 if host.initial_cgroup_namespace == Some(false) => {
            let cause = "in a cgroup namespace (a container): only its own groups are seen";
            finding("cgroups", Verdict::Refused, cause, Some("start the container with --cgroupns=host"))
        }
        Cgroups::V2 => works("cgroups", "version 2"),
        Cgroups::Hybrid => works("cgroups", "version 1 with version 2 beside it; where that is empty, paths come from systemd's hierarchy"),
        Cgroups::V1 => works("cgroups", "version 1 only; paths come from systemd's hierarchy"),
        Cgroups::None => {
            let cause = "none mounted: units and containers are not told apart";
            finding("cgroups", Verdict::Missing, cause, Some("`sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup`"))
        }
    }
}

pub(super) fn tracefs(host: &Host) -> Option<Finding> {
    match &host.tracefs {
        Some(path) => works("tracefs", path),
        None => {
            let cause = "not mounted; only fallbacks for kernels without typed tracepoints need it";
            finding("tracefs", Verdict::Missing, cause, Some("`sudo mount -t tracefs tracefs /sys/kernel/tracing`"))
        }
    }
}

/// Said only where the option is set. A group that it spares may see all, but not with `ptraceable`, which asks nothing but the right to
/// trace (`has_pid_permissions()` in the kernel's `fs/proc/base.c`).
pub(super) fn hidepid(host: &Host) -> Option<Finding> {
    let HidePid { mode, group, is_member } = host.hidepid?;
    let spared = group.filter(|_| mode != Hides::FromTracersOnly);
    let option = format!("hidepid={}", mode.name());
    if host.capabilities.sys_ptrace {
        return works("hidepid", format!("/proc is mounted with {option}, which hides nothing from CAP_SYS_PTRACE"));
    }
    if let Some(group) = spared.filter(|_| is_member) {
        return works("hidepid", format!("/proc is mounted with {option}, which spares group {group}, and this is one of its members"));
    }
    let seen = match mode {
        Hides::FromTracersOnly => "only processes that you may trace are seen",
        Hides::Contents | Hides::All => "only your own processes are seen",
    };
    let join = |group| format!("join group {group} (`sudo usermod -aG \"$(getent group {group} | cut -d: -f1)\" \"$USER\"`, log in anew)");
    let fix = match spared {
        _ if host.euid == 0 => more_rights(host).unwrap_or_default().to_owned(),
        Some(group) => format!("run `sudo ebtop`, or {}", join(group)),
        None => "run `sudo ebtop`, or `sudo mount -o remount,hidepid=0 /proc`".into(),
    };
    finding("hidepid", Verdict::Refused, format!("/proc is mounted with {option}: {seen}"), Some(&fix))
}

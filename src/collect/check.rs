//! Can this machine do it? Facts about the host, and what follows from them: what works, what does not, why, and the fix.
//!
//! [`gather`] reads the facts; everything after it is a pure function of [`Host`]. What the kernel really accepts is only known by
//! trying, and so the caller adds the status of each domain that it tried to load.

mod gather;
mod hooks;
mod render;
mod rules;

pub use gather::{gather, has_host_pids};
pub use hooks::{Hook, hooks};
pub use render::{json, text};
pub use rules::{findings, has_files, why_no_bpf, why_no_details};

use serde::Serialize;

use crate::bpf::refusal;

/// Where types of kernels that do not describe their own are looked for, as `RELEASE.btf`.
pub const TYPES_DIR: &str = "/usr/lib/ebtop/btf";

/// Facts about this machine and this process. `None` = could not be learnt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Kernel release, as `uname -r` says it.
    pub release: String,
    /// Effective user id.
    pub euid: u32,
    /// Effective capabilities that matter here.
    pub capabilities: Capabilities,
    /// The process lives in the first user namespace: capabilities of any other do not reach BPF.
    pub initial_user_namespace: Option<bool>,
    /// /proc has the pids of the first pid namespace: else it has others than BPF.
    pub initial_pid_namespace: Option<bool>,
    /// The process lives in the first cgroup namespace: in any other it sees its own groups alone.
    pub initial_cgroup_namespace: Option<bool>,
    /// The kernel describes its types in /sys/kernel/btf/vmlinux.
    pub btf: bool,
    /// The file that describes them instead, where there is one.
    pub types_file: Option<String>,
    /// What came of creating a small BPF map.
    pub bpf_syscall: BpfSyscall,
    /// A seccomp filter is active, as in most containers.
    pub seccomp: Option<bool>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<i32>,
    /// `kernel.perf_event_paranoid`.
    pub perf_event_paranoid: Option<i32>,
    /// `kernel.kptr_restrict`.
    pub kptr_restrict: Option<i32>,
    /// Where tracefs is mounted, if it is.
    pub tracefs: Option<String>,
    /// Layout of the cgroup hierarchies.
    pub cgroups: Cgroups,
    /// /proc is mounted with hidepid: without `CAP_SYS_PTRACE` other users' processes are hidden.
    pub hidepid: Option<bool>,
    /// `RLIMIT_MEMLOCK`, bytes; `None` = unlimited.
    pub memlock_bytes: Option<u64>,
    /// Most files that this process may have open; `None` = unlimited.
    pub open_files: Option<u64>,
}

/// Effective capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Stands in for BPF and PERFMON (and is all there was before 5.8).
    pub sys_admin: bool,
    /// Load programs, create maps.
    pub bpf: bool,
    /// Attach to tracing hooks, read kernel memory, open perf events.
    pub perfmon: bool,
    /// Read what belongs to other users' processes.
    pub sys_ptrace: bool,
    /// Read files of other users, for their symbols.
    pub dac_read_search: bool,
    /// See kernel addresses, for kernel symbols.
    pub syslog: bool,
    /// Raise limits, which 5.10 needs for maps.
    pub sys_resource: bool,
}

/// What came of the bpf system call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BpfSyscall {
    /// It worked.
    Works,
    /// The kernel was built without it.
    Absent,
    /// No file descriptor was left for it.
    TooManyFiles,
    /// Refused, with this error.
    Refused(String),
    /// Not tried.
    #[default]
    Unknown,
}

/// Which cgroup hierarchies are mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cgroups {
    /// None seen.
    #[default]
    None,
    /// Version 1 only.
    V1,
    /// Version 1 with an empty version 2 beside it.
    Hybrid,
    /// Version 2 only.
    V2,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As ebtop needs it.
    Works,
    /// Forbidden by a right or a setting.
    Refused,
    /// Not there.
    Missing,
}

/// Why the kernel refused a program: what stands against BPF on this host, or else what the kernel said. One line with the fix.
pub fn refused(error: &libbpf_rs::Error) -> String {
    why_no_bpf(&gather()).unwrap_or_else(|| refusal::why(error))
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub topic: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// What was seen, and what follows from it.
    pub cause: String,
    /// What to do about it, if there is something to do.
    pub fix: Option<String>,
}

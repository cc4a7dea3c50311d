//! Can this machine do it? Facts about the host, and what follows from them: what works, what does not, why, and the fix.
//!
//! [`gather`] reads the facts; everything after it is a pure function of [`Host`]. What the kernel really accepts is only known by
//! trying, and so the caller adds the status of each domain that it tried to load.

mod gather;
mod hooks;
mod render;
mod rules;
mod setcap;

pub use gather::{gather, has_host_pids};
pub use hooks::{Hook, hooks};
pub use render::{json, text};
pub use rules::{findings, has_files, why_no_bpf, why_no_details};

use std::sync::OnceLock;

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
    /// What became of another.
    pub types_note: Option<TypesNote>,
    /// What came of creating a small BPF map.
    pub bpf_syscall: Tried,
    /// What came of opening an event of a CPU.
    pub perf_event_open: Tried,
    /// A seccomp filter is active, as in most containers.
    pub seccomp: Option<bool>,
    /// `none`, `integrity` or `confidentiality`.
    pub lockdown: Option<String>,
    /// securityfs is mounted, where that stands.
    pub securityfs: bool,
    /// sysfs is mounted.
    pub sysfs: Option<bool>,
    /// The command that gives this program the rights it needs, where that would work.
    pub setcap: Option<String>,
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
    /// /proc hides other users' processes.
    pub hidepid: Option<HidePid>,
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

/// What came of a system call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tried {
    /// It worked.
    Works,
    /// The kernel was built without it, or a filter says so.
    Absent,
    /// No file descriptor was left for it.
    TooManyFiles,
    /// Refused, with this error.
    Refused(String),
    /// Not tried.
    #[default]
    Unknown,
}

/// What /proc hides, and whom it spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HidePid {
    /// What is hidden.
    pub mode: Hides,
    /// The group that it is not hidden from.
    pub group: Option<u32>,
    /// This process is in that group.
    pub is_member: bool,
}

/// Values of the mount option `hidepid` of proc(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hides {
    /// 1: what is in others' directories.
    Contents,
    /// 2: others' directories.
    All,
    /// 4: those of all whom one may not trace.
    FromTracersOnly,
}

impl Hides {
    /// As the kernel lists the option of a mount; `None` where nothing is hidden.
    pub fn named(value: &str) -> Option<Hides> {
        match value {
            "1" | "noaccess" => Some(Hides::Contents),
            "2" | "invisible" => Some(Hides::All),
            "4" | "ptraceable" => Some(Hides::FromTracersOnly),
            _ => None,
        }
    }

    /// Its value for `mount -o hidepid=`.
    pub fn name(self) -> &'static str {
        match self {
            Hides::Contents => "noaccess",
            Hides::All => "invisible",
            Hides::FromTracersOnly => "ptraceable",
        }
    }
}

/// What came of a file of kernel types that is not in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypesNote {
    /// It was asked for, and is not needed: this file.
    LeftOut(String),
    /// It was found where there should be one, and is useless: this file, and why.
    Useless(String, String),
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

/// Why there are no perf events here, in one line with the fix; asked once.
pub fn why_no_perf_events() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(|| rules::why_no_perf_events(&gather())).as_deref()
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

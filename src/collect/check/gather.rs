//! Reads the facts. Nothing here decides; what cannot be read stays unknown.

use std::path::Path;

use caps::{CapSet, Capability};
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{ErrorKind, MapHandle, MapType};
use procfs::FromRead;
use procfs::process::{MountInfo, MountInfos, Status};
use rustix::process::{Resource, getrlimit};

use super::{Capabilities, Cgroups, HidePid, Hides, Host, Tried, setcap};
use crate::bpf::perf_event;
use crate::collect::types;
use crate::{bpf, files};

/// Inode numbers of the first namespaces, fixed in `include/linux/proc_ns.h`.
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
const FIRST_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;

/// The facts about this machine and this process, now.
pub fn gather() -> Host {
    // The calling thread's own files: rights and mounts are a thread's.
    let mounts = MountInfos::from_file("/proc/thread-self/mountinfo").map(|mounts| mounts.0).unwrap_or_default();
    let status = Status::from_file("/proc/thread-self/status").ok();
    Host {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        euid: rustix::process::geteuid().as_raw(),
        capabilities: capabilities(),
        initial_user_namespace: is_namespace("user", FIRST_USER_NAMESPACE),
        initial_pid_namespace: is_namespace("pid", FIRST_PID_NAMESPACE).map(|is_first| is_first || proc_is_the_hosts()),
        initial_cgroup_namespace: is_namespace("cgroup", FIRST_CGROUP_NAMESPACE),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        types_file: bpf::types_file().map(|file| file.display().to_string()),
        types_note: types::note().cloned(),
        bpf_syscall: try_bpf(),
        perf_event_open: try_perf_event(),
        seccomp: status.and_then(|status| status.seccomp).map(|mode| mode != 0),
        lockdown: std::fs::read_to_string("/sys/kernel/security/lockdown").ok().and_then(|text| chosen(&text)),
        securityfs: is_mounted("/sys/kernel/security", SECURITYFS_MAGIC) == Some(true),
        sysfs: is_mounted("/sys", SYSFS_MAGIC),
        setcap: setcap::command(),
        unprivileged_bpf_disabled: setting("unprivileged_bpf_disabled"),
        perf_event_paranoid: setting("perf_event_paranoid"),
        kptr_restrict: setting("kptr_restrict"),
        tracefs: mounts.iter().find(|mount| mount.fs_type == "tracefs").map(|mount| mount.mount_point.display().to_string()),
        cgroups: cgroups(&mounts),
        hidepid: mounts.iter().rfind(|mount| mount.mount_point == Path::new("/proc")).and_then(hides_pids),
        memlock_bytes: getrlimit(Resource::Memlock).current,
        open_files: files::limit(),
    }
}

fn capabilities() -> Capabilities {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    Capabilities {
        sys_admin: has(Capability::CAP_SYS_ADMIN),
        bpf: has(Capability::CAP_BPF),
        perfmon: has(Capability::CAP_PERFMON),
        sys_ptrace: has(Capability::CAP_SYS_PTRACE),
        dac_read_search: has(Capability::CAP_DAC_READ_SEARCH),
        syslog: has(Capability::CAP_SYSLOG),
        sys_resource: has(Capability::CAP_SYS_RESOURCE),
    }
}

/// Whether /proc has the pids of the first pid namespace, wherever this process lives.
pub fn has_host_pids() -> bool {
    is_namespace("pid", FIRST_PID_NAMESPACE) != Some(false) || proc_is_the_hosts()
}

/// The second process of the first namespace is the parent of all kernel threads; in another it is anybody, or not there.
fn proc_is_the_hosts() -> bool {
    std::fs::read_to_string("/proc/2/stat").is_ok_and(|stat| stat.starts_with("2 (kthreadd) "))
}

fn is_namespace(kind: &str, first: u64) -> Option<bool> {
    Some(rustix::fs::stat(format!("/proc/self/ns/{kind}")).ok()?.st_ino == first)
}

/// Creates a map of one entry, which is gone again at once: of a kind that asks for `CAP_BPF`, as ebtop's own programs do.
fn try_bpf() -> Tried {
    let options = bpf_map_create_opts { sz: size_of::<bpf_map_create_opts>() as u64, ..bpf_map_create_opts::default() };
    match MapHandle::create(MapType::LruHash, Some("check"), 4, 4, 1, &options) {
        Ok(_) => Tried::Works,
        Err(error) if error.kind() == ErrorKind::Unsupported => Tried::Absent,
        Err(error) => refused(error.to_string()),
    }
}

/// Opens an event of the first CPU. Where that CPU is offline nothing stood against it.
fn try_perf_event() -> Tried {
    match perf_event::attempt() {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Tried::Absent,
        Err(error) if error.raw_os_error() != Some(libc::ENODEV) => refused(error.to_string()),
        _ => Tried::Works,
    }
}

fn refused(error: String) -> Tried {
    if files::is_out_of_them(&error) { Tried::TooManyFiles } else { Tried::Refused(error) }
}

/// `include/uapi/linux/magic.h`.
const SYSFS_MAGIC: u64 = 0x6265_6572;
const SECURITYFS_MAGIC: u64 = 0x7363_6673;

/// Whether this kind of file system is mounted there; `None` where that cannot be asked.
fn is_mounted(path: &str, magic: u64) -> Option<bool> {
    Some(rustix::fs::statfs(path).ok()?.f_type as u64 == magic)
}

fn setting(name: &str) -> Option<i32> {
    std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?.trim().parse().ok()
}

/// The word in brackets of `none [integrity] confidentiality`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

fn cgroups(mounts: &[MountInfo]) -> Cgroups {
    let mounted = |kind| mounts.iter().any(|mount| mount.fs_type == kind);
    match (mounted("cgroup"), mounted("cgroup2")) {
        (false, false) => Cgroups::None,
        (true, false) => Cgroups::V1,
        (true, true) => Cgroups::Hybrid,
        (false, true) => Cgroups::V2,
    }
}

/// Kernels before 5.8 name the option's values by number.
fn hides_pids(proc: &MountInfo) -> Option<HidePid> {
    let option = |name: &str| proc.super_options.get(name).cloned().flatten();
    let mode = Hides::named(&option("hidepid")?)?;
    let group = option("gid").and_then(|gid| gid.parse().ok());
    let groups = || rustix::process::getgroups().unwrap_or_default().into_iter().chain([rustix::process::getegid()]);
    let is_member = group.is_some_and(|group| groups().any(|own| own.as_raw() == group));
    Some(HidePid { mode, group, is_member })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lockdown_is_the_word_in_brackets() {
        assert_eq!(chosen("none [integrity] confidentiality\n").as_deref(), Some("integrity"));
        assert_eq!(chosen("none"), None);
    }

    #[test]
    fn facts_agree_with_the_system() {
        let host = gather();
        assert_eq!(host.release, std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().trim());
        assert_eq!(host.btf, std::fs::exists("/sys/kernel/btf/vmlinux").unwrap());
        let hierarchies = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert_eq!(host.cgroups == Cgroups::None, !hierarchies.contains(" cgroup"));
    }
}

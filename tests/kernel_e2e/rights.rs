//! What ebtop may do once it runs, what single capabilities give it, and whose files it writes.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use caps::Capability;
use rustix::fs::XattrFlags;
use serde_json::Value;

use crate::program::{Batch, EBTOP, list, ticks_of};
use crate::unprivileged::{NOBODY, public_copy};
use crate::workload::Workload;

/// `CapPrm` and `NoNewPrivs` of every thread of a process.
fn rights_of(pid: u32) -> Vec<(u64, bool)> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let rights = threads.map(|thread| {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        (u64::from_str_radix(field("CapPrm:"), 16).unwrap(), field("NoNewPrivs:") == "1")
    });
    rights.collect()
}

fn perf_event_paranoid() -> i32 {
    std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap().trim().parse().unwrap()
}

fn mask(capabilities: &[Capability]) -> u64 {
    capabilities.iter().map(Capability::bitmask).sum()
}

fn state<'a>(tick: &'a Value, domain: &str) -> &'a str {
    tick["health"][domain]["state"].as_str().unwrap()
}

#[test]
#[ignore = "root"]
fn rights_are_given_up_and_what_comes_later_still_works() {
    use Capability::*;
    // Page allocations are hooked only now that somebody wants them, after the rights went.
    let mut batch = Batch::start(&["-d", "0.2", "--fields", "pid,pgalloc", "--view", "memory"]);
    batch.read_until("a second tick", |batch| batch.ticks.len() > 1);
    let mut reading = mask(&[CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE, CAP_SYSLOG]);
    if perf_event_paranoid() > 2 {
        // Some of the kernels that have such a level want more than CAP_PERFMON for it.
        reading |= mask(&[CAP_SYS_ADMIN]);
    }
    let rights = rights_of(batch.pid());
    assert!(rights.len() > 2, "{rights:x?}");
    assert!(rights.iter().all(|(permitted, no_new)| permitted & !reading == 0 && *no_new), "{rights:x?}");
    assert!(rights.iter().any(|(permitted, _)| *permitted == 0), "the thread that writes needs none: {rights:x?}");
    let last = batch.ticks.last().unwrap();
    for domain in ["tasks", "net", "stacks", "mem"] {
        assert_eq!(state(last, domain), "live", "{}", last["health"]);
    }
    batch.stop();
}

/// `struct vfs_cap_data` of revision 2, with the effective bit.
fn file_capabilities(capabilities: &[Capability]) -> Vec<u8> {
    let mask = mask(capabilities);
    [0x0200_0001, mask as u32, 0, (mask >> 32) as u32, 0].into_iter().flat_map(u32::to_le_bytes).collect()
}

/// A run as nobody of a copy that has these capabilities.
fn run_with(capabilities: &[Capability], args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let ebtop = public_copy(dir.path());
    rustix::fs::setxattr(&ebtop, "security.capability", &file_capabilities(capabilities), XattrFlags::empty()).unwrap();
    Command::new(&ebtop).args(args).uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null()).output().unwrap()
}

#[test]
#[ignore = "root"]
fn file_capabilities_are_enough_for_an_ordinary_user() {
    use Capability::*;
    let output = run_with(&[CAP_BPF, CAP_PERFMON], &["-b", "-n", "2", "-d", "0.3", "-o", "json"]);
    let last = ticks_of(&output.stdout).pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    for domain in ["tasks", "net", "stacks"] {
        assert_eq!(state(&last, domain), "live", "perf_event_paranoid {} {}", perf_event_paranoid(), last["health"]);
    }
    assert!(list(&last, "processes").iter().any(|row| row["pid"] == std::process::id() && row["tx_bytes"].is_u64()));
    let all = [CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE, CAP_SYSLOG];
    let report = run_with(&all, &["check"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    for topic in ["rights", "other users' processes", "other users' files", "kernel symbols"] {
        assert!(report.contains(&format!("  works    {topic}")), "{report}");
    }
    // The functions of root's process have names, and those of the kernel.
    let load = Workload::start("hot", &["30"]);
    let output = run_with(&all, &["-b", "-n", "3", "-d", "0.5", "-o", "json", "--view", "stacks"]);
    let ticks = ticks_of(&output.stdout);
    let stacks = || ticks.iter().flat_map(|tick| list(tick, "stacks"));
    let names = |stack: &Value| list(stack, "frames").iter().filter_map(|frame| frame["name"].as_str()).collect::<Vec<_>>().join(" ");
    assert!(
        stacks().any(|stack| stack["pid"] == load.pid() && names(stack).contains("hot_")),
        "{:?}",
        stacks().map(names).collect::<Vec<_>>()
    );
    assert!(stacks().any(|stack| names(stack).contains("do_syscall") || names(stack).contains("invoke_syscall")), "no kernel names");
}

fn record_under_sudo(file: &Path) -> Output {
    let args = ["record", "-n", "1", "-d", "0.1", "-o", file.to_str().unwrap()];
    Command::new(EBTOP).args(args).env("SUDO_UID", "1234").env("SUDO_GID", "2345").stdin(Stdio::null()).output().unwrap()
}

#[test]
#[ignore = "root"]
fn under_sudo_files_are_made_as_the_user_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let refused = record_under_sudo(&dir.path().join("roots"));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && error.contains("user 1234, as whom files are made under sudo, may not write there"), "{error}");
    chown(dir.path(), Some(1234), Some(1234)).unwrap();
    let file = dir.path().join("theirs");
    let made = record_under_sudo(&file);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let facts = std::fs::metadata(&file).unwrap();
    assert_eq!((facts.uid(), facts.gid(), facts.mode() & 0o777), (1234, 2345, 0o600));
}

//! What a kernel refuses for real is put down to its true cause, by `ebtop check` and by its output: seccomp, locked memory.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{EBTOP, list, ticks_of};

/// `CAP_SYS_RESOURCE` of `linux/capability.h`.
const CAP_SYS_RESOURCE: libc::c_ulong = 24;

/// `ebtop check --json` and the last of two samples, of a program that `prepare` changes before it begins.
pub fn check_and_sample(prepare: impl Fn(&mut Command)) -> (Value, Value) {
    let run = |args: &[&str]| -> Output {
        let mut command = Command::new(EBTOP);
        prepare(command.args(args).stdin(Stdio::null()));
        command.output().unwrap()
    };
    let (check, batch) = (run(&["check", "--json"]), run(&["-b", "-n", "2", "-d", "0.3", "-o", "json"]));
    let last = ticks_of(&batch.stdout).pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&batch.stderr)));
    (serde_json::from_slice(&check.stdout).unwrap(), last)
}

pub fn finding<'a>(check: &'a Value, topic: &str) -> (&'a str, &'a str, &'a str) {
    let finding = list(check, "findings").iter().find(|finding| finding["topic"] == topic).unwrap_or_else(|| panic!("{topic}: {check}"));
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    (text("verdict"), text("cause"), text("fix"))
}

pub fn reason<'a>(tick: &'a Value, domain: &str) -> &'a str {
    tick["health"][domain]["reason"].as_str().unwrap_or_default()
}

/// Has a system call answer with that error, as a container's profile does. Without `no_new_privs`, as root may.
fn forbid(command: &mut Command, call: libc::c_long, errno: libc::c_int) {
    let filter = move || {
        let ret = (libc::BPF_RET | libc::BPF_K) as u16;
        let statement = |code: u16, k: u32| libc::sock_filter { code, jt: 0, jf: 0, k };
        let mut program = [
            // The number of the call is the first word of `struct seccomp_data`.
            statement((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, 0),
            libc::sock_filter { code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, jt: 0, jf: 1, k: call as u32 },
            statement(ret, libc::SECCOMP_RET_ERRNO | errno as u32),
            statement(ret, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: the program lives through the call, which copies it.
        match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { command.pre_exec(filter) };
}

#[test]
#[ignore = "root"]
fn a_filter_of_bpf_is_named_whatever_it_answers() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let (check, tick) = check_and_sample(|command| forbid(command, libc::SYS_bpf, errno));
        let (verdict, cause, _) = finding(&check, "bpf system call");
        assert!(verdict == "refused" && cause.starts_with("a seccomp filter"), "{errno}: {cause}");
        assert!(reason(&tick, "net").starts_with("a seccomp filter of this container or service refuses bpf()"), "{}", tick["health"]);
    }
}

#[test]
#[ignore = "root"]
fn a_filter_of_perf_events_is_named_whatever_it_answers() {
    for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
        let (check, tick) = check_and_sample(|command| forbid(command, libc::SYS_perf_event_open, errno));
        let (verdict, cause, _) = finding(&check, "perf events");
        assert!(verdict == "refused" && cause.contains("seccomp") && !cause.contains("paranoid"), "{errno}: {cause}");
        let stacks = reason(&tick, "stacks");
        assert!(stacks.starts_with("a seccomp filter") && !stacks.contains("paranoid"), "{errno}: {stacks}");
        assert_eq!((finding(&check, "bpf system call").0, &tick["health"]["tasks"]["state"]), ("works", &Value::from("live")));
        let tick_hook = list(&check, "hooks").iter().find(|hook| hook["program"] == "stacks_tick").unwrap();
        assert!(tick_hook["cause"].as_str().unwrap().contains("seccomp"), "{tick_hook}");
    }
}

/// Before Linux 5.11 maps are charged to the limit of locked memory; later nothing is lacking.
#[test]
#[ignore = "root"]
fn little_locked_memory_is_named_where_it_matters() {
    let (check, tick) = check_and_sample(|command| {
        let limit = || {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: plain numbers, and a limit that lives through the call.
            let results = unsafe { [libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE), libc::setrlimit(libc::RLIMIT_MEMLOCK, &none)] };
            if results == [0; 2] { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: between fork and exec it makes two system calls and allocates nothing.
        unsafe { command.pre_exec(limit) };
    });
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let (verdict, cause, fix) = finding(&check, "locked memory");
    if release.starts_with("5.10.") {
        assert!(verdict == "refused" && cause.ends_with("which is 0 KiB") && fix.contains("ulimit -l unlimited"), "{cause} {fix}");
        assert!(reason(&tick, "net").contains("limit of locked memory"), "{}", tick["health"]);
    } else {
        assert_eq!((verdict, &tick["health"]["tasks"]["state"]), ("works", &Value::from("live")), "{cause}");
    }
}

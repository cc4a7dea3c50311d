//! What a kernel refuses for real is put down to its true cause, by `ebtop check` and by its output: seccomp, locked memory.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{EBTOP, list, ticks_of};

/// `CAP_SYS_RESOURCE` of `linux/capability.h`.
const CAP_SYS_RESOURCE: libc::c_ulong = 24;

/// A run of a program that `prepare` changes before it begins.
fn run(prepare: &dyn Fn(&mut Command), args: &[&str]) -> Output {
    let mut command = Command::new(EBTOP);
    prepare(command.args(args).stdin(Stdio::null()));
    command.output().unwrap()
}

/// `ebtop check --json`. An emulated machine is slow at it.
pub fn check(prepare: &dyn Fn(&mut Command)) -> Value {
    serde_json::from_slice(&run(prepare, &["check", "--json"]).stdout).unwrap()
}

/// The last of two samples.
pub fn sample(prepare: &dyn Fn(&mut Command)) -> Value {
    let output = run(prepare, &["-b", "-n", "2", "-d", "0.3", "-o", "json"]);
    ticks_of(&output.stdout).pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// What filters answer: all that they do or, where time is short, the least telling.
fn answers() -> &'static [libc::c_int] {
    if std::env::var_os("EBTOP_GUEST").is_some() { &[libc::ENOSYS] } else { &[libc::ENOSYS, libc::EPERM, libc::EACCES] }
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
    for &errno in answers() {
        let prepare = |command: &mut Command| forbid(command, libc::SYS_bpf, errno);
        let (check, tick) = (check(&prepare), sample(&prepare));
        let (verdict, cause, _) = finding(&check, "bpf system call");
        assert!(verdict == "refused" && cause.starts_with("a seccomp filter"), "{errno}: {cause}");
        assert!(reason(&tick, "net").starts_with("a seccomp filter of this container or service refuses bpf()"), "{}", tick["health"]);
    }
}

#[test]
#[ignore = "root"]
fn a_filter_of_perf_events_is_named_whatever_it_answers() {
    for &errno in answers() {
        let prepare = |command: &mut Command| forbid(command, libc::SYS_perf_event_open, errno);
        let (check, tick) = (check(&prepare), sample(&prepare));
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
    let prepare = |command: &mut Command| {
        let limit = || {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: plain numbers, and a limit that lives through the call.
            let results = unsafe { [libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE), libc::setrlimit(libc::RLIMIT_MEMLOCK, &none)] };
            if results == [0; 2] { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
        // SAFETY: between fork and exec it makes two system calls and allocates nothing.
        unsafe { command.pre_exec(limit) };
    };
    let tick = sample(&prepare);
    if !std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap().starts_with("5.10.") {
        assert_eq!(tick["health"]["tasks"]["state"], "live", "{}", tick["health"]);
        return;
    }
    assert!(reason(&tick, "net").contains("limit of locked memory"), "{}", tick["health"]);
    let check = check(&prepare);
    let (verdict, cause, fix) = finding(&check, "locked memory");
    assert!(verdict == "refused" && cause.ends_with("which is 0 KiB") && fix.contains("ulimit -l unlimited"), "{cause} {fix}");
}

//! A process that sleeps cannot change itself, but others change it: that must be seen too, though it is not read in full.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ebtop::sample::Counter;
use rustix::process::Pid;

use super::{Watch, Workload, get, rungs};

/// What the workload shares in memory.
const SHARED_BYTES: u64 = 16 << 20;

#[test]
#[ignore = "root"]
fn what_others_change_of_a_sleeper_is_seen() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("others.bin");
        let mut load = Workload::start(&["faults", "64", file.to_str().unwrap()]);
        load.truth();
        let pid = load.pid();
        let before = watch.asleep(pid);
        assert!(before.memory.unwrap().shmem_bytes >= SHARED_BYTES);

        rustix::process::setpriority_process(Pid::from_raw(pid as i32), 7).unwrap();
        take_shared_memory(pid);
        watch.read_until("another nice value", |w| w.task(pid).is_some_and(|t| t.nice == 7));
        watch.read_until("the memory to go", |w| w.task(pid).unwrap().memory.unwrap().shmem_bytes == 0);
        let after = *watch.task(pid).unwrap();
        assert_eq!(after.memory.unwrap().anon_bytes, before.memory.unwrap().anon_bytes);
        assert_eq!(get(&after, Counter::CpuNs), get(&before, Counter::CpuNs), "it did not run");
        load.end();
        watch.exit(pid);
    }
}

#[test]
#[ignore = "root"]
fn a_sleeper_that_lost_its_parent_has_another() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut shell = Command::new("/bin/sh")
            .args(["-c", "sleep 600 & echo $!; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let orphan: u32 = line.trim().parse().unwrap();
        assert_eq!(watch.asleep(orphan).ppid, shell.id());
        drop(shell.stdin.take());
        shell.wait().unwrap();
        watch.read_until("another parent", |w| w.task(orphan).is_some_and(|t| t.ppid != shell.id()));
        rustix::process::kill_process(Pid::from_raw(orphan as i32).unwrap(), rustix::process::Signal::KILL).unwrap();
        watch.exit(orphan);
    }
}

/// Cuts what the process shares in memory to nothing, from outside.
fn take_shared_memory(pid: u32) {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let size = |range: &str| {
        let (from, to) = range.split_once('-').unwrap();
        u64::from_str_radix(to, 16).unwrap() - u64::from_str_radix(from, 16).unwrap()
    };
    let shared = |line: &&str| line.contains(" rw-s ") && size(line.split(' ').next().unwrap()) == SHARED_BYTES;
    let range = maps.lines().find(shared).unwrap().split(' ').next().unwrap();
    fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/map_files/{range}")).unwrap().set_len(0).unwrap();
}

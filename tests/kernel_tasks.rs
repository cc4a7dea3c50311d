//! The tasks domain against truth that the tests make themselves, on every way of walking the task list.
//! Needs root: `cargo test --test kernel_tasks -- --ignored --test-threads=1`.

#[path = "kernel_tasks/burst.rs"]
mod burst;
#[path = "kernel_tasks/children.rs"]
mod children;
#[path = "kernel_tasks/others.rs"]
mod others;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use ebtop::collect::tasks::{Rung, TaskReading, Tasks};
use ebtop::sample::{Counter, Counters, Exit, Health, ProcKey, Task};

/// The ways of walking that this kernel must have, best first.
fn rungs() -> &'static [Rung] {
    static HAS_OPEN_CODED: LazyLock<bool> =
        LazyLock::new(|| fs::read("/sys/kernel/btf/vmlinux").unwrap().windows(19).any(|name| name == b"\0bpf_iter_task_new\0"));
    if *HAS_OPEN_CODED { &[Rung::OpenCoded, Rung::Iterator] } else { &[Rung::Iterator] }
}

/// The workload program, compiled once.
fn workload() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workloads/tasks.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workload-tasks");
        let built = Command::new("cc").args(["-O2", "-Wall", "-Werror", "-pthread", "-o"]).arg(&program).arg(source).status().unwrap();
        assert!(built.success(), "cc failed");
        program
    })
}

/// What getrusage said.
#[derive(Debug)]
struct Truth {
    cpu_ns: u64,
    minor: u64,
    major: u64,
    voluntary: u64,
    involuntary: u64,
}

/// A running workload that waits, after its report, to be let go.
struct Workload {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Workload {
    fn start(args: &[&str]) -> Workload {
        let mut child = Command::new(workload()).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Workload { child, output }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn truth(&mut self) -> Truth {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.clear();
        self.output.read_line(&mut line).unwrap();
        let n: Vec<u64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
        Truth { cpu_ns: n[0], minor: n[1], major: n[2], voluntary: n[3], involuntary: n[4] }
    }

    fn has_reported(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut [PollFd::new(self.output.get_ref(), PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    fn go_on(&mut self) {
        self.child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
    }

    /// Lets it end; gives what wait4 says of it.
    fn end(mut self) -> libc::rusage {
        self.go_on();
        wait_for(&self.child)
    }
}

fn wait_for(child: &Child) -> libc::rusage {
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: both out-pointers are valid for the call.
    let pid = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    assert_eq!(pid, child.id() as i32);
    usage
}

/// Readings merged over time, as a screen would see them.
struct Watch {
    tasks: Tasks,
    exits: Vec<Exit>,
    exited: BTreeSet<ProcKey>,
    last: Vec<Task>,
    seen_totals: BTreeMap<ProcKey, Counters>,
}

impl Watch {
    fn on(rung: Rung) -> Watch {
        let tasks = Tasks::open_with(&[rung]).unwrap();
        assert_eq!(tasks.status().health, Health::Live);
        let mut watch = Watch { tasks, exits: Vec::new(), exited: BTreeSet::new(), last: Vec::new(), seen_totals: BTreeMap::new() };
        watch.read();
        watch
    }

    /// Takes a reading and checks what must hold of every one of them.
    fn read(&mut self) {
        let TaskReading { tasks, exits, .. } = self.tasks.read();
        assert!(tasks.is_sorted_by(|a, b| a.key < b.key), "ascending, each key once");
        for task in tasks.iter().chain(exits.iter().map(|e| &e.task)) {
            if let Some(before) = self.seen_totals.insert(task.key, task.counters) {
                for counter in Counter::ALL {
                    assert!(task.counters.get(counter) >= before.get(counter), "{counter:?} of {task:?} ran backwards");
                }
            }
        }
        for exit in &exits {
            let key = exit.task.key;
            assert!(tasks.binary_search_by_key(&key, |t| t.key).is_err(), "{key:?} is both alive and gone");
            assert!(self.exited.insert(key), "{key:?} exited twice");
        }
        self.exits.extend(exits);
        assert!(tasks.iter().all(|t| !self.exited.contains(&t.key)), "back from the dead");
        self.tasks.remember(tasks.clone().into());
        self.last = tasks;
    }

    /// Lets time pass as the collector does: takes last words out of the ring when it asks for it. Says how often it did.
    fn pause(&mut self, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut woken = 0;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let limit = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            let fd = self.tasks.wake_fd();
            if rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 0 {
                return woken;
            }
            self.tasks.drain();
            woken += 1;
        }
    }

    fn read_until(&mut self, what: &str, mut done: impl FnMut(&Watch) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            self.pause(Duration::from_millis(20));
            self.read();
        }
    }

    /// Reads until no child of `parent` was left for a while: a program that is preempted while it writes holds up the ring.
    fn settle(&mut self, parent: u32) {
        let mut quiet = Instant::now();
        self.read();
        self.read_until("the last child", |w| {
            if w.last.iter().any(|t| t.ppid == parent) {
                quiet = Instant::now();
            }
            quiet.elapsed() > Duration::from_millis(500)
        });
    }

    fn task(&self, pid: u32) -> Option<&Task> {
        self.last.iter().find(|t| t.key.pid == pid)
    }

    /// The process, once it sleeps.
    fn asleep(&mut self, pid: u32) -> Task {
        self.read();
        self.read_until("sleep", |w| w.task(pid).is_some_and(|t| t.state == b'S'));
        *self.task(pid).unwrap()
    }

    fn exit(&mut self, pid: u32) -> Exit {
        self.read_until("exit", |w| w.exits.iter().any(|e| e.task.key.pid == pid));
        *self.exits.iter().find(|e| e.task.key.pid == pid).unwrap()
    }

    fn exits_of(&self, parent: u32) -> impl Iterator<Item = &Exit> {
        self.exits.iter().filter(move |e| e.task.ppid == parent)
    }
}

fn get(task: &Task, counter: Counter) -> u64 {
    task.counters.get(counter).unwrap()
}

fn assert_within(what: &str, value: u64, truth: u64, percent: f64) {
    let share = 100.0 * value as f64 / truth as f64;
    eprintln!("{what}: {value} of {truth} = {share:.2} %");
    assert!((share - 100.0).abs() <= percent, "{what}: {value} is {share:.2} % of {truth}");
}

#[test]
#[ignore = "root"]
fn short_lived_processes_lose_no_cpu() {
    for &rung in rungs() {
        for ms in ["100", "20", "5", "1"] {
            let mut watch = Watch::on(rung);
            let mut load = Workload::start(&["children", ms, "3"]);
            let ticks = Instant::now();
            while ticks.elapsed() < Duration::from_millis(3200) {
                watch.pause(Duration::from_millis(333));
                watch.read();
            }
            let truth = load.truth();
            watch.settle(load.pid());
            let seen: u64 = watch.exits_of(load.pid()).map(|e| get(&e.task, Counter::CpuNs)).sum();
            assert_within(&format!("{rung:?}, {ms} ms each"), seen, truth.cpu_ns, 1.0);
            let minor: u64 = watch.exits_of(load.pid()).map(|e| get(&e.task, Counter::MinorFaults)).sum();
            assert_eq!(minor, truth.minor);
            assert_eq!(watch.tasks.status().lost, 0);
            load.end();
        }
    }
}

#[test]
#[ignore = "root"]
fn threads_that_come_and_go_are_the_process() {
    for &rung in rungs() {
        for ms in ["20", "1"] {
            let mut watch = Watch::on(rung);
            let mut load = Workload::start(&["threads", ms, "2"]);
            for _ in 0..8 {
                watch.pause(Duration::from_millis(200));
                watch.read();
            }
            let truth = load.truth();
            let task = watch.asleep(load.pid());
            assert_within(&format!("{rung:?}, threads of {ms} ms"), get(&task, Counter::CpuNs), truth.cpu_ns, 1.0);
            assert_eq!(get(&task, Counter::MinorFaults), truth.minor);
            assert_eq!(get(&task, Counter::UserNs) + get(&task, Counter::SystemNs), get(&task, Counter::CpuNs));
            load.end();
        }
    }
}

#[test]
#[ignore = "root"]
fn faults_and_memory_are_exact_alive_and_after() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.bin");
        let mut load = Workload::start(&["faults", "64", file.to_str().unwrap()]);
        let (pid, truth) = (load.pid(), load.truth());
        let task = watch.asleep(pid);
        assert_eq!((get(&task, Counter::MinorFaults), get(&task, Counter::MajorFaults)), (truth.minor, truth.major));
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        assert_within("rss", task.memory.unwrap().rss_bytes(), kib(&rollup, "Rss:") * 1024, 2.0);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        assert_eq!(task.memory.unwrap().vm_bytes, kib(&status, "VmSize:") * 1024);
        assert_within("shmem", task.memory.unwrap().shmem_bytes, 16 << 20, 2.0);

        let usage = load.end();
        let exit = watch.exit(pid);
        assert_eq!(get(&exit.task, Counter::MinorFaults), usage.ru_minflt as u64);
        assert_eq!(get(&exit.task, Counter::MajorFaults), usage.ru_majflt as u64);
        assert_eq!(exit.peak_rss_bytes, Some(usage.ru_maxrss as u64 * 1024));
        if let Some(memory) = exit.task.memory {
            assert_within("rss at exit", memory.rss_bytes(), kib(&rollup, "Rss:") * 1024, 2.0);
        }
    }
}

/// A value of a `Name:  123 kB` line.
fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find(|l| l.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// From 6.2 the kernel keeps such small numbers in per-CPU batches.
#[test]
#[ignore = "root"]
fn small_memory_is_not_lost_in_batches() {
    let mut watch = Watch::on(rungs()[0]);
    let mut load = Workload::start(&["report"]);
    load.truth();
    let task = watch.asleep(load.pid());
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", load.pid())).unwrap();
    assert_within("anonymous memory", task.memory.unwrap().anon_bytes, kib(&rollup, "Anonymous:") * 1024, 2.0);
    assert_within("rss", task.memory.unwrap().rss_bytes(), kib(&rollup, "Rss:") * 1024, 2.0);
    load.end();
}

#[test]
#[ignore = "root"]
fn switches_match_getrusage() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut load = Workload::start(&["switches"]);
        let truth = load.truth();
        let task = watch.asleep(load.pid());
        // Going to sleep after the report is one more.
        assert_eq!(get(&task, Counter::VoluntarySwitches), truth.voluntary + 1);
        assert!((truth.involuntary..=truth.involuntary + 2).contains(&get(&task, Counter::InvoluntarySwitches)));
        assert!(truth.voluntary >= 200);
        load.end();
    }
}

#[test]
#[ignore = "root"]
fn exit_codes_and_signals() {
    let mut watch = Watch::on(rungs()[0]);
    for (args, code, signal) in
        [(["exit", "0"], 0, 0), (["exit", "7"], 7, 0), (["exit", "255"], 255, 0), (["signal", "9"], 0, 9), (["signal", "15"], 0, 15)]
    {
        let load = Workload::start(&args);
        let pid = load.pid();
        wait_for(&load.child);
        let exit = watch.exit(pid);
        assert_eq!((exit.code, exit.signal, exit.task.ppid), (code, signal, std::process::id()), "{args:?}");
        assert_eq!(exit.task.comm.bytes(), b"workload-tasks");
    }
}

#[test]
#[ignore = "root"]
fn exec_from_another_thread_keeps_key_and_totals() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut load = Workload::start(&["exec"]);
        let pid = load.pid();
        load.truth();
        let before = watch.asleep(pid);
        load.go_on();
        let truth = load.truth();
        let after = watch.asleep(pid);
        assert_eq!(before.key, after.key);
        assert_ne!(before.exec_id, after.exec_id);
        assert_within("CPU over exec", get(&after, Counter::CpuNs), truth.cpu_ns, 1.0);
        assert_eq!(get(&after, Counter::MinorFaults), truth.minor);
        assert!(!watch.exits.iter().any(|e| e.task.key == before.key), "exec is no exit");
        let usage = load.end();
        let exit = watch.exit(pid);
        assert_eq!((exit.task.key, exit.code, exit.signal), (before.key, 0, 0));
        assert_eq!(get(&exit.task, Counter::MinorFaults), usage.ru_minflt as u64);
    }
}

#[test]
#[ignore = "root"]
fn a_process_outlives_its_leader() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut load = Workload::start(&["leader"]);
        let (pid, truth) = (load.pid(), load.truth());
        let task = watch.asleep(pid);
        assert_eq!(task.threads, 2);
        let rollup = fs::read_to_string(format!("/proc/{pid}/task/{}/smaps_rollup", tasks_of(pid)[1])).unwrap();
        // So small a process stands in the per-CPU batches almost whole, and only the open-coded walk adds them.
        if rung == Rung::OpenCoded {
            assert_within("rss", task.memory.unwrap().rss_bytes(), kib(&rollup, "Rss:") * 1024, 2.0);
        } else {
            assert!(task.memory.is_some());
        }
        assert_within("CPU", get(&task, Counter::CpuNs), truth.cpu_ns, 1.0);
        load.end();
        assert_eq!(watch.exit(pid).code, 3);
    }
}

fn tasks_of(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut tids: Vec<u32> = entries.map(|e| e.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    tids.sort();
    tids
}

#[test]
#[ignore = "root"]
fn a_fork_storm_loses_nothing_and_leaves_nothing() {
    for &rung in rungs() {
        let mut watch = Watch::on(rung);
        let mut load = Workload::start(&["storm", "6000"]);
        // Read as rarely as a slow terminal makes ebtop; the ring asks for attention in between.
        let mut woken = 0;
        while !load.has_reported() {
            woken += watch.pause(Duration::from_secs(2));
        }
        load.truth();
        watch.settle(load.pid());
        let exits: Vec<&Exit> = watch.exits_of(load.pid()).collect();
        assert_eq!(exits.len(), 6000, "{rung:?}");
        assert!((0..6000).all(|i| exits.iter().filter(|e| e.code == (i & 0xff) as u8).count() >= 6000 / 256));
        assert_eq!(watch.tasks.status().lost, 0);
        eprintln!("{rung:?}: woken {woken} times");
        load.end();
    }
}

/// On-CPU time of the calling thread, ns.
fn own_thread_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[test]
#[ignore = "needs root"]
fn each_thread_has_its_own_cpu_time() {
    for rung in rungs() {
        let mut tasks = Tasks::open_with(&[*rung]).unwrap();
        assert_eq!(tasks.read().threads, [], "nobody asked");
        tasks.want_threads(true);
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let burner = std::thread::spawn(move || {
            let end = Instant::now() + Duration::from_millis(150);
            while Instant::now() < end {}
            tell.send((rustix::thread::gettid().as_raw_nonzero().get() as u32, own_thread_ns())).unwrap();
            // Asleep from here on.
            let _ = stopped.recv();
        });
        let (tid, before) = told.recv().unwrap();
        let reading = tasks.read();
        let thread = reading.threads.iter().find(|t| t.tid == tid).unwrap();
        let seen = thread.counters.get(Counter::CpuNs).unwrap();
        assert!(seen >= before && seen < before + 20_000_000, "{rung:?}: {before} {seen}");
        let task = reading.tasks.iter().find(|t| t.key == thread.key).unwrap();
        let others: u64 = reading.threads.iter().filter(|t| t.key == task.key).filter_map(|t| t.counters.get(Counter::CpuNs)).sum();
        assert_eq!(task.key.pid, std::process::id());
        assert!(others <= task.counters.get(Counter::CpuNs).unwrap());
        assert!(reading.threads.is_sorted_by_key(|t| (t.key, t.tid)) && reading.threads.iter().all(|t| t.tid != t.key.pid));
        drop(stop);
        burner.join().unwrap();
    }
}

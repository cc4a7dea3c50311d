//! Stacks by costly probes against a program that measured itself. Root; one thread, as they count what the kernel holds.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ebtop::collect::choice::Choice;
use ebtop::collect::watch::Watcher;
use ebtop::sample::{Health, Origin, Probe, ProcKey, StackCount, Task, Waker, Watch, Watched, Weight};
use ebtop::symbols::{Request, spawn};

/// A running `waits`.
struct Waits {
    child: Child,
    replies: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _dir: tempfile::TempDir,
}

impl Waits {
    fn start(what: &str) -> Waits {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("waits");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/waits.c");
        let mut flags = vec!["-O1", "-fno-omit-frame-pointer", "-fno-inline", "-pthread"];
        if cfg!(target_arch = "x86_64") {
            flags.push("-mno-omit-leaf-frame-pointer");
        }
        assert!(Command::new("cc").args(flags).arg(source).arg("-o").arg(&program).status().unwrap().success());
        let mut child = Command::new(program).arg(what).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap()).lines();
        Waits { child, replies, _dir: dir }
    }

    fn key(&self) -> ProcKey {
        ProcKey { pid: self.child.id(), start_ns: start_ns(self.child.id()) }
    }

    fn go(&self) {
        writeln!(self.child.stdin.as_ref().unwrap()).unwrap();
    }

    /// What it measured, by function.
    fn truth(&mut self, lines: usize) -> HashMap<String, f64> {
        let line = |line: std::io::Result<String>| {
            let line = line.unwrap();
            let (name, value) = line.split_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        self.replies.by_ref().take(lines).map(line).collect()
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// As exact as the kernel knows it, since the symbol thread compares ticks only.
fn start_ns(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    ticks * 10_000_000
}

fn watch(probe: Probe, who: Watched) -> Watcher {
    watch_by("", probe, who)
}

/// By the rung that `EBTOP_FORCE` would name.
fn watch_by(force: &str, probe: Probe, who: Watched) -> Watcher {
    let mut watcher = Watcher::new(Choice::default().force(force).unwrap());
    assert_eq!(watcher.status().health, Health::Standby);
    watcher.want(Some(Watch { probe, who }), None);
    assert_eq!(watcher.status().health, Health::Live, "{:?}", watcher.status());
    watcher
}

fn alive(keys: &[ProcKey]) -> Vec<Task> {
    keys.iter().map(|&key| Task { key, ..Task::default() }).collect()
}

/// Reads every 100 ms until the program has told what it measured.
fn run(watcher: &mut Watcher, waits: &mut Waits, lines: usize) -> (HashMap<String, f64>, Vec<StackCount>) {
    let tasks = alive(&[waits.key()]);
    waits.go();
    std::thread::scope(|scope| {
        let truth = scope.spawn(|| waits.truth(lines));
        let mut counts = Vec::new();
        while !truth.is_finished() {
            std::thread::sleep(Duration::from_millis(100));
            counts.extend(watcher.read(&tasks));
        }
        counts.extend(watcher.read(&tasks));
        assert_eq!(watcher.status().lost, 0);
        (truth.join().unwrap(), counts)
    })
}

/// Addresses in that function, among these of a process.
fn places(user: Vec<u64>, key: ProcKey, function: &str) -> Vec<u64> {
    let (requests, answers) = spawn(Origin::Here);
    requests.send(Request { key, user, ..Request::default() }).unwrap();
    let named = answers.recv().unwrap().user;
    let is_it = |frames: &[ebtop::symbols::Frame]| frames.iter().any(|f| f.function.as_deref() == Some(function));
    named.iter().filter(|(_, frames)| is_it(frames)).map(|(address, _)| *address).collect()
}

/// Value and events by weight of all stacks with that function.
fn sums(counts: &[StackCount], key: ProcKey, function: &str) -> HashMap<Weight, (f64, u32)> {
    let places = places(counts.iter().flat_map(|c| c.user.iter().copied()).collect(), key, function);
    let mut sums: HashMap<Weight, (f64, u32)> = HashMap::new();
    for count in counts.iter().filter(|c| c.user.iter().any(|a| places.contains(a))) {
        let sum = sums.entry(count.weight).or_default();
        *sum = (sum.0 + count.value as f64, sum.1 + count.count);
    }
    sums
}

fn assert_within(what: &str, seen: f64, truth: f64, percent: f64) {
    let share = 100.0 * seen / truth;
    println!("{what}: {seen} of {truth} = {share:.3} %");
    assert!((share - 100.0).abs() <= percent, "{what}: {seen} is {share:.3} % of {truth}");
}

#[test]
#[ignore = "root"]
fn time_off_the_cpu_adds_up_by_reason() {
    for force in ["offcpu=told", "offcpu=read"] {
        time_adds_up(force);
    }
}

fn time_adds_up(force: &str) {
    let mut waits = Waits::start("off");
    let key = waits.key();
    let mut watcher = watch_by(force, Probe::OffCpu, Watched::One(key));
    let (truth, counts) = run(&mut watcher, &mut waits, 4);
    for (function, weight) in
        [("wait_sleep", Weight::Sleeping), ("wait_read", Weight::Sleeping), ("wait_clone", Weight::Blocked), ("wait_cpu", Weight::Runnable)]
    {
        let sums = sums(&counts, key, function);
        println!("{force} {function}: {sums:?}");
        let all: f64 = sums.values().map(|(ns, _)| ns).sum();
        assert_within(function, all, truth[function], 2.0);
        let of_weight = sums[&weight].0;
        let runnable = sums.get(&Weight::Runnable).map_or(0.0, |(ns, _)| *ns);
        // The parent of a vfork may find its child not quite gone, and wait for that too.
        assert!(of_weight + runnable > 0.95 * all, "{function}: {sums:?}");
        if function == "wait_sleep" {
            assert_eq!(sums[&weight].1, 200, "each wait is one event");
        }
    }
}

/// By another process and by another thread: each wait is over by its waker, in the function that woke.
#[test]
#[ignore = "root"]
fn waits_are_told_by_who_ended_them() {
    let mut waits = Waits::start("wakers");
    let key = waits.key();
    let mut watcher = watch(Probe::OffCpu, Watched::One(key));
    let (truth, counts) = run(&mut watcher, &mut waits, 4);
    for (wait, by, comm, wake) in
        [("wait_pipe", "pipe_waker", "pipe-waker", "wake_pipe"), ("wait_futex", "futex_waker", "futex-waker", "wake_futex")]
    {
        let there = places(counts.iter().flat_map(|c| c.user.iter().copied()).collect(), key, wait);
        let of_wait: Vec<&StackCount> =
            counts.iter().filter(|c| c.weight == Weight::Sleeping && c.user.iter().any(|a| there.contains(a))).collect();
        let wakers: Vec<(&Waker, u32)> = of_wait.iter().filter_map(|c| Some((&**c.waker.as_ref()?, c.count))).collect();
        let right: Vec<(&Waker, u32)> = wakers.iter().copied().filter(|(w, _)| f64::from(w.tid) == truth[by]).collect();
        let woken: u32 = right.iter().map(|(_, count)| count).sum();
        let others: Vec<_> = wakers.iter().filter(|(w, _)| f64::from(w.tid) != truth[by]).collect();
        println!("{wait}: {woken} of {} waits over by {comm}, {} waits seen; others: {others:?}", truth[wait], of_wait.len());
        assert!((f64::from(woken) - truth[wait]).abs() <= 0.02 * truth[wait], "{wait}: {woken} of {}", truth[wait]);
        assert!(right.iter().all(|(w, _)| w.comm.to_string() == comm && !w.interrupt), "{right:?}");
        let (waker, _) = right[0];
        let addresses = right.iter().flat_map(|(w, _)| w.user.iter().copied()).collect();
        let there = places(addresses, ProcKey { pid: waker.key.pid, start_ns: start_ns(waker.key.pid) }, wake);
        let named: u32 = right.iter().filter(|(w, _)| w.user.iter().any(|a| there.contains(a))).map(|(_, count)| count).sum();
        assert!(named * 100 >= woken * 95, "{wait}: {named} of {woken} have {wake} in the waker's stack");
        assert!(right.iter().all(|(w, _)| !w.kernel.is_empty()));
    }
}

/// A timer wakes: whoever ran at that moment is not to blame.
#[test]
#[ignore = "root"]
fn timers_are_interrupts_and_not_who_ran_meanwhile() {
    let mut waits = Waits::start("off");
    let key = waits.key();
    let mut watcher = watch(Probe::OffCpu, Watched::One(key));
    // Two that burn: else the timer would meet nobody.
    let mut burners: Vec<Child> = (0..2).map(|_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap()).collect();
    let (_, counts) = run(&mut watcher, &mut waits, 4);
    burners.iter_mut().for_each(|burner| drop(burner.kill().and_then(|()| burner.wait())));
    let there = places(counts.iter().flat_map(|c| c.user.iter().copied()).collect(), key, "wait_sleep");
    let slept = || counts.iter().filter(|c| c.weight == Weight::Sleeping && c.count > 0 && c.user.iter().any(|a| there.contains(a)));
    let count = |right: &dyn Fn(&StackCount) -> bool| slept().filter(|c| right(c)).map(|c| c.count).sum::<u32>();
    let by_interrupt = count(&|c| c.waker.as_ref().is_some_and(|w| w.interrupt || w.key.pid == 0));
    let by_burner = count(&|c| c.waker.as_ref().is_some_and(|w| !w.interrupt && burners.iter().any(|b| b.id() == w.key.pid)));
    println!("{by_interrupt} of 200 by an interrupt, {by_burner} by a burner");
    assert!(by_interrupt >= 196 && by_burner == 0, "{by_interrupt}, {by_burner}");
}

#[test]
#[ignore = "root"]
fn faults_are_those_of_getrusage() {
    let mut waits = Waits::start("faults");
    let key = waits.key();
    let mut watcher = watch(Probe::Faults, Watched::One(key));
    let (truth, counts) = run(&mut watcher, &mut waits, 1);
    let sums = sums(&counts, key, "touch");
    let all: f64 = sums.values().map(|(n, _)| n).sum();
    println!("{sums:?} of {truth:?}");
    assert_eq!(all, truth["touch"]);
}

#[test]
#[ignore = "root"]
fn allocations_are_the_pages_touched() {
    let mut waits = Waits::start("faults");
    let key = waits.key();
    let mut watcher = watch(Probe::Allocs, Watched::One(key));
    let (_, counts) = run(&mut watcher, &mut waits, 1);
    // 5000 pages, and a page table for each 512.
    let bytes = sums(&counts, key, "touch")[&Weight::Alloc].0;
    assert_within("bytes", bytes, 5010.0 * 4096.0, 1.0);
}

#[test]
#[ignore = "root"]
fn bytes_moved_are_those_the_calls_returned() {
    let mut waits = Waits::start("net");
    let key = waits.key();
    let mut watcher = watch(Probe::Net, Watched::One(key));
    let (truth, counts) = run(&mut watcher, &mut waits, 2);
    assert_eq!(sums(&counts, key, "net_send")[&Weight::Sent].0, truth["net_send"]);
    assert_eq!(sums(&counts, key, "net_receive")[&Weight::Received].0, truth["net_receive"]);
}

#[test]
#[ignore = "root"]
fn a_family_holds_the_children_of_children() {
    let mut waits = Waits::start("family");
    let key = waits.key();
    let mut watcher = watch(Probe::OffCpu, Watched::Family([key].into()));
    let (truth, counts) = run(&mut watcher, &mut waits, 1);
    let theirs = sums(&counts, key, "wait_sleep");
    let all: f64 = theirs.values().map(|(ns, _)| ns).sum();
    assert!(counts.iter().any(|c| c.key.pid != key.pid), "children are among them");
    assert_within("slept by grandchildren", all, truth["wait_sleep"], 2.0);
}

#[test]
#[ignore = "root"]
fn others_are_not_seen_unless_everyone_is_watched() {
    let mut waits = Waits::start("off");
    let key = waits.key();
    let mut one = watch(Probe::OffCpu, Watched::One(key));
    let mut all = watch(Probe::OffCpu, Watched::Everyone);
    waits.go();
    std::thread::sleep(Duration::from_millis(300));
    let one = one.read(&alive(&[key]));
    assert!(!one.is_empty() && one.iter().all(|c| c.key.pid == key.pid));
    assert!(all.read(&alive(&[key])).iter().any(|c| c.key.pid != key.pid));
    waits.truth(4);
}

#[test]
#[ignore = "root"]
fn the_kernel_holds_nothing_once_nobody_wants_it() {
    let before = 0;
    assert_settles(before);
    let waits = Waits::start("off");
    let key = waits.key();
    for probe in [Probe::OffCpu, Probe::Faults, Probe::Allocs, Probe::Net] {
        let mut watcher = watch(probe, Watched::Family([key].into()));
        assert!(programs() > before, "{probe:?}");
        watcher.want(None, None);
        assert_eq!(watcher.status().health, Health::Standby);
        assert_settles(before);
    }
    let mut watcher = watch(Probe::OffCpu, Watched::One(key));
    watcher.read(&alive(&[key]));
    assert_eq!(watcher.status().health, Health::Live);
    watcher.read(&alive(&[ProcKey { pid: 1, start_ns: 1 }]));
    assert_eq!(watcher.status().health, Health::Standby, "its process is gone");
    assert_settles(before);
}

fn assert_settles(programs_before: usize) {
    for _ in 0..100 {
        if programs() == programs_before {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(programs(), programs_before);
}

/// `watch_…` programs in the kernel.
fn programs() -> usize {
    let list = Command::new("bpftool").args(["prog", "list"]).output().unwrap();
    String::from_utf8_lossy(&list.stdout).matches("name watch_").count()
}

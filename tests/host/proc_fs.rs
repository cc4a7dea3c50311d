use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::collect::Source;
use ebtop::collect::proc_fs::ProcFs;
use ebtop::sample::{Counter, Domain, Health, Sample, Task, Wants};
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::other_user::{NOBODY, Proc, as_nobody};

const TICK_NS: u64 = 10_000_000;

fn source() -> ProcFs {
    ProcFs::open("why; the fix".into()).unwrap()
}

fn find(sample: &Sample, pid: u32) -> Option<Task> {
    sample.tasks.iter().find(|task| task.key.pid == pid).copied()
}

/// A shell that does `work` and then waits for its input.
fn shell(work: &str) -> Child {
    Command::new("sh").arg("-c").arg(format!("{work}; read line")).stdin(Stdio::piped()).spawn().unwrap()
}

/// Samples until the process sleeps in `read`, having used `least` of CPU.
fn settled(source: &mut ProcFs, pid: u32, least: Duration) -> Task {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let task = find(&source.sample().unwrap(), pid).unwrap();
        if task.state == b'S' && u128::from(task.counters.get(Counter::CpuNs).unwrap()) >= least.as_nanos() {
            return task;
        }
        assert!(Instant::now() < deadline, "{task:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Kills and waits; what the kernel charged it with.
fn end(child: &mut Child) -> libc::rusage {
    child.kill().unwrap();
    // SAFETY: all zeros is a valid value of a struct of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child is ours and not yet waited for; `usage` is written by the call; a null status is allowed.
    let pid = unsafe { libc::wait4(child.id() as i32, std::ptr::null_mut(), 0, &mut usage) };
    assert_eq!(pid, child.id() as i32);
    usage
}

fn nanoseconds(time: libc::timeval) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000
}

#[test]
fn counters_are_those_of_rusage() {
    let mut child = shell("i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done");
    let task = settled(&mut source(), child.id(), Duration::from_millis(50));
    let usage = end(&mut child);
    let counter = |counter| task.counters.get(counter).unwrap();
    assert_eq!(counter(Counter::MinorFaults), usage.ru_minflt as u64);
    assert_eq!(counter(Counter::MajorFaults), usage.ru_majflt as u64);
    let cpu_ns = nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
    let off = counter(Counter::CpuNs).abs_diff(cpu_ns);
    assert!(off < 2_000_000, "a single thread is known in ns: {off} ns off");
    // Dying is mostly one more switch: it may wait for locks, and the last may come too late to be counted.
    let switches = counter(Counter::VoluntarySwitches);
    assert!((switches..=switches + 5).contains(&(usage.ru_nvcsw as u64)), "{switches} of {}", usage.ru_nvcsw);
}

#[test]
fn cpu_time_of_many_threads_is_right_to_a_few_ticks() {
    std::thread::spawn(|| {
        let end = Instant::now() + Duration::from_millis(200);
        while Instant::now() < end {}
    })
    .join()
    .unwrap();
    let cpu = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    };
    let before = cpu();
    let task = find(&source().sample().unwrap(), std::process::id()).unwrap();
    let after = cpu();
    let seen = task.counters.get(Counter::CpuNs).unwrap();
    assert!((before - 2 * TICK_NS..=after).contains(&seen), "{before} {seen} {after}");
    assert!(task.threads > 1);
    assert_eq!(task.counters.get(Counter::WaitNs), None, "the first thread does not speak for all");
}

#[test]
fn resident_memory_is_that_of_smaps_rollup() {
    let block = vec![1u8; 64 << 20];
    // Kept until the truth is read: a list of thousands of processes is resident, too.
    let sample = source().sample().unwrap();
    let memory = find(&sample, std::process::id()).unwrap().memory.unwrap();
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    let truth = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024;
    assert!(memory.rss_bytes().abs_diff(truth) < truth / 50, "{memory:?} {truth}");
    assert!(memory.anon_bytes > block.len() as u64 && memory.vm_bytes > memory.rss_bytes());
}

#[test]
fn tasks_stand_in_order_and_leave_when_they_end() {
    let mut source = source();
    let mut child = shell("true");
    let task = settled(&mut source, child.id(), Duration::ZERO);
    assert_eq!((task.ppid, task.threads, task.comm.bytes()), (std::process::id(), 1, b"sh".as_slice()));
    assert_eq!(task.uid, rustix::process::getuid().as_raw());
    let sample = source.sample().unwrap();
    assert!(sample.tasks.is_sorted_by(|a, b| a.key < b.key));
    assert_eq!(find(&sample, child.id()).unwrap().counters, task.counters);
    end(&mut child);
    assert_eq!(find(&source.sample().unwrap(), child.id()), None);
}

#[test]
fn what_others_change_is_seen_within_eight_rounds() {
    let mut source = source();
    let mut child = shell("true");
    settled(&mut source, child.id(), Duration::ZERO);
    rustix::process::setpriority_process(Pid::from_raw(child.id() as i32), 7).unwrap();
    let seen = (0..8).any(|_| find(&source.sample().unwrap(), child.id()).unwrap().nice == 7);
    end(&mut child);
    assert!(seen);
}

#[test]
fn work_after_a_long_sleep_is_seen_at_once() {
    let mut source = source();
    let mut child = shell("read line; i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done");
    let before = settled(&mut source, child.id(), Duration::ZERO);
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"\n").unwrap();
    let after = settled(&mut source, child.id(), Duration::from_millis(50));
    end(&mut child);
    assert!(after.counters.since(&before.counters).get(Counter::CpuNs).unwrap() > 40_000_000);
}

#[test]
fn every_domain_says_why_and_the_fix() {
    let status = source().sample().unwrap().status;
    let domains: Vec<_> = status.iter().map(|status| status.domain).collect();
    assert_eq!(domains, Domain::ALL);
    assert!(matches!(&status[0].health, Health::Degraded { reason } if reason.starts_with("why; the fix")));
    assert!(status[1..].iter().all(|status| matches!(&status.health, Health::Off { reason } if reason.contains("the fix"))));
}

#[test]
#[ignore = "needs root"]
fn nobody_sees_all_processes_and_the_io_of_none() {
    let mut child = shell("true");
    settled(&mut source(), child.id(), Duration::ZERO);
    let sample = as_nobody(Proc::Plain, || source().sample().unwrap());
    let task = find(&sample, child.id()).unwrap();
    end(&mut child);
    assert_eq!((task.uid, task.counters.get(Counter::ReadBytes)), (0, None));
    assert!(task.memory.unwrap().rss_bytes() > 0 && task.counters.get(Counter::MinorFaults).unwrap() > 0);
    assert!(find(&sample, 1).is_some());
}

#[test]
#[ignore = "needs root"]
fn hidepid_leaves_only_own_processes_and_is_told() {
    let sample = as_nobody(Proc::Hidden, || {
        let mut source = source();
        source.sample().unwrap();
        source.sample().unwrap()
    });
    // This process itself belongs to root, but its own thread may see it.
    let others: Vec<_> = sample.tasks.iter().filter(|task| task.uid != NOBODY && task.key.pid != std::process::id()).collect();
    assert!(others.is_empty(), "{others:?}");
    let Health::Degraded { reason } = &sample.status[0].health else { panic!("{:?}", sample.status) };
    assert!(reason.contains("hides other users' processes"));
    assert!(sample.machine.memory.total_bytes > 0);
}

#[test]
fn threads_are_told_where_they_are_wanted() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("a-thread".into()).spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get() as u32).unwrap();
        let _ = stopped.recv();
    });
    let tid = told.recv().unwrap();
    let mut source = source();
    assert_eq!(source.sample().unwrap().threads, []);
    source.want(Wants { threads: true, ..Wants::NONE });
    let sample = source.sample().unwrap();
    let found = sample.threads.iter().find(|t| t.tid == tid).unwrap();
    assert_eq!((found.key.pid, found.comm.to_string().as_str()), (std::process::id(), "a-thread"));
    assert!(sample.threads.is_sorted_by_key(|t| (t.key, t.tid)) && sample.threads.iter().all(|t| t.tid != t.key.pid));
    drop(stop);
    thread.unwrap().join().unwrap();
}

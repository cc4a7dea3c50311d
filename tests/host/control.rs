//! Changes to real processes, which the test started itself.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use ebtop::control::{Change, Errand, IoPriority, Outcome, Question, Report, Setting, Target, run};
use ebtop::sample::ProcKey;

/// A process that sleeps, killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Sleeper {
        Sleeper(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn stat(&self) -> Vec<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').map(str::to_owned).collect()
    }

    /// By the start time in /proc (field 22), moved by so many ticks of 10 ms.
    fn target(&self, ticks_off: u64) -> Target {
        let start_ticks: u64 = self.stat()[19].parse().unwrap();
        let per_tick = 1_000_000_000 / rustix::param::clock_ticks_per_second();
        Target { key: ProcKey { pid: self.0.id(), start_ns: (start_ticks + ticks_off) * per_tick }, name: "sleep".into() }
    }

    fn change(&self, change: Change) -> Report {
        changed(change, self.target(0))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn changed(change: Change, target: Target) -> Report {
    match run(Errand::Change(change, vec![target])) {
        Outcome::Changed(report) => report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signal_arrives() {
    let mut sleeper = Sleeper::start();
    let report = sleeper.change(Change::Signal(15));
    assert_eq!(report.to_string(), format!("SIGTERM sent to sleep ({})", sleeper.0.id()));
    assert_eq!(sleeper.0.wait().unwrap().signal(), Some(15));
    let report = changed(Change::Signal(15), Target { key: ProcKey { pid: sleeper.0.id(), start_ns: 1 }, name: "sleep".into() });
    assert_eq!(report.refused[0].1, "it is gone");
}

#[test]
fn a_process_that_only_has_the_same_pid_is_left_alone() {
    let mut sleeper = Sleeper::start();
    let nice = sleeper.stat()[16].clone();
    for change in [Change::Signal(9), Change::Nice(5), Change::Io(IoPriority::Idle), Change::Cpus(vec![0])] {
        let report = changed(change, sleeper.target(500));
        assert_eq!((report.done.len(), report.refused[0].1.as_str()), (0, "it is gone"));
    }
    assert!(sleeper.0.try_wait().unwrap().is_none());
    assert_eq!(sleeper.stat()[16], nice);
}

#[test]
fn nice_io_priority_and_cpus_are_set_and_seen() {
    let sleeper = Sleeper::start();
    assert_eq!(sleeper.change(Change::Nice(17)).refused, []);
    assert_eq!(sleeper.stat()[16], "17");
    let look = |question| match run(Errand::Look(question, vec![sleeper.target(0)])) {
        Outcome::Seen(setting, _) => setting,
        other => panic!("{other:?}"),
    };
    assert_eq!(sleeper.change(Change::Io(IoPriority::Idle)).refused, []);
    assert_eq!(look(Question::Io), Setting::Io(IoPriority::Idle));
    let Setting::Cpus(before) = look(Question::Cpus) else { panic!() };
    assert_eq!(sleeper.change(Change::Cpus(before[..1].to_vec())).refused, []);
    assert_eq!(look(Question::Cpus), Setting::Cpus(before[..1].to_vec()));
    let nowhere = sleeper.change(Change::Cpus(vec![1023]));
    assert_eq!((nowhere.done.len(), nowhere.refused.len()), (0, 1));
}

#[test]
fn every_thread_is_changed() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || stopped.recv());
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let start_ticks: u64 = own.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let start_ns = start_ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second();
    let target = Target { key: ProcKey { pid: std::process::id(), start_ns }, name: "test".into() };
    assert_eq!(changed(Change::Io(IoPriority::BestEffort(6)), target).refused, []);
    for entry in fs::read_dir("/proc/self/task").unwrap() {
        let tid: i32 = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        // SAFETY: numbers only.
        let raw = unsafe { libc::syscall(libc::SYS_ioprio_get, 1, tid) };
        assert!(raw < 0 || raw == (2 << 13 | 6), "thread {tid} has {raw}");
    }
    drop(stop);
    let _ = thread.join();
}

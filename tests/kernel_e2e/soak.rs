//! Everything at once, for minutes: storms of processes and connections while memory is short, the terminal takes nothing, ebtop is
//! stopped and its timers are taken away; in a guest CPUs go, clocks jump and pids come round again, too. `script/soak` runs it.
//!
//! Nothing may break, grow for ever, or be lost without a word; and afterwards every number is true.

mod cage;
mod growth;
mod storms;
pub mod trouble;

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::any_kernel::assert_socket_bytes;
use crate::assert_within;
use crate::objects::{self, left_since};
use crate::program::{Batch, EBTOP, PATIENCE, boottime_ns, list, number, sum};
use crate::session::{self, Session};
use crate::workload::Workload;
use cage::Cage;
use growth::Growth;
use storms::{Seen, Storms};
use trouble::Trouble;

/// Fields of a process that the truths ask for.
const FIELDS: &str = "pid,ppid,cpu_ns,min_flt,tx_bytes,rx_bytes,exit_code";

/// How long, and whether the machine is the test's own.
fn plan() -> (Duration, bool) {
    let minutes = std::env::var("EBTOP_SOAK_MINUTES").map_or(1.0, |text| text.parse::<f64>().unwrap());
    (Duration::from_secs_f64(60.0 * minutes), std::env::var_os("EBTOP_SOAK_MACHINE").is_some())
}

#[test]
#[ignore = "root; script/soak"]
fn nothing_breaks_grows_or_is_lost_unsaid() {
    let (time, is_own_machine) = plan();
    let before = objects::all();
    let cage = Cage::make();
    let mut ebtop =
        Batch::start_by(cage.command(EBTOP).args(["-b", "-o", "json", "-d", "1", "--hz", "49", "--view", "stacks", "--fields", FIELDS]));
    let mut screen = Session::start((120, 40), screen_command(&cage));
    screen.wait_for_text("PID");
    let mut growth = [("batch", ebtop.pid()), ("screen", screen.pid())].map(|(name, pid)| Growth::of(name, pid));
    let mut trouble = Trouble::new(&cage, [ebtop.pid(), screen.pid()], is_own_machine);
    let storms = Storms::start(time);
    let mut seen = Seen::of(&storms);
    let end = Instant::now() + time;
    while Instant::now() < end {
        trouble.next(&screen);
        take_in(&mut ebtop, &mut seen);
        growth.iter_mut().for_each(Growth::look);
    }
    println!("{}", trouble.end());
    let made = storms.end();
    // Where the kernel does not say that it freed a process, its exit comes some seconds late.
    let late_ns = boottime_ns() + 10_000_000_000;
    let deadline = Instant::now() + PATIENCE;
    while seen.last_ns().is_none_or(|last| last < late_ns) {
        assert!(Instant::now() < deadline, "its output is far behind");
        take_in(&mut ebtop, &mut seen);
    }
    seen.assert_true(&made);
    growth.iter().for_each(Growth::assert_over);

    assert_all_is_true_again(&mut ebtop);
    screen.keys("1");
    screen.wait_for("the processes", |text| text.contains("PID") && text.contains("CPU%"));
    screen.keys("q");
    let ended = screen.wait_exit();
    assert!(ended.success() && screen.left_behind().is_empty(), "{ended:?} {:?}", screen.left_behind());
    ebtop.stop();
    assert_eq!(left_since(&before), objects::Objects::new());
}

/// A second of ticks: in these storms they are large, and a small machine has no room for many.
fn take_in(ebtop: &mut Batch, seen: &mut Seen) {
    ebtop.read_for(Duration::from_secs(1));
    ebtop.ticks.drain(..).for_each(|tick| seen.add(&tick));
}

/// ebtop on a terminal, in the cage.
fn screen_command(cage: &Cage) -> portable_pty::CommandBuilder {
    let mut words = cage.words(EBTOP).into_iter();
    let mut command = session::command(words.next().unwrap());
    command.args(words);
    command
}

/// The time and faults of short lives, bytes, and stacks of every CPU, as if nothing had been.
fn assert_all_is_true_again(ebtop: &mut Batch) {
    let mut parent = Workload::start("tasks", &["children", "20", "1"]);
    let truth = parent.usage();
    let of_parent = |row: &Value| number(row, "ppid") == u64::from(parent.pid());
    ebtop.settle();
    ebtop.read_for(Duration::from_secs(6));
    assert_within("children of 20 ms, afterwards", sum(&ebtop.ticks, "cpu_ns", of_parent), truth.cpu_ns, 2.0);
    assert_eq!(sum(&ebtop.ticks, "min_flt", of_parent), truth.minor, "their minor faults");
    parent.end();
    assert_socket_bytes(ebtop);
    for cpu in trouble::online_cpus() {
        let load = Workload::start("hot", &["120"]);
        trouble::pin(load.pid(), cpu);
        let of_load = |stack: &&Value| number(stack, "pid") == u64::from(load.pid());
        let samples = |tick: &Value| list(tick, "stacks").iter().filter(of_load).map(|stack| number(stack, "samples")).sum::<u64>();
        let from = ebtop.ticks.len();
        ebtop.read_until("samples of each CPU", |ebtop| ebtop.ticks[from..].iter().map(samples).sum::<u64>() >= 20);
    }
}

/// Stops a process for a while, as a shell's Ctrl-Z or a debugger does.
fn stop_for(pid: u32, time: Duration) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(time);
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
}

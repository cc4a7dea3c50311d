//! What befalls ebtop and the machine, one thing after the other.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use super::cage::Cage;
use super::stop_for;
use crate::session::Session;

const DAY: i64 = 86_400;
const SECOND_CPU: &str = "/sys/devices/system/cpu/cpu1/online";
const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// So few that each pid is somebody else's every other second.
const FEW_PIDS: &str = "600";

/// Things that happen, in turns.
pub struct Trouble<'c> {
    cage: &'c Cage,
    victims: [u32; 2],
    is_own_machine: bool,
    turn: usize,
    /// Of each kind, how often.
    happened: [u32; 6],
}

const KINDS: [&str; 6] =
    ["stopped", "terminal stuck", "timers turned off", "ended by the kernel for want of memory", "CPU gone and back", "clock jumped"];

impl<'c> Trouble<'c> {
    /// For two processes in that cage. CPUs, clock and pids are left alone unless the machine is the test's own.
    pub fn new(cage: &'c Cage, victims: [u32; 2], is_own_machine: bool) -> Trouble<'c> {
        if is_own_machine {
            fs::write(PID_MAX, FEW_PIDS).unwrap();
        }
        Trouble { cage, victims, is_own_machine, turn: 0, happened: [0; 6] }
    }

    /// The next thing.
    pub fn next(&mut self, screen: &Session) {
        // Every view is looked at, and what it has to be loaded for.
        screen.keys(["1", "2", "3", "4", "5"][self.turn % 5]);
        let kind = self.turn % KINDS.len();
        self.turn += 1;
        let happened = match kind {
            0 => {
                self.victims.iter().for_each(|pid| stop_for(*pid, Duration::from_secs(2)));
                true
            }
            1 => {
                screen.stall(true);
                std::thread::sleep(Duration::from_secs(4));
                screen.stall(false);
                true
            }
            2 => self.victims.iter().all(|pid| turn_timers_off(*pid) > 0),
            3 => self.cage.press(),
            4 if self.is_own_machine && Path::new(SECOND_CPU).exists() => {
                fs::write(SECOND_CPU, "0").unwrap();
                std::thread::sleep(Duration::from_secs(2));
                fs::write(SECOND_CPU, "1").unwrap();
                true
            }
            5 if self.is_own_machine => {
                jump(DAY);
                std::thread::sleep(Duration::from_secs(2));
                jump(-2 * DAY);
                std::thread::sleep(Duration::from_secs(2));
                jump(DAY);
                true
            }
            _ => false,
        };
        self.happened[kind] += u32::from(happened);
    }

    /// How often each happened.
    pub fn end(self) -> String {
        let counts = self.happened.iter().zip(KINDS).map(|(count, kind)| format!("{kind} {count} times"));
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// The clock on the wall.
fn jump(seconds: i64) {
    let now = clock_gettime(ClockId::Realtime);
    clock_settime(ClockId::Realtime, Timespec { tv_sec: now.tv_sec + seconds, ..now }).unwrap();
}

/// Turns off every perf event of a process, as if it had died. How many there were.
pub fn turn_timers_off(pid: u32) -> usize {
    /// `_IO('$', 1)` of `linux/perf_event.h`.
    const IOC_DISABLE: libc::c_ulong = 0x2401;
    let process = pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty()).unwrap();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let events = files.filter(|file| fs::read_link(file.path()).is_ok_and(|to| to.ends_with("anon_inode:[perf_event]")));
    let turn_off = |number: i32| {
        // It may have been closed by now.
        let Ok(event) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { return false };
        // SAFETY: the request takes no pointer; the descriptor is open.
        unsafe { libc::ioctl(event.as_raw_fd(), IOC_DISABLE, 0) == 0 }
    };
    events.filter(|file| turn_off(file.file_name().to_str().unwrap().parse().unwrap())).count()
}

/// CPUs that are online.
pub fn online_cpus() -> Vec<usize> {
    let cpus = fs::read_dir("/sys/devices/system/cpu").unwrap().flatten();
    let numbers = cpus.filter_map(|cpu| cpu.file_name().to_str()?.strip_prefix("cpu")?.parse::<usize>().ok());
    // A CPU that cannot go offline has no such file.
    numbers
        .filter(|n| fs::read_to_string(format!("/sys/devices/system/cpu/cpu{n}/online")).is_ok_and(|on| on.trim() == "1") || *n == 0)
        .collect()
}

/// Keeps a process on one CPU.
pub fn pin(pid: u32, cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(Pid::from_raw(pid as i32), &set).unwrap();
}

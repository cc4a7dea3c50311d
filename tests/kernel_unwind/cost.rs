//! What a walk costs, beside an empty program and bpf_get_stack() at the same ticks. Prints the figures of the README.
//!
//! The kernel counts the time of a program over all its runs. So that nearly all of them meet the program that is looked at, each CPU
//! runs one that nothing of ordinary priority pushes aside.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::bpf::perf_event::tick_on_cpu;
use ebtop::collect::stacks::Stacks;
use ebtop::sample::{StackCount, StackQuality};
use libbpf_rs::ObjectBuilder;
use libbpf_rs::query::ProgInfoIter;

/// Slices of time in which runs are counted, each apart: the median of them is not moved by moments in which others had the machine.
const SLICES: (usize, usize) = (4, 21);
const SLICE: Duration = Duration::from_millis(250);
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Programs that are measured.
const NAMES: [&str; 3] = ["cost_empty", "cost_get_stack", "stacks_tick"];

/// Time and runs of those programs, as this process holds them: others may run some of the same name.
fn run_stats() -> [(u64, u64); NAMES.len()] {
    let infos = std::fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    let own: HashSet<u32> = infos.filter_map(|info| info.lines().find_map(|l| l.strip_prefix("prog_id:")?.trim().parse().ok())).collect();
    let mine: Vec<_> = ProgInfoIter::default().filter(|p| own.contains(&p.id)).collect();
    NAMES.map(|name| {
        let program = mine.iter().find(|p| p.name.to_string_lossy() == name).unwrap();
        (program.run_time_ns, program.run_cnt)
    })
}

/// Median over the slices of the mean ns of a run of each program.
fn ns_of_runs() -> [f64; NAMES.len()] {
    let mut means = NAMES.map(|_| Vec::new());
    let mut before = run_stats();
    for _ in 0..if is_long() { SLICES.1 } else { SLICES.0 } {
        std::thread::sleep(SLICE);
        let after = run_stats();
        for (means, (before, after)) in means.iter_mut().zip(before.iter().zip(after)) {
            means.push((after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64);
        }
        before = after;
    }
    means.map(|mut means| {
        means.sort_unstable_by(f64::total_cmp);
        means[means.len() / 2]
    })
}

/// One that burns a CPU of its own, killed when dropped.
pub struct Burner(Child);

impl Burner {
    pub fn start(cpu: u32, command: &[&str]) -> Burner {
        let mut burner = Command::new("setsid");
        burner.args(["taskset", "-c", &cpu.to_string()]).args(command);
        Burner(burner.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// From now on nothing of ordinary priority pushes it aside, not even who makes its tables.
    fn prefer(&self) {
        let renice = Command::new("renice").args(["-n", "-20", "-p", &self.0.id().to_string()]).stdout(Stdio::null()).status();
        assert!(renice.unwrap().success());
        // Where the kernel shares CPUs among sessions, a nice value counts within one only.
        let _ = std::fs::write(format!("/proc/{}/autogroup", self.0.id()), "-20");
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn is_long() -> bool {
    std::env::var_os("EBTOP_LONG").is_some()
}

/// What a run of each program takes while `command` runs on every CPU, at `hz`.
fn costs(hz: u32, what: &str, command: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let object = dir.path().join("cost.o");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/unwind_cost.bpf.c");
    let built = Command::new("clang").args(["-g", "-O2", "-target", "bpf", "-c"]).arg(source).arg("-o").arg(&object).status().unwrap();
    assert!(built.success());
    let object = ObjectBuilder::default().open_file(&object).unwrap().load().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get() as u32;
    let timers: Vec<_> = object.progs().flat_map(|p| (0..cpus).map(move |cpu| tick_on_cpu(cpu, hz, p.as_fd()).unwrap())).collect();
    let mut stacks = Stacks::open(hz).unwrap();
    let burners: Vec<Burner> = (0..cpus).map(|cpu| Burner::start(cpu, command)).collect();
    let is_mine = |count: &&StackCount| burners.iter().any(|burner| burner.pid() == count.key.pid);
    let known = Instant::now() + Duration::from_secs(60);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let counts = stacks.read().counts;
        let is_known = |burner: &Burner| {
            let mut its = counts.iter().filter(|c| c.key.pid == burner.pid() && !c.user.is_empty()).peekable();
            its.peek().is_some() && its.all(|c| c.quality == StackQuality::Complete)
        };
        if burners.iter().all(is_known) {
            break;
        }
        assert!(Instant::now() < known, "{what}: no whole stacks");
    }
    burners.iter().for_each(Burner::prefer);
    std::fs::write(STATS, "1").unwrap();
    stacks.read();
    let ns = ns_of_runs();
    std::fs::write(STATS, "0").unwrap();
    let counts = stacks.read().counts;
    let mine = || counts.iter().filter(is_mine);
    let (samples, all): (u32, u32) = (mine().map(|c| c.count).sum(), counts.iter().map(|c| c.count).sum());
    let frames = mine().map(|c| c.user.len() * c.count as usize).sum::<usize>() as f64 / f64::from(samples.max(1));
    let [empty, get_stack, ours] = ns.map(|ns| ns / 1e3);
    let share = f64::from(hz) * ours / 1e6 * 100.0;
    println!(
        "{hz} Hz {what}, {frames:.1} frames: {ours:.2} µs a sample, {share:.3} % of a CPU; bpf_get_stack {get_stack:.2}, an empty program {empty:.2}; {samples} of {all} samples its own"
    );
    drop((timers, burners));
    // A bound that only a broken walk exceeds: the machine that runs this may be busy.
    assert!(ns[2] - ns[0] < 100_000.0, "{what}: {} ns", ns[2]);
}

#[test]
#[ignore = "root"]
fn a_walk_costs_microseconds() {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unwind_cost");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/unwind.c");
    let built = Command::new("cc").args(["-O2", "-fomit-frame-pointer"]).arg(source).arg("-o").arg(&program).status().unwrap();
    assert!(built.success());
    let program = program.to_str().unwrap();
    // The short form only proves that it can be measured.
    let rates: &[u32] = if is_long() { &[49, 99, 999] } else { &[999] };
    for &hz in rates {
        costs(hz, "openssl", &["openssl", "speed", "-seconds", "60", "sha256"]);
        costs(hz, "python3", &["python3", "-c", "def f(n):\n  return n if n < 2 else f(n-1)+f(n-2)\nwhile True: f(20)"]);
        costs(hz, "C, 38 frames", &[program, "recursion", "60"]);
        costs(hz, "C, 107 frames", &[program, "chain", "60"]);
    }
}

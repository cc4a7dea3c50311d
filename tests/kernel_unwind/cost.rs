//! What a walk costs, beside an empty program and bpf_get_stack() at the same ticks. Prints the figures of the README.
//!
//! The kernel counts the time of a program over all its runs. So that nearly all of them meet the program that is looked at, each CPU
//! runs one that nothing of ordinary priority pushes aside.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::bpf::perf_event::tick_on_cpu;
use ebtop::collect::stacks::Stacks;
use ebtop::sample::{StackCount, StackQuality};
use libbpf_rs::ObjectBuilder;
use libbpf_rs::query::ProgInfoIter;

/// How long runs are counted, seconds: 300 of them at 49 Hz on two CPUs, 2,000 at the rate of the short form.
const MEASURED: (u64, u64) = (1, 3);
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Time and runs of a program, by name; the newest of that name.
fn run_stats(name: &str) -> (u64, u64) {
    let all = ProgInfoIter::default().filter(|p| p.name.to_string_lossy() == name);
    all.max_by_key(|p| p.id).map(|p| (p.run_time_ns, p.run_cnt)).unwrap()
}

/// One that burns a CPU of its own, killed when dropped.
struct Burner(Child);

impl Burner {
    fn start(cpu: u32, command: &[&str]) -> Burner {
        let mut burner = Command::new("setsid");
        burner.args(["taskset", "-c", &cpu.to_string()]).args(command);
        Burner(burner.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
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

/// Mean ns of each program's runs while `command` runs on every CPU, at `hz`.
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
    let is_mine = |count: &&StackCount| burners.iter().any(|burner| burner.0.id() == count.key.pid);
    let known = Instant::now() + Duration::from_secs(60);
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let counts = stacks.read().counts;
        let mine = || counts.iter().filter(is_mine).filter(|c| !c.user.is_empty());
        if mine().next().is_some() && mine().all(|c| c.quality == StackQuality::Complete) {
            break;
        }
        assert!(Instant::now() < known, "{what}: no whole stacks");
    }
    burners.iter().for_each(Burner::prefer);
    std::fs::write(STATS, "1").unwrap();
    let names = ["cost_empty", "cost_get_stack", "stacks_tick"];
    let before = names.map(run_stats);
    std::thread::sleep(Duration::from_secs(if is_long() { MEASURED.1 } else { MEASURED.0 }));
    let after = names.map(run_stats);
    std::fs::write(STATS, "0").unwrap();
    let counts = stacks.read().counts;
    let mine = || counts.iter().filter(is_mine);
    let (samples, all): (u32, u32) = (mine().map(|c| c.count).sum(), counts.iter().map(|c| c.count).sum());
    let frames = mine().map(|c| c.user.len() * c.count as usize).sum::<usize>() as f64 / f64::from(samples.max(1));
    let ns: Vec<f64> = before.iter().zip(after).map(|(b, a)| (a.0 - b.0) as f64 / (a.1 - b.1).max(1) as f64).collect();
    println!(
        "{hz} Hz {what}: empty {:.0} ns, bpf_get_stack {:.0} ns, ours {:.0} ns, net of empty {:.2} µs; {frames:.1} frames, {samples} of {all} samples its own",
        ns[0],
        ns[1],
        ns[2],
        (ns[2] - ns[0]) / 1e3
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

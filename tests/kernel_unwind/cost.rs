//! What a walk costs, beside an empty program and bpf_get_stack() at the same ticks. Prints the figures of the README; run it on a quiet machine.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::bpf::perf_event::tick_on_cpu;
use ebtop::collect::stacks::Stacks;
use ebtop::sample::StackQuality;
use libbpf_rs::ObjectBuilder;
use libbpf_rs::query::ProgInfoIter;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// Time and runs of a program, by name; the newest of that name.
fn run_stats(name: &str) -> (u64, u64) {
    let all = ProgInfoIter::default().filter(|p| p.name.to_string_lossy() == name);
    all.max_by_key(|p| p.id).map(|p| (p.run_time_ns, p.run_cnt)).unwrap()
}

/// Mean ns of each program's runs while `command` runs, at `hz`.
fn costs(hz: u32, what: &str, command: &mut Command) {
    let dir = tempfile::tempdir().unwrap();
    let object = dir.path().join("cost.o");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/unwind_cost.bpf.c");
    let built = Command::new("clang").args(["-g", "-O2", "-target", "bpf", "-c"]).arg(source).arg("-o").arg(&object).status().unwrap();
    assert!(built.success());
    let object = ObjectBuilder::default().open_file(&object).unwrap().load().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get() as u32;
    let timers: Vec<_> = object.progs().flat_map(|p| (0..cpus).map(move |cpu| tick_on_cpu(cpu, hz, p.as_fd()).unwrap())).collect();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut stacks = Stacks::open(hz).unwrap();
    let known = Instant::now() + Duration::from_secs(60);
    while Instant::now() < known
        && !stacks.read().counts.iter().any(|c| c.key.pid == child.id() && c.quality == StackQuality::Complete && !c.user.is_empty())
    {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::write(STATS, "1").unwrap();
    let names = ["cost_empty", "cost_get_stack", "stacks_tick"];
    let before = names.map(run_stats);
    std::thread::sleep(Duration::from_secs(8));
    let after = names.map(run_stats);
    std::fs::write(STATS, "0").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(timers);
    let counts = stacks.read().counts;
    let mine = || counts.iter().filter(|c| c.key.pid == child.id());
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
    for hz in [49, 99, 999] {
        costs(hz, "openssl", Command::new("openssl").args(["speed", "-seconds", "60", "sha256"]));
        costs(hz, "python3", Command::new("python3").args(["-c", "def f(n):\n  return n if n < 2 else f(n-1)+f(n-2)\nwhile True: f(20)"]));
        costs(hz, "C, 38 frames", Command::new(&program).args(["recursion", "60"]));
        costs(hz, "C, 107 frames", Command::new(&program).args(["chain", "60"]));
    }
}

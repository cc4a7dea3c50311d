//! The first half second of programs that nobody met before: nothing is lost, and what is not whole says that it waits for its tables.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::collect::stacks::Stacks;
use ebtop::sample::StackQuality;
use rustix::event::{PollFd, PollFlags, Timespec};

/// What one looks at.
const SPAN: Duration = Duration::from_millis(500);
/// As the screen samples.
const HZ: u32 = 49;
const ROUNDS: usize = 6;
/// Where others hold the CPUs, the thread that makes tables waits its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits as the collector does: what the ring wakes it for is folded at once.
fn follow(stacks: &mut Stacks, until: Instant) {
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let woken = rustix::event::poll(&mut [PollFd::from_borrowed_fd(stacks.wake_fd(), PollFlags::IN)], Some(&timeout));
        if woken == Ok(1) {
            stacks.drain();
        }
    }
}

/// Samples of the first half second by quality, over some rounds, each with a sampler and a copy of the program that are new; and the
/// longest time until there were whole stacks.
fn first_samples(program: &Path, arguments: &[&str]) -> ([u32; StackQuality::ALL.len()], Duration) {
    let dir = tempfile::tempdir().unwrap();
    let (mut seen, mut longest) = ([0; StackQuality::ALL.len()], Duration::ZERO);
    for round in 0..ROUNDS {
        let copy = dir.path().join(format!("new{round}"));
        std::fs::copy(program, &copy).unwrap();
        let mut stacks = Stacks::open(HZ).unwrap();
        // Ahead of whatever else runs on this machine: it is to be sampled for all of the time.
        let mut child = Command::new("nice");
        child.args(["-n", "-20"]).arg(&copy).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let begin = Instant::now();
        for half in 1.. {
            follow(&mut stacks, begin + half * SPAN);
            let counts = stacks.read().counts;
            let mine = || counts.iter().filter(|count| count.key.pid == child.id() && !count.user.is_empty());
            if half == 1 {
                mine().for_each(|count| seen[count.quality as usize] += count.count);
            }
            if mine().any(|count| count.quality == StackQuality::Complete) {
                longest = longest.max(half * SPAN);
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "no whole stack, {:?}", stacks.status());
        }
        child.kill().and_then(|()| child.wait()).unwrap();
        assert_eq!(stacks.status().lost, 0);
    }
    (seen, longest)
}

#[test]
#[ignore = "root"]
fn the_first_half_second_of_new_programs() {
    let dir = tempfile::tempdir().unwrap();
    let burner = dir.path().join("burner");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/hot_deep.c");
    let built = Command::new("cc").args(["-O1", "-fno-omit-frame-pointer", "-o"]).arg(&burner).arg(source).status().unwrap();
    assert!(built.success());
    let python = "while True: sum(i * i for i in range(1000))";
    let programs: [(&str, &Path, &[&str]); 3] = [
        ("with frame pointers", &burner, &["99", "20"]),
        ("python3", Path::new("/usr/bin/python3"), &["-c", python]),
        ("openssl", Path::new("/usr/bin/openssl"), &["speed", "-seconds", "99", "-bytes", "1024", "sha256"]),
    ];
    for (name, program, arguments) in programs {
        let (seen, longest) = first_samples(program, arguments);
        let (whole, all) = (seen[StackQuality::Complete as usize], seen.iter().sum::<u32>());
        let waiting = seen[StackQuality::Awaited as usize];
        println!("{name}: {whole} of {all} samples whole, {waiting} waiting for tables, whole ones after {longest:?} at most");
        // Before main() the loader is at work, whose own start has no table.
        assert!(all > 20 && f64::from(whole + waiting) >= 0.95 * f64::from(all), "{name}: {seen:?}");
    }
}

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

/// Samples of the first half second by quality, over some rounds, each with a sampler and a copy of the program that are new.
fn first_samples(program: &Path, arguments: &[&str]) -> [u32; StackQuality::ALL.len()] {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = [0; StackQuality::ALL.len()];
    for round in 0..ROUNDS {
        let copy = dir.path().join(format!("new{round}"));
        std::fs::copy(program, &copy).unwrap();
        let mut stacks = Stacks::open(HZ).unwrap();
        let mut child = Command::new(&copy).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        follow(&mut stacks, Instant::now() + SPAN);
        child.kill().and_then(|()| child.wait()).unwrap();
        for count in stacks.read().counts.iter().filter(|count| count.key.pid == child.id() && !count.user.is_empty()) {
            seen[count.quality as usize] += count.count;
        }
        assert_eq!(stacks.status().lost, 0);
    }
    seen
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
        ("with frame pointers", &burner, &["9", "20"]),
        ("python3", Path::new("/usr/bin/python3"), &["-c", python]),
        ("openssl", Path::new("/usr/bin/openssl"), &["speed", "-seconds", "9", "-bytes", "1024", "sha256"]),
    ];
    for (name, program, arguments) in programs {
        let seen = first_samples(program, arguments);
        let (whole, all) = (seen[StackQuality::Complete as usize], seen.iter().sum::<u32>());
        let waiting = seen[StackQuality::Awaited as usize];
        println!("{name}: {whole} of {all} samples whole, {waiting} waiting for tables: {seen:?}");
        // Before main() the loader is at work, whose own start has no table.
        assert!(all > 10 && f64::from(whole + waiting) >= 0.95 * f64::from(all), "{name}: {seen:?}");
        assert!(2 * whole > all, "{name}: {whole} of {all} samples are whole");
    }
}

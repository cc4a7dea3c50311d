//! `ebtop stacks` over samples and names that the test made: whatever happens to processes, each stack has the names of its own program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ebtop::collect::{Collector, Source, SourceError};
use ebtop::export::profile::Profile;
use ebtop::model::stacks::Measure;
use ebtop::profile::{ProfileOptions, Whose, take};
use ebtop::sample::{Comm, ProcKey, Sample, StackCount, Stacks, Task, Waker, Wants, Weight};
use ebtop::symbols::{Answer, Frame, FrameKind, Request, Symbols};

const S: u64 = 1_000_000_000;
const SHELL: ProcKey = ProcKey { pid: 7, start_ns: 1 };
const OTHER: ProcKey = ProcKey { pid: 9, start_ns: 1 };

/// Plays samples, then empty ones for ever. Whoever asks for names is told those of the program that the newest sample has.
struct Played {
    samples: std::vec::IntoIter<Sample>,
    last: Sample,
    program: Arc<AtomicU64>,
}

impl Source for Played {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        let rest = Sample { at_ns: self.last.at_ns + S, tasks: self.last.tasks.clone(), ..Sample::default() };
        self.last = self.samples.next().unwrap_or(rest);
        let shell = self.last.tasks.iter().find(|task| task.key == SHELL);
        self.program.store(shell.map_or(0, |task| task.exec_id), Ordering::SeqCst);
        Ok(self.last.clone())
    }

    fn want(&mut self, _wants: Wants) {}
}

/// A symbol thread that calls address 16 of program 1 `1:0x10`; the kernel is program 0.
fn symbols(program: Arc<AtomicU64>) -> Symbols {
    let (requests, inbox) = crossbeam_channel::bounded::<Request>(16);
    let (outbox, answers) = crossbeam_channel::bounded(16);
    std::thread::spawn(move || {
        for request in inbox {
            let frame = |program: u64, address: u64| {
                let function = Some(format!("{program}:{address:#x}"));
                (address, vec![Frame { function, module: "m".into(), offset: address, kind: FrameKind::Native, source: None }])
            };
            let program = program.load(Ordering::SeqCst);
            let user = request.user.iter().map(|&address| frame(program, address)).collect();
            let kernel = request.kernel.iter().map(|&address| frame(0, address)).collect();
            if outbox.send(Answer { key: request.key, user, kernel, ..Answer::default() }).is_err() {
                return;
            }
        }
    });
    (requests, answers)
}

/// A profile of these samples; the first comes before it begins.
fn profile(samples: Vec<Sample>, measure: Measure) -> Profile {
    let program: Arc<AtomicU64> = Arc::default();
    let interval = Duration::from_millis(100);
    let time = interval * samples.len() as u32;
    let played = Played { samples: samples.into_iter(), last: Sample::default(), program: Arc::clone(&program) };
    let collector = Collector::start(interval, move || Ok(played)).unwrap();
    let options = ProfileOptions { whose: Whose::Everyone, measure, time, hz: 49, wakers: true };
    take(&collector, symbols(program), &options).unwrap()
}

fn sample(at_s: u64, tasks: &[(ProcKey, u64)], counts: Vec<StackCount>) -> Sample {
    let task = |&(key, exec_id)| Task { key, exec_id, comm: Comm::new(b"sh"), ..Task::default() };
    let tasks = tasks.iter().map(task).collect();
    Sample { at_ns: at_s * S, tasks, stacks: Stacks { hz: 49, counts, ..Stacks::default() }, ..Sample::default() }
}

fn stack(key: ProcKey, user: &[u64], count: u32) -> StackCount {
    StackCount { key, tid: key.pid, count, value: count.into(), user: user.into(), ..StackCount::default() }
}

/// Names outermost first, and the count, of each stack.
fn paths(profile: &Profile) -> Vec<(String, u64)> {
    let name = |frame: &Frame| frame.function.clone().unwrap_or_else(|| format!("{}+{:#x}", frame.module, frame.offset));
    let path = |frames: &[Frame]| frames.iter().map(name).collect::<Vec<_>>().join(";");
    let mut paths: Vec<_> = profile.stacks.iter().map(|stack| (path(&stack.frames), stack.count)).collect();
    paths.sort();
    paths
}

#[test]
fn no_name_is_lost_however_long_ago_its_process_ended_and_however_many_came_after() {
    let many = |key, base: u64| (0..400).map(|i| stack(key, &(base + i * 100..base + i * 100 + 100).collect::<Vec<_>>(), 1)).collect();
    let both = [(SHELL, 1), (OTHER, 1)];
    let samples = vec![
        sample(1, &both, vec![]),
        sample(2, &both, vec![stack(SHELL, &[0x10, 0x20], 3)]),
        sample(3, &both[1..], vec![]),
        sample(4, &both[1..], many(OTHER, 0x1000)),
        sample(70, &both[1..], vec![]),
        sample(700, &both[1..], vec![]),
        sample(1500, &both[1..], vec![]),
    ];
    let paths = paths(&profile(samples, Measure::OnCpu));
    assert_eq!(paths.len(), 401);
    let nameless: Vec<_> = paths.iter().filter(|(path, _)| path.contains("[unknown]")).collect();
    assert!(nameless.is_empty(), "{} stacks have addresses without a name, such as {:?}", nameless.len(), nameless[0]);
}

#[test]
fn two_programs_of_one_process_keep_their_own_names() {
    let runs = |program| [(SHELL, program)];
    let samples = vec![
        sample(1, &runs(1), vec![]),
        sample(2, &runs(1), vec![stack(SHELL, &[0x10, 0x20], 3)]),
        sample(3, &runs(1), vec![]),
        sample(4, &runs(1), vec![stack(SHELL, &[0x10, 0x20], 1)]),
        // In this time it became another program: whose samples these are nobody knows.
        sample(5, &runs(2), vec![stack(SHELL, &[0x10, 0x20], 5)]),
        sample(6, &runs(2), vec![stack(SHELL, &[0x10, 0x20], 7)]),
        sample(7, &runs(2), vec![stack(SHELL, &[0x30], 1)]),
    ];
    let profile = profile(samples, Measure::OnCpu);
    assert_eq!(paths(&profile), [("1:0x20;1:0x10", 4), ("2:0x20;2:0x10", 7), ("2:0x30", 1)].map(|(path, count)| (path.into(), count)));
    assert_eq!(profile.lost, 5);
}

#[test]
fn who_ended_a_wait_keeps_its_names_too() {
    let runs = |program| [(SHELL, program), (OTHER, 1)];
    let wait = |address: u64, count| {
        let waker =
            Waker { key: SHELL, tid: SHELL.pid, user: [address].into(), kernel: [0xffff_ffff_8100_0000].into(), ..Waker::default() };
        StackCount { weight: Weight::Sleeping, waker: Some(Arc::new(waker)), ..stack(OTHER, &[0x40], count) }
    };
    let samples = vec![
        sample(1, &runs(1), vec![]),
        sample(2, &runs(1), vec![]),
        sample(3, &runs(1), vec![wait(0x10, 3)]),
        sample(4, &runs(1), vec![]),
        sample(5, &runs(1), vec![]),
        sample(6, &runs(2), vec![wait(0x10, 2)]),
        sample(7, &runs(2), vec![wait(0x10, 4)]),
        sample(8, &runs(2), vec![]),
    ];
    let profile = profile(samples, Measure::OffCpu);
    let wakers: Vec<_> =
        paths(&profile).into_iter().map(|(path, count)| (path.split(";[woken by ").nth(1).unwrap().to_owned(), count)).collect();
    let expected = [(" (7)];0:0xffffffff81000000", 2), (" (7)];1:0x10;0:0xffffffff81000000", 3), (" (7)];2:0x10;0:0xffffffff81000000", 4)];
    assert_eq!(wakers, expected.map(|(path, count)| (path.into(), count)));
    assert_eq!(profile.lost, 0, "the wait itself is known");
}

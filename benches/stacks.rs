//! What the Stacks view costs on the UI thread: a refresh a tick with 10,000 distinct stacks in view, and the first one.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ebtop::app::names::Names;
use ebtop::app::stacks::{StackSpan, StacksView};
use ebtop::model::stacks::{Measure, Scope, StackHistory};
use ebtop::sample::{Comm, ProcKey, Sample, StackCount, StackQuality, Stacks};
use ebtop::symbols::{Answer, Frame, FrameKind, Request};

const KEY: ProcKey = ProcKey { pid: 1, start_ns: 1 };
const DISTINCT: u64 = 10_000;

/// A stack of 30 user and 6 kernel frames that fans out to 40 ways at depth 12, 25 more at 25 and 10 more at 33.
fn stack(seed: u64) -> StackCount {
    let way = |depth: u64| match depth {
        0..12 => 0,
        12..25 => seed % 40,
        25..33 => seed % 1000,
        _ => seed % DISTINCT,
    };
    let address = |depth: u64| (1 << 40) + (depth << 20) + (way(depth) << 8) + seed % 3;
    StackCount {
        key: KEY,
        tid: 1,
        comm: Comm::new(b"bench"),
        count: 1 + (seed % 5) as u32,
        value: 1 + seed % 5,
        kernel: (30..36).rev().map(address).collect(),
        user: (0..30).rev().map(address).collect(),
        quality: StackQuality::Complete,
        ..StackCount::default()
    }
}

fn answer(request: Request) -> Answer {
    let frames = |&address: &u64, kind| {
        let function = Some(format!("some_name_space::function_{:x}", address >> 8));
        let source = Some(("source.c".to_string(), address as u32));
        (address, vec![Frame { function, module: "libbench.so".into(), offset: address, kind, source }])
    };
    Answer {
        key: request.key,
        user: request.user.iter().map(|address| frames(address, FrameKind::Native)).collect(),
        kernel: request.kernel.iter().map(|address| frames(address, FrameKind::Kernel)).collect(),
        ..Answer::default()
    }
}

fn tick(at_s: u64, seeds: std::ops::Range<u64>) -> Sample {
    let counts = seeds.map(stack).collect();
    Sample { at_ns: at_s * 1_000_000_000, stacks: Stacks { hz: 49, counts, interpreted: Vec::new() }, ..Sample::default() }
}

/// Seconds until the same stacks come again.
const CYCLE: u64 = 10;

/// A second with 1000 stacks, none of them in the nine before.
fn busy_tick(at_s: u64) -> Sample {
    let from = at_s % CYCLE * (DISTINCT / CYCLE);
    tick(at_s, from..from + DISTINCT / CYCLE)
}

/// Thirty seconds of it, every address named that there is room for.
fn named_view() -> (StacksView, StackHistory, Names) {
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::new(64 << 20, 300_000_000_000), Names::default());
    (1..=30).for_each(|at| history.push(&busy_tick(at)));
    view.open(Scope::Process(KEY), "bench");
    loop {
        let requests = view.refresh(&history, &mut names);
        if requests.is_empty() {
            break;
        }
        requests.into_iter().for_each(|request| names.answer(answer(request)));
    }
    assert_eq!(history.window(&Scope::Process(KEY), Measure::OnCpu, StackSpan::Medium.ns()).stacks.len() as u64, DISTINCT);
    (view, history, names)
}

fn stacks(criterion: &mut Criterion) {
    let (view, history, names) = named_view();
    let parts = || (view.clone(), names.clone());
    criterion.bench_function("refresh after a tick, 10 000 stacks", |bench| {
        let ((mut view, mut names), mut history, mut at_s) = (parts(), history.clone(), 30);
        bench.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                at_s += 1;
                history.push(&busy_tick(at_s));
                let began = Instant::now();
                black_box(view.refresh(&history, &mut names));
                spent += began.elapsed();
            }
            spent
        });
    });
    criterion.bench_function("refresh after a key, 10 000 stacks", |bench| {
        let (mut view, mut names) = parts();
        bench.iter(|| black_box(view.refresh(&history, &mut names)));
    });
    criterion.bench_function("first refresh, 10 000 stacks", |bench| {
        let opened = || {
            let mut view = StacksView::default();
            view.open(Scope::Process(KEY), "bench");
            (view, names.clone())
        };
        bench.iter_batched(opened, |(mut view, mut names)| (view.refresh(&history, &mut names), view), BatchSize::LargeInput);
    });
    criterion.bench_function("push, 100 stacks", |bench| {
        let (sample, history) = (Arc::new(tick(100, 0..100)), history.clone());
        bench.iter_batched(
            || history.clone(),
            |mut history| {
                history.push(&sample);
                history
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, stacks);
criterion_main!(benches);

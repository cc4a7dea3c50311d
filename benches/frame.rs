//! What a refresh of the screen costs at 10,000 processes, from the sample to the cells, for each shape of the table; of it, what the
//! graphs of rows cost; and what a key costs there.

#[path = "../tests/common/mod.rs"]
mod common;
mod cpu_time;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use cpu_time::{CpuTime, used};
use criterion::measurement::WallTime;
use criterion::{Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ebtop::app::trends::Trends;
use ebtop::app::{App, Event, Start};
use ebtop::model::Model;
use ebtop::sample::Counter::*;
use ebtop::sample::*;
use ebtop::ui;
use ebtop::ui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const PROCESSES: u32 = 10_000;
const SIZE: (u16, u16) = (200, 50);
const TICKS: u64 = 9;

/// A family ten wide and five deep, of 50 programs and five users. Every tenth is busy.
fn tick(number: u64) -> Sample {
    let tasks = (1..=PROCESSES).map(|pid| {
        let busy = u64::from(pid % 10 == 0) * u64::from(pid) * number;
        let task = task(pid, &format!("service-{}", pid % 50)).with(CpuNs, busy * 1000).with(MinorFaults, busy).with(TxBytes, busy * 7);
        Task { ppid: pid / 10, uid: pid % 5, ..task }
    });
    sample((100 + number) * SECOND, tasks)
}

/// Before its second sample, with the table brought into shape by these keys.
fn opened(first: &Arc<Sample>, keys: &str) -> App {
    let mut app = App::new(Start { interval: Duration::from_secs(1), ..Start::default() }, SIZE);
    app.update(Event::Update(Update::Sample(Arc::clone(first))));
    keys.chars().for_each(|key| press(&mut app, key));
    app
}

fn press(app: &mut App, key: char) {
    let code = match key {
        '\n' => KeyCode::Enter,
        '↓' => KeyCode::Down,
        '⌫' => KeyCode::Backspace,
        key => KeyCode::Char(key),
    };
    app.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn frames(c: &mut Criterion<CpuTime>) {
    let samples: Vec<Arc<Sample>> = (1..=TICKS).map(|number| Arc::new(tick(number))).collect();
    let shapes = [
        ("flat", ""),
        ("tree", "t"),
        ("tree, folded", "t*"),
        ("by command", "g↓\n"),
        ("by command, unfolded", "g↓\n*"),
        ("by user", "g↓↓\n"),
    ];
    for (shape, keys) in shapes {
        c.bench_function(&format!("frame of 10 000, {shape}"), |bench| {
            bench.iter_custom(|iterations| {
                let (mut spent, mut left) = (Duration::ZERO, iterations as usize);
                while left > 0 {
                    let mut app = opened(&samples[0], keys);
                    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a buffer");
                    for sample in samples[1..].iter().take(left) {
                        let sample = Arc::clone(sample);
                        let began = used();
                        app.update(Event::Update(Update::Sample(sample)));
                        terminal.draw(|frame| ui::draw(frame, &app, Theme::default())).expect("memory takes all");
                        spent += used() - began;
                    }
                    left = left.saturating_sub(samples.len() - 1);
                }
                spent
            });
        });
    }
}

/// What is kept of each process for the graphs of its row, tick by tick.
fn trends(c: &mut Criterion<CpuTime>) {
    let samples: Vec<Arc<Sample>> = (1..=TICKS).map(|number| Arc::new(tick(number))).collect();
    let models: Vec<Model> = samples.windows(2).map(|two| Model::between(Some(&two[0]), Arc::clone(&two[1]))).collect();
    c.bench_function("trends of 10 000", |bench| {
        let mut trends = Trends::default();
        let mut next = models.iter().cycle();
        bench.iter(|| next.next().into_iter().for_each(|model| trends.push(model)));
    });
}

/// From the key to the cells.
fn keys(c: &mut Criterion<CpuTime>) {
    let samples: Vec<Arc<Sample>> = (1..=2).map(|number| Arc::new(tick(number))).collect();
    let presses = [
        ("down, flat", "", "↓"),
        ("down, tree", "t", "↓"),
        ("fold, tree", "t", "+"),
        ("fold all, tree", "t", "*"),
        ("sort, flat", "", "I"),
        ("sort, tree", "t", "I"),
        ("two letters of a filter, tree", "t\\service", "-⌫"),
        ("two letters of a search, tree", "t/service", "-⌫"),
    ];
    for (what, before, key) in presses {
        c.bench_function(&format!("key at 10 000: {what}"), |bench| {
            let mut app = opened(&samples[0], "");
            app.update(Event::Update(Update::Sample(Arc::clone(&samples[1]))));
            before.chars().for_each(|key| press(&mut app, key));
            let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a buffer");
            bench.iter(|| {
                key.chars().for_each(|key| press(&mut app, key));
                terminal.draw(|frame| ui::draw(frame, &app, Theme::default())).expect("memory takes all");
            });
        });
    }
}

criterion_group! {
    name = frame_costs;
    config = Criterion::default().with_measurement(CpuTime(WallTime));
    targets = frames, trends, keys
}
criterion_main!(frame_costs);

//! What a tick costs beyond collecting it, at 10,000 processes: comparing two samples, sorting, writing.
//! Measured in CPU time of the thread, so that other work on the machine does not count.

#[path = "../tests/common/mod.rs"]
mod common;
mod cpu_time;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use common::*;
use cpu_time::CpuTime;
use criterion::measurement::WallTime;
use criterion::{Criterion, criterion_group, criterion_main};
use ebtop::app::column::{Column, RowView, sort};
use ebtop::app::filter::parse;
use ebtop::app::trends::Trends;
use ebtop::app::view::View;
use ebtop::batch::{BatchOptions, Format};
use ebtop::export::Report;
use ebtop::model::Model;
use ebtop::record::Past;
use ebtop::sample::Counter::*;
use ebtop::sample::*;

const PROCESSES: u32 = 10_000;

/// Mostly idle processes; every tenth is busy, one in a thousand new.
fn tick(number: u64) -> Sample {
    let at_ns = (100 + number) * SECOND;
    let tasks = (1..=PROCESSES).map(|pid| {
        let busy = u64::from(pid % 10 == 0) * u64::from(pid) * number;
        let born = if u64::from(pid) % 1000 == number { at_ns - MS } else { SECOND };
        task(pid, "some-service").born(born).with(CpuNs, busy * 1000).with(MinorFaults, busy).with(TxBytes, busy * 7)
    });
    let mut sample = sample(at_ns, tasks);
    sample.exits = (0..200).map(|i| exit(task(20_000 + i, "cc1").born(at_ns - MS).with(CpuNs, MS), at_ns)).collect();
    sample
}

/// 2,500 processes of which 25 did something: a tick with its model, and the same with a history of samples beside it.
fn past(c: &mut Criterion<CpuTime>) {
    let quiet = |number: u64| {
        let tasks = (1..=2500).map(|pid| task(pid, "some-service").with(CpuNs, if pid % 100 == 0 { number * MS } else { 0 }));
        Arc::new(sample((100 + number) * SECOND, tasks))
    };
    for (name, reach) in [("tick_2500_without_history", 0), ("tick_2500_with_history", 900)] {
        let mut samples: Vec<_> = (0..2).map(quiet).collect();
        let mut past = Past::new(Duration::from_secs(reach));
        c.bench_function(name, |b| {
            b.iter(|| {
                samples.swap(0, 1);
                let at_ns = samples[0].at_ns + SECOND;
                Arc::make_mut(&mut samples[1]).at_ns = at_ns;
                let model = Model::between(Some(&samples[0]), Arc::clone(&samples[1]));
                past.push(&model.sample, &model.changes());
            })
        });
    }
}

fn benches(c: &mut Criterion<CpuTime>) {
    let (prev, next) = (tick(1), Arc::new(tick(2)));
    c.bench_function("between_10000", |b| b.iter(|| Model::between(Some(black_box(&prev)), Arc::clone(black_box(&next)))));

    past(c);
    let model = Model::between(Some(&prev), next);
    let mut trends = Trends::default();
    c.bench_function("trends_10000", |b| b.iter(|| trends.push(black_box(&model))));
    let live = || -> Vec<_> { model.rows.iter().map(|row| RowView::live(&model, row, None)).collect() };
    for column in [Column::CpuPct, Column::Command] {
        c.bench_function(&format!("sort_10000_by_{column:?}"), |b| {
            b.iter(|| {
                let mut rows = live();
                sort(&mut rows, column, true);
                rows
            })
        });
    }

    let filter = parse("service cpu>0.5 or net>1M").expect("a filter");
    c.bench_function("filter_10000", |b| b.iter(|| live().into_iter().filter(|row| filter.matches(row)).count()));

    let report = Report { live: live(), mixed: live(), ..Report::empty(&model) };
    for format in [Format::Text, Format::Json, Format::Csv] {
        let options = BatchOptions::new(format, View::Processes.into(), &[], None).expect("defaults");
        let mut writer = options.writer;
        let mut out = Vec::new();
        c.bench_function(&format!("write_10000_{format:?}"), |b| {
            b.iter(|| {
                out.clear();
                writer.write(&report, &mut out).expect("memory takes all")
            })
        });
    }
}

criterion_group! {
    name = tick_costs;
    config = Criterion::default().with_measurement(CpuTime(WallTime));
    targets = benches
}
criterion_main!(tick_costs);

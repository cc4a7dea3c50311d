//! Columns: names, what fits in a width, cells of odd rows, order.

mod common;

use std::sync::Arc;

use common::*;
use ebtop::app::column::{
    Cell, CgroupColumn, CgroupView, Column, Columns, InterfaceColumn, InterfaceView, Kind, RemoteColumn, RemoteView, RowView, Set,
    SocketColumn, SocketView, Tone, Value, fit, sets, sort, wants,
};
use ebtop::model::Model;
use ebtop::model::remotes::remotes;
use ebtop::sample::Counter::*;
use ebtop::sample::*;

const ALL_SETS: [(&str, Set<Column>); 5] =
    [("processes", sets::PROCESSES), ("cpu", sets::CPU), ("memory", sets::MEMORY), ("network", sets::NETWORK), ("disk", sets::DISK)];

fn titles<C: Columns>(columns: &[C]) -> String {
    columns.iter().map(|c| c.spec().title).collect::<Vec<_>>().join(" ")
}

fn names_are_unique<C: Columns>() {
    let mut seen = std::collections::HashMap::new();
    for column in C::all() {
        let spec = column.spec();
        for name in [spec.name].iter().chain(spec.aliases) {
            assert_eq!(seen.insert(name.to_lowercase(), spec.title), None, "{name} names two columns");
        }
        assert_eq!(C::named(spec.title), Some(*column));
        assert_eq!(C::named(spec.name), Some(*column));
        assert!(spec.title.len() <= usize::from(spec.width), "{} is wider than its column", spec.title);
        assert!(spec.help.ends_with('.'), "{} is explained in whole sentences", spec.title);
    }
}

#[test]
fn every_column_has_names_of_its_own_and_help() {
    names_are_unique::<Column>();
    names_are_unique::<SocketColumn>();
    names_are_unique::<RemoteColumn>();
    names_are_unique::<InterfaceColumn>();
    names_are_unique::<CgroupColumn>();
    assert_eq!(CgroupColumn::all().last(), Some(&CgroupColumn::Name), "the last takes the rest");
    assert_eq!(Column::named("cpu_ns"), Some(Column::CpuPct));
    assert_eq!(Column::named("tx_bytes"), Some(Column::Tx));
    assert_eq!((Column::named("RX"), Column::named("rx")), (Some(Column::RxTotal), Some(Column::Rx)));
    assert_eq!(Column::named("cpu%"), Some(Column::CpuPct));
    assert_eq!(Column::named("nonsense"), None);
}

#[test]
fn wider_screens_show_more_and_never_less() {
    for (name, set) in ALL_SETS {
        let mut narrower: Vec<Column> = Vec::new();
        for width in 0..300u16 {
            let shown = fit(set.first, set.more, width);
            let used: u16 = shown.iter().map(|c| c.spec().width + 1).sum::<u16>() - 1;
            assert!(used <= width || shown.len() == 1, "{name} at {width} takes {used}");
            assert_eq!(shown.last(), Some(&Column::Command), "{name} at {width}");
            assert!(narrower.iter().all(|c| shown.contains(c)), "{name} at {width} lost a column");
            narrower = shown;
        }
        assert_eq!(narrower.len(), set.first.len() + set.more.len(), "{name}: all of it fits in the end");
    }
}

#[test]
fn eighty_columns_show_what_a_view_is_for() {
    for (name, set) in ALL_SETS {
        let shown = fit(set.first, set.more, 80);
        let missing: Vec<Column> = set.first.iter().filter(|c| !shown.contains(c)).copied().collect();
        // Memory is more than 80 columns tell: what tells least of it waits for a wider screen.
        let may_miss: &[Column] = if name == "memory" { &[Column::Shmem, Column::VmGrowth] } else { &[] };
        assert_eq!(missing, may_miss, "{name}: {}", titles(&shown));
    }
    assert_eq!(titles(&fit(sets::PROCESSES.first, sets::PROCESSES.more, 80)), titles(sets::PROCESSES.first));
    assert_eq!(titles(&fit(sets::PROCESSES.first, sets::PROCESSES.more, 60)), "PID USER S CPU% WAIT% RSS NET/s COMMAND");
    assert_eq!(
        titles(&fit(sets::PROCESSES.first, sets::PROCESSES.more, 100)),
        "PID USER S CPU% WAIT% RSS FLT/s NET/s IO/s TIME+ CPU-TREND PPID COMMAND"
    );
    assert_eq!(titles(&fit(sets::SOCKETS.first, sets::SOCKETS.more, 80)), "LOCAL REMOTE RX/s TX/s PID COMMAND");
}

#[test]
fn the_costly_probe_is_wanted_by_its_column_alone() {
    assert_eq!(wants(sets::PROCESSES.first), Wants::default());
    assert!(wants(sets::MEMORY.first).page_allocs);
}

fn cell(column: Column, row: &RowView<'_>) -> (String, Tone) {
    let Cell { text, tone } = column.cell(row, column.spec().width);
    (text, tone)
}

/// The numbers that a row has are of the kind that their columns say.
fn kinds_hold<'a, C: Columns>(row: &C::Row<'a>, at_least: usize) {
    let mut known = 0;
    for column in C::all() {
        let value = column.value(row);
        let kind = match value {
            Value::Unknown => continue,
            Value::Text(_) | Value::Pids(..) => Kind::Words,
            Value::Exact(_) | Value::PidWithin(..) | Value::Count(_) | Value::PerSec(_) => Kind::Count,
            Value::Bytes(_) | Value::BytesPerSec(_) => Kind::Bytes,
            Value::Percent(_) => Kind::Percent,
            Value::CpuTime(_) | Value::Duration(_) | Value::Micros(_) => Kind::Time,
            Value::Spark(_) => panic!("nothing is drawn here"),
        };
        assert_eq!(column.spec().kind, kind, "{}: {value:?}", column.spec().title);
        known += 1;
    }
    assert!(known >= at_least, "{known} of {} columns have a value", C::all().len());
}

#[test]
fn columns_hold_what_they_say() {
    let prev = sample(10 * SECOND, [task(80, "nginx")]);
    let mut next = sample(11 * SECOND, [task(80, "nginx")]);
    next.sockets = vec![socket(5, Some(task(80, "").key), "10.0.0.1:443", "10.0.0.9:51000")];
    next.cgroups = Some(Arc::new(Cgroups {
        list: vec![Cgroup {
            path: "/web".into(),
            pids: Some(vec![80]),
            cpu_max_milli: Some(1500),
            memory_bytes: Some(MIB),
            memory_max_bytes: Some(8 * MIB),
            anon_bytes: Some(MIB),
            file_bytes: Some(MIB),
            pressure: [Some(1.0); 3],
            ..Cgroup::default()
        }],
        ..Cgroups::default()
    }));
    let eth0 = Interface { name: "eth0".into(), state: "up".into(), speed_mbit: Some(10), ..Interface::default() };
    next.machine.interfaces = vec![eth0.clone()];
    let prev = Sample { machine: Machine { interfaces: vec![eth0], ..prev.machine.clone() }, ..prev };
    let model = Model::between(Some(&prev), Arc::new(next));
    kinds_hold::<Column>(&RowView::live(&model, &model.rows[0], Some(&details("nginx", "www"))), 40);
    kinds_hold::<SocketColumn>(&SocketView::new(&model, &model.sockets[0], None), 12);
    let remote = remotes(&model, |_| true).into_iter().next().expect("the other end");
    kinds_hold::<RemoteColumn>(&RemoteView::new(&model, remote), 8);
    kinds_hold::<InterfaceColumn>(&InterfaceView::new(&model, 0).expect("an interface"), 14);
    kinds_hold::<CgroupColumn>(&CgroupView::all(&model).next().expect("a group"), 10);
}

#[test]
fn unknown_is_blank_and_nothing_is_a_dim_dot() {
    let prev = sample(10 * SECOND, [task(1, "a")]);
    let kernel = Task { memory: None, kernel_thread: true, ..task(2, "k").born(SECOND) };
    let model = Model::between(Some(&prev), Arc::new(sample(12 * SECOND, [task(1, "a").with(CpuNs, 5 * SECOND), kernel])));
    let row = RowView::live(&model, &model.rows[0], None);
    assert_eq!(cell(Column::CpuPct, &row), ("250.0".into(), Tone::Hot));
    assert_eq!(cell(Column::CpuPct, &row.of_cores(10)), ("25.0".into(), Tone::Normal));
    assert_eq!(cell(Column::WaitPct, &row), ("0.0".into(), Tone::Dim));
    assert_eq!(cell(Column::Net, &row), ("·".into(), Tone::Dim));
    assert_eq!(cell(Column::Age, &row), ("11s".into(), Tone::Normal));
    let kernel = RowView::live(&model, &model.rows[1], None);
    assert_eq!(cell(Column::CpuPct, &kernel), (String::new(), Tone::Normal));
    assert_eq!(cell(Column::Rss, &kernel), (String::new(), Tone::Normal));
}

#[test]
fn the_exited_as_one_row() {
    let prev = sample(10 * SECOND, []);
    let mut next = sample(11 * SECOND, []);
    next.exits = vec![exit(task(5, "cc1").born(10 * SECOND + MS).with(CpuNs, 90 * MS), 11 * SECOND); 3];
    let model = Model::between(Some(&prev), Arc::new(next));
    let row = RowView::exited(&model, &model.exited.total);
    let columns = [Column::Pid, Column::User, Column::State, Column::CpuPct, Column::Rss, Column::Time, Column::Command];
    assert_eq!(columns.map(|c| cell(c, &row).0), ["", "(3)", "X", "27.0", "", "", "exited: cc1 3"]);
}

#[test]
fn hostile_names_are_made_fit() {
    let model = Model::between(None, Arc::new(sample(SECOND, [task(1, "\x1b[2J\u{202e}x")])));
    let command = cell(Column::Command, &RowView::live(&model, &model.rows[0], None)).0;
    assert_eq!(command, "\u{fffd}[2J\u{fffd}x");
}

#[test]
fn directories_go_from_programs_and_not_from_names_of_the_kernel() {
    let model = Model::between(None, Arc::new(sample(SECOND, [task(1, "kworker/0:1H"), task(2, "app")])));
    let shown = |row: usize, details: &Details| {
        let row = RowView::live(&model, &model.rows[row], Some(details)).with_paths(false);
        cell(Column::Command, &row).0
    };
    assert_eq!(shown(0, &details("", "root")), "kworker/0:1H");
    assert_eq!(shown(1, &details("/opt/app -v /tmp", "root")), "app -v /tmp");
}

#[test]
fn memory_that_shrinks_shows_a_sign() {
    let held = |anon_bytes| Task { memory: Some(Memory { anon_bytes, ..Memory::default() }), ..task(1, "a") };
    let model = Model::between(Some(&sample(10 * SECOND, [held(8 * MIB)])), Arc::new(sample(12 * SECOND, [held(2 * MIB)])));
    assert_eq!(cell(Column::RssGrowth, &RowView::live(&model, &model.rows[0], None)).0, "-3.0M");
}

#[test]
fn the_unknown_stands_last_whichever_way_it_is_sorted() {
    let prev = sample(10 * SECOND, [task(1, "b"), task(2, "a"), task(3, "c")]);
    let model = Model::between(
        Some(&prev),
        Arc::new(sample(
            11 * SECOND,
            [task(1, "b").with(CpuNs, 7), task(2, "a").with(CpuNs, 9), task(3, "c").with(CpuNs, 7), task(4, "old")],
        )),
    );
    let order = |column: Column, descending| {
        let mut rows: Vec<_> = model.rows.iter().map(|r| RowView::live(&model, r, None)).collect();
        sort(&mut rows, column, descending);
        rows.iter().filter_map(|r| r.task().map(|t| t.key.pid)).collect::<Vec<_>>()
    };
    assert_eq!(order(Column::CpuPct, true), [2, 1, 3, 4]);
    assert_eq!(order(Column::CpuPct, false), [1, 3, 2, 4]);
    assert_eq!(order(Column::Command, Column::Command.descends()), [2, 1, 3, 4]);
    assert_eq!(order(Column::Pid, true), [4, 3, 2, 1]);
}

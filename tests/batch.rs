//! Batch output over a scripted source: text, JSON, CSV, what is asked for, and how it ends.

mod common;

use std::io::{self, Write};
use std::sync::Arc;

use common::*;
use ebtop::app::net::NetTable;
use ebtop::app::user_names::UserNames;
use ebtop::app::view::{Shown, View};
use ebtop::batch::{BatchError, BatchOptions, Format, Outcome, run};
use ebtop::collect::{Collector, Source, SourceError};
use ebtop::export::Report;
use ebtop::export::stack::{NameStacks, NamedStack};
use ebtop::model::Model;
use ebtop::sample::Counter::*;
use ebtop::sample::*;
use ebtop::symbols::{Frame, FrameKind};

/// Three seconds of a small machine: a web server, a hostile name, a kernel thread, compilers that come and go.
fn samples() -> Vec<Sample> {
    let key = ProcKey { pid: 80, start_ns: SECOND };
    (0..3u64)
        .map(|i| {
            let at = (60 + i) * SECOND;
            let nginx = task(80, "nginx")
                .with(CpuNs, 1500 * MS * i)
                .with(TxBytes, 3 * MIB * i)
                .with(MinorFaults, 1200 * i)
                .with(WaitNs, 31 * MS * i);
            let hostile = Task { memory: None, state: b'Z', uid: 0, ..task(90, "a\x1b[2J,\"b\"") };
            let kernel = Task { kernel_thread: true, memory: None, uid: 0, ppid: 2, ..task(12, "kworker/0:1").with(CpuNs, 10 * MS * i) };
            let mut s = sample(at, [kernel, nginx, hostile]);
            s.machine.total.idle_ns = 2 * at - 1510 * MS * i;
            let cc1 = |pid, cpu| exit(task(pid, "cc1").born(at - 500 * MS).with(CpuNs, cpu), at - 100 * MS);
            s.exits = vec![cc1(300 + i as u32, 40 * MS), Exit { code: 1, signal: 9, ..cc1(310 + i as u32, 20 * MS) }];
            s.sockets = vec![
                Socket { tx_bytes: MIB * i, ..socket(7, Some(key), "10.0.0.1:443", "10.0.0.9:51000") },
                Socket { state: 10, owner: None, ..socket(8, None, "[::]:22", "[::]:0") },
            ];
            let backlog = Some(Backlog { waiting: 3, most: 128, dropped: 1 });
            let tcp = Some(TcpInfo { receive_queue_bytes: 3, backlog, ..TcpInfo::default() });
            s.sockets.push(Socket { state: 10, tcp, ..socket(9, Some(key), "0.0.0.0:443", "0.0.0.0:0") });
            let counters = InterfaceCounters { rx_bytes: 5 * MIB * i, rx_packets: 4000 * i, tx_errors: 2, ..InterfaceCounters::default() };
            s.machine.interfaces = vec![Interface { name: "eth0".into(), state: "up".into(), speed_mbit: Some(1000), counters }];
            s.stacks = Stacks { hz: 49, counts: vec![], interpreted: Vec::new() };
            s
        })
        .collect()
}

fn known_details() -> Vec<(u32, Details)> {
    vec![(80, details("nginx: worker process", "www-data")), (12, details("", "root"))]
}

fn options(format: Format, shown: impl Into<Shown>, fields: &[&str]) -> BatchOptions {
    let fields: Vec<String> = fields.iter().map(|f| f.to_string()).collect();
    BatchOptions::new(format, shown.into(), &fields, None).expect("good options")
}

fn output(options: &BatchOptions) -> (String, Outcome) {
    let (collector, _) = collector(samples(), known_details());
    let mut out = Vec::new();
    let outcome = run(&collector, options, &mut out).expect("the script ends well");
    (String::from_utf8(out).expect("text"), outcome)
}

fn once(options: BatchOptions) -> String {
    output(&BatchOptions { iterations: Some(1), ..options }).0
}

#[test]
fn text_is_an_aligned_table_under_the_machine() {
    insta::assert_snapshot!(once(options(Format::Text, View::Processes, &[])));
}

#[test]
fn text_of_sockets() {
    insta::assert_snapshot!(once(options(Format::Text, NetTable::Sockets, &[])));
}

#[test]
fn text_of_chosen_columns() {
    insta::assert_snapshot!(once(options(Format::Text, View::Memory, &["pid", "rss", "dRSS/s", "cpu_ns_total", "name"])));
}

#[test]
fn json_follows_its_schema() {
    let line = once(options(Format::Json, View::Processes, &[]));
    assert_eq!(line.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("JSON"));
}

#[test]
fn json_of_sockets() {
    let line = once(options(Format::Json, NetTable::Sockets, &[]));
    let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value["sockets"]).expect("JSON"));
}

#[test]
fn users_have_names_before_any_details_come() {
    let users = UserNames::new([(0, "root".to_owned()), (1000, "build".to_owned())]);
    let shown = |format, view: Shown, fields: &[&str]| {
        let (collector, _) = collector(samples(), Vec::new());
        let options = BatchOptions { iterations: Some(1), users: users.clone(), ..options(format, view, fields) };
        let mut out = Vec::new();
        run(&collector, &options, &mut out).expect("the script ends well");
        String::from_utf8(out).expect("text")
    };
    let text = shown(Format::Text, View::Processes.into(), &["pid", "user"]);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [["80", "build"], ["90", "root"], ["12", "root"]] {
        assert!(lines.contains(&line.to_vec()), "{line:?} in\n{text}");
    }
    let sockets = shown(Format::Csv, NetTable::Sockets.into(), &["pid", "user"]);
    assert!(sockets.lines().any(|line| line.ends_with("80,build")), "{sockets}");
    let other = Task { uid: 7, ..task(5, "x") };
    let model = Model::between(None, Arc::new(sample(60 * SECOND, [other])));
    let row = ebtop::app::column::RowView::live(&model, &model.rows[0], None).with_users(&users);
    let field = ebtop::export::field::PROCESS.iter().find(|(name, _)| *name == "user").expect("a field").1;
    assert_eq!(serde_json::to_value(field(&row)).expect("JSON"), serde_json::Value::Null, "a number is no name");
}

#[test]
fn csv_has_one_heading_and_quotes_what_needs_it() {
    insta::assert_snapshot!(output(&options(Format::Csv, View::Processes, &["pid", "comm", "cpu", "faults", "exit_signal"])).0);
}

#[test]
fn csv_of_sockets() {
    insta::assert_snapshot!(once(options(
        Format::Csv,
        NetTable::Sockets,
        &["cookie", "pid", "local", "remote", "state", "tx_bytes", "rtt"]
    )));
}

/// Two groups of version 2, one with a limit that it meets, and something that could not be read.
fn with_groups(mut sample: Sample, tick: u64) -> Sample {
    let group = |path: &str, key, parent, pids: &[u32]| Cgroup {
        path: path.into(),
        key,
        parent,
        id: key,
        inode: key,
        pids: Some(pids.to_vec()),
        cpu_ns: Some(1500 * MS * tick),
        ..Cgroup::default()
    };
    let limited = Cgroup {
        periods: Some(10 * tick),
        throttled_periods: Some(5 * tick),
        throttled_ns: Some(70 * MS * tick),
        cpu_max_milli: Some(1500),
        memory_bytes: Some(6 * MIB),
        memory_max_bytes: Some(8 * MIB),
        pressure: [Some(12.5), Some(0.0), None],
        ..group("/web,\u{fffd}[2J", 3, Some(0), &[80])
    };
    let list = vec![Cgroup { holds_all: true, ..group("/", 1, None, &[]) }, limited];
    sample.cgroups = Some(Arc::new(Cgroups { at_ns: sample.at_ns + MS, list, left_out: 2, trouble: Some("one file …".into()) }));
    sample
}

#[test]
fn cgroups_in_every_format() {
    let samples: Vec<_> = samples().into_iter().zip(0..).map(|(sample, tick)| with_groups(sample, tick)).collect();
    let mut all = String::new();
    for format in [Format::Text, Format::Json, Format::Csv] {
        let (collector, wants) = collector(samples.clone(), known_details());
        let mut out = Vec::new();
        let options = BatchOptions { iterations: Some(1), recorded: true, ..options(format, View::Cgroups, &[]) };
        let outcome = run(&collector, &options, &mut out).unwrap();
        assert!(outcome.partial, "something is missing");
        let wants = *wants.lock().unwrap();
        assert!(wants.cgroups && wants.cgroup_memory == (format != Format::Text), "{format:?}: {wants:?}");
        let text = String::from_utf8(out).unwrap();
        match format {
            Format::Json => {
                let tick: serde_json::Value = serde_json::from_str(&text).unwrap();
                all += &serde_json::to_string_pretty(&tick["cgroups"]).unwrap();
                all += &format!("\n{} {}\n\n", tick["cgroups_left_out"], tick["cgroups_trouble"]);
            }
            _ => all += &text,
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn cgroups_are_filtered_and_sorted_by_their_own_columns() {
    let samples: Vec<_> = samples().into_iter().zip(0..).map(|(sample, tick)| with_groups(sample, tick)).collect();
    let paths = |filter: &str, sort: &str| {
        let (collector, _) = collector(samples.clone(), known_details());
        let options = BatchOptions::new(Format::Json, View::Cgroups.into(), &["path".into()], Some(sort)).unwrap();
        let filter = ebtop::app::filter::parse(filter).unwrap();
        let mut out = Vec::new();
        run(&collector, &BatchOptions { iterations: Some(1), filter, ..options }, &mut out).unwrap();
        let tick: serde_json::Value = serde_json::from_slice(&out).unwrap();
        tick["cgroups"].as_array().unwrap().iter().map(|group| group["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths("", "name"), ["/", "/web,\u{fffd}[2J"]);
    assert_eq!(paths("throttle>=50", "cpu"), ["/web,\u{fffd}[2J"]);
    assert_eq!(paths("memmax>80", "mem"), Vec::<String>::new());
    let unknown = BatchOptions::new(Format::Text, View::Cgroups.into(), &[], Some("vcs")).unwrap_err().to_string();
    assert!(unknown.contains("there are: procs cpu throttle mem"), "{unknown}");
}

#[test]
fn disks_are_told_of_in_the_view_that_shows_them() {
    let mut samples = samples();
    for (sample, tick) in samples.iter_mut().zip(0..) {
        sample.machine.disks = vec![Disk {
            name: "vda".into(),
            writes: 5 + tick * 3,
            write_bytes: tick * 12_288,
            busy_ms: 250 * tick as u32,
            ..Disk::default()
        }];
    }
    let disks = |view: View| {
        let (collector, _) = collector(samples.clone(), known_details());
        let mut out = Vec::new();
        run(&collector, &BatchOptions { iterations: Some(1), ..options(Format::Json, view, &[]) }, &mut out).unwrap();
        serde_json::from_slice::<serde_json::Value>(&out).unwrap()["disks"].clone()
    };
    let expected = serde_json::json!([{
        "name": "vda", "read_bytes": 0, "write_bytes": 12_288, "reads": 0, "writes": 3, "wait_ns": 0, "busy_ns": 250 * MS, "queue_ns": 0, "in_flight": 0,
    }]);
    assert_eq!((disks(View::Disk), disks(View::Processes)), (expected, serde_json::Value::Null));
}

#[test]
fn what_the_network_consists_of_in_every_format() {
    for (net, name) in [(NetTable::Listeners, "listeners"), (NetTable::Remotes, "remotes"), (NetTable::Interfaces, "interfaces")] {
        let value: serde_json::Value = serde_json::from_str(&once(options(Format::Json, net, &[]))).expect("JSON");
        let text = once(options(Format::Text, net, &[]));
        let table: Vec<&str> = text.lines().skip(3).collect();
        let csv = once(options(Format::Csv, net, &[]));
        let json = serde_json::to_string_pretty(&value[name]).expect("JSON");
        insta::assert_snapshot!(format!("network_{name}"), format!("{}\n\n{csv}\n{json}", table.join("\n")));
    }
}

#[test]
fn tables_of_the_network_are_sorted_and_filtered_by_columns_of_their_own() {
    let with = |table: NetTable, sort, text: &str| {
        let options = BatchOptions::new(Format::Json, table.into(), &[], Some(sort)).expect("a column");
        let filter = ebtop::app::filter::parse(text).expect("a filter");
        let value: serde_json::Value = serde_json::from_str(&once(BatchOptions { filter, ..options })).expect("JSON");
        let name = ["listeners", "remotes", "interfaces"].into_iter().find(|name| value[name].is_array()).expect("a list");
        value[name].as_array().map(Vec::len)
    };
    assert_eq!((with(NetTable::Listeners, "waiting", "full>2"), with(NetTable::Listeners, "max", "waiting>3")), (Some(1), Some(0)));
    assert_eq!((with(NetTable::Remotes, "rtt", "remote:10.0"), with(NetTable::Remotes, "conn", "conn>1")), (Some(1), Some(0)));
    assert_eq!((with(NetTable::Interfaces, "speed", "rx>1M"), with(NetTable::Interfaces, "err", "state=down")), (Some(1), Some(0)));
    assert!(BatchOptions::new(Format::Text, NetTable::Remotes.into(), &[], Some("cpu")).is_err());
}

#[test]
fn every_tick_but_the_first_sample_is_written_until_the_source_ends() {
    let (text, outcome) = output(&options(Format::Json, View::Processes, &["pid", "cpu_ns"]));
    assert_eq!(outcome, Outcome { ticks: 2, partial: false });
    for line in text.lines() {
        let tick: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(tick["interval_ns"], SECOND);
        assert_eq!(tick["processes"][0], serde_json::json!({"pid": 80, "cpu_ns": 1500 * MS}), "sorted by CPU");
        assert_eq!(tick["exited"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn filters_pids_and_users_choose_rows() {
    let pids = |options: BatchOptions| -> Vec<u64> {
        let tick: serde_json::Value = serde_json::from_str(&once(options)).expect("JSON");
        let list = |name: &str| tick[name].as_array().expect("a list").iter().filter_map(|p| p["pid"].as_u64()).collect::<Vec<_>>();
        [list("processes"), list("exited")].concat()
    };
    let json = || options(Format::Json, View::Processes, &[]);
    assert_eq!(pids(json()), [80, 12, 90, 301, 311]);
    let filter = |text| ebtop::app::filter::parse(text).expect("a filter");
    assert_eq!(pids(BatchOptions { filter: filter("user=www-data"), ..json() }), [80]);
    assert_eq!(pids(BatchOptions { filter: filter("exited cpu>2"), ..json() }), [301]);
    assert_eq!(pids(BatchOptions { filter: filter("pid=12 or pid=311"), ..json() }), [12, 311]);
}

#[test]
fn only_what_is_shown_is_collected() {
    let wanted = |options: BatchOptions| {
        let (collector, wants) = collector(samples(), known_details());
        run(&collector, &options, &mut Vec::new()).expect("the script ends well");
        let wants = *wants.lock().expect("nobody panicked");
        (wants.sockets, wants.page_allocs)
    };
    assert_eq!(wanted(options(Format::Json, View::Memory, &[])), (false, false));
    assert_eq!(wanted(options(Format::Json, View::Memory, &["page_allocs"])), (false, true));
    assert_eq!(wanted(options(Format::Csv, View::Memory, &["pgalloc"])), (false, true));
    assert_eq!(wanted(options(Format::Text, View::Memory, &[])), (false, true));
    assert_eq!(wanted(options(Format::Text, NetTable::Sockets, &[])), (true, false));
}

#[test]
fn what_is_sorted_or_filtered_by_is_collected_too() {
    let wanted = |format, view: View, sort, filter: &str| {
        let (collector, wants) = collector(samples(), known_details());
        let options = BatchOptions::new(format, view.into(), &[], sort).expect("good options");
        let filter = ebtop::app::filter::parse(filter).expect("a filter");
        run(&collector, &BatchOptions { filter, ..options }, &mut Vec::new()).expect("the script ends well");
        *wants.lock().expect("nobody panicked")
    };
    for format in [Format::Text, Format::Json, Format::Csv] {
        assert!(!wanted(format, View::Processes, None, "").page_allocs);
        assert!(wanted(format, View::Processes, Some("pgalloc"), "").page_allocs);
        assert!(wanted(format, View::Processes, None, "nginx or !(cpu>5 page_allocs<=0)").page_allocs);
    }
    assert!(!wanted(Format::Text, View::Cgroups, None, "").cgroup_memory);
    assert!(wanted(Format::Text, View::Cgroups, Some("anon"), "").cgroup_memory);
    let filtered = wanted(Format::Text, View::Cgroups, None, "file>1M");
    assert!(filtered.cgroup_memory && filtered.cgroups);
}

#[test]
fn text_shows_the_column_it_is_sorted_by() {
    fn headings(shown: impl Into<Shown>, fields: &[&str], sort: Option<&str>) -> String {
        let fields: Vec<String> = fields.iter().map(|f| f.to_string()).collect();
        let options = BatchOptions::new(Format::Text, shown.into(), &fields, sort).expect("good options");
        let text = once(options);
        let words = text.lines().nth(3).unwrap_or_default().split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    }
    assert!(headings(View::Processes, &[], Some("swap")).ends_with(" TIME+ SWAP COMMAND"));
    assert_eq!(headings(View::Processes, &[], Some("rss")), headings(View::Processes, &[], None));
    assert!(!headings(View::Network, &[], None).contains("NET/s"));
    assert!(headings(View::Cgroups, &[], Some("anon")).ends_with(" ANON NAME"));
    assert!(headings(NetTable::Sockets, &[], Some("netns")).ends_with(" NETNS COMMAND"));
    assert!(headings(NetTable::Listeners, &[], Some("rx")).ends_with(" RX/s COMMAND"));
    assert_eq!(headings(View::Processes, &["pid", "comm"], Some("swap")), "PID COMMAND", "chosen columns are those");
}

#[test]
fn losses_and_missing_domains_make_the_data_partial() {
    let run_with = |change: fn(&mut DomainStatus)| {
        let mut all = samples();
        all[1].status.iter_mut().for_each(change);
        let (collector, _) = collector(all, known_details());
        run(&collector, &options(Format::Json, View::Processes, &[]), &mut Vec::new()).expect("the script ends well").partial
    };
    assert!(run_with(|s| s.lost = 3));
    assert!(run_with(|s| if s.domain == Domain::Net {
        s.health = Health::Off { reason: "no BTF".into() }
    }));
    assert!(
        !run_with(|s| if s.domain == Domain::Stacks {
            s.health = Health::Off { reason: "--hz 0".into() }
        }),
        "not shown, not missed"
    );
}

#[test]
fn a_part_that_is_off_is_missed_only_where_something_of_it_is_shown() {
    let partial = |off: &[Domain], options: &BatchOptions| {
        let mut all: Vec<_> = samples().into_iter().zip(0..).map(|(sample, tick)| with_groups(sample, tick)).collect();
        for sample in &mut all {
            let groups = Arc::make_mut(sample.cgroups.as_mut().expect("groups"));
            (groups.left_out, groups.trouble) = (0, None);
            for status in sample.status.iter_mut().filter(|status| off.contains(&status.domain)) {
                status.health = Health::Off { reason: "--no-bpf".into() };
            }
        }
        let (collector, _) = collector(all, known_details());
        run(&collector, options, &mut Vec::new()).expect("the script ends well").partial
    };
    for format in [Format::Text, Format::Json, Format::Csv] {
        assert!(!partial(&Domain::ALL, &options(format, NetTable::Interfaces, &[])), "{format:?}");
        assert!(partial(&[Domain::Net], &options(format, NetTable::Remotes, &[])), "{format:?}");
        assert!(!partial(&[Domain::Net], &options(format, View::Disk, &["pid", "io"])), "{format:?}");
        assert!(!partial(&[Domain::Net], &options(format, View::Cgroups, &["path", "mem"])), "{format:?}");
        assert!(partial(&[Domain::Net], &options(format, View::Cgroups, &[])), "{format:?}");
        assert!(partial(&[Domain::Tasks], &options(format, View::Disk, &[])), "{format:?}");
    }
    assert!(!partial(&[Domain::Net], &options(Format::Text, View::Disk, &[])));
    let by_net = BatchOptions { filter: ebtop::app::filter::parse("net>1k").expect("a filter"), ..options(Format::Text, View::Disk, &[]) };
    assert!(partial(&[Domain::Net], &by_net));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in [Format::Text, Format::Json, Format::Csv] {
        let (broken, _) = collector(samples(), known_details());
        let outcome = run(&broken, &options(format, View::Processes, &[]), &mut Gone).expect("no error");
        assert_eq!(outcome.ticks, 0);
        let (full, _) = collector(samples(), known_details());
        let error = run(&full, &options(format, View::Processes, &[]), &mut Full).expect_err("a full disk is an error");
        assert!(matches!(error, BatchError::Output(_)), "{error}");
    }
}

#[test]
fn unknown_names_list_the_known() {
    let error = |format, fields: &[&str], sort| {
        let fields: Vec<String> = fields.iter().map(|f| f.to_string()).collect();
        BatchOptions::new(format, View::Processes.into(), &fields, sort).expect_err("an unknown name").to_string()
    };
    assert!(error(Format::Json, &["bogus"], None).starts_with("there is no field `bogus`; there are: pid start_ns"));
    assert!(error(Format::Text, &["bogus"], None).starts_with("there is no column `bogus`; there are: pid ppid"));
    assert!(error(Format::Json, &[], Some("bogus")).starts_with("there is no column `bogus`"));
}

#[test]
fn every_column_is_made_from_fields_that_exist() {
    use ebtop::app::column::{CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, SocketColumn};
    use ebtop::export::field::{CGROUP, PROCESS, SOCKET};
    use ebtop::export::net_field::{INTERFACE, REMOTE, listener};
    for spec in Column::all().iter().map(|c| c.spec()) {
        for field in spec.fields {
            assert!(PROCESS.iter().any(|(name, _)| name == field), "{} of {}", field, spec.title);
        }
    }
    let of_remotes = RemoteColumn::all().iter().map(|c| (c.spec(), REMOTE.iter().map(|(name, _)| *name).collect::<Vec<_>>()));
    let of_interfaces = InterfaceColumn::all().iter().map(|c| (c.spec(), INTERFACE.iter().map(|(name, _)| *name).collect()));
    for (spec, fields) in of_remotes.chain(of_interfaces) {
        assert!(spec.fields.iter().all(|field| fields.contains(field)), "{}", spec.title);
    }
    assert_eq!(listener().len(), 13, "all fields of listeners are fields of sockets");
    for spec in CgroupColumn::all().iter().map(|c| c.spec()) {
        for field in spec.fields {
            assert!(CGROUP.iter().any(|(name, _)| name == field), "{} of {}", field, spec.title);
        }
    }
    for spec in SocketColumn::all().iter().map(|c| c.spec()) {
        for field in spec.fields {
            assert!(SOCKET.iter().any(|(name, _)| name == field), "{} of {}", field, spec.title);
        }
    }
}

/// Calls every address by itself, but for one that has no name.
struct Addresses;

impl NameStacks for Addresses {
    fn name(&mut self, stacks: &[StackCount]) -> Vec<Vec<Frame>> {
        let frame = |address: u64, kind| Frame {
            function: (address != 0x99).then(|| format!("f{address:x}")),
            module: "app".into(),
            offset: address,
            kind,
            source: None,
        };
        let of = |stack: &StackCount| {
            let user = stack.user.iter().rev().map(|a| frame(*a, FrameKind::Native));
            user.chain(stack.kernel.iter().rev().map(|a| frame(*a, FrameKind::Kernel))).collect()
        };
        stacks.iter().map(of).collect()
    }
}

#[test]
fn stacks_in_every_format() {
    let model = Model::between(Some(&samples()[0]), std::sync::Arc::new(samples().swap_remove(1)));
    let count = |tid, count, quality| StackCount {
        key: ProcKey { pid: 80, start_ns: SECOND },
        tid,
        comm: Comm::new(b"nginx"),
        weight: Weight::OnCpu,
        count,
        value: count.into(),
        kernel: [0x33].into(),
        user: [0x99, 0x11].into(),
        quality,
        ..StackCount::default()
    };
    let counts = [count(80, 2, StackQuality::Cut), count(81, 9, StackQuality::Complete)];
    let report = Report { stacks: Some(NamedStack::all(&counts, &mut Addresses)), ..Report::empty(&model) };
    let mut out = Vec::new();
    for format in [Format::Text, Format::Json, Format::Csv] {
        options(format, View::Stacks, &[]).writer.write(&report, &mut out).expect("memory takes all");
    }
    insta::assert_snapshot!(String::from_utf8(out).expect("text"));
}

#[test]
fn json_says_what_does_not_work_and_why() {
    let mut all = samples();
    all[1].status[Domain::Net as usize].health = Health::Degraded { reason: "no UDP".into() };
    all[1].status[Domain::Mem as usize].health = Health::Standby;
    let model = Model::between(Some(&samples()[0]), std::sync::Arc::new(all.swap_remove(1)));
    let mut out = Vec::new();
    options(Format::Json, View::Processes, &[]).writer.write(&Report::empty(&model), &mut out).expect("memory takes all");
    let tick: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    let expected = serde_json::json!({
        "tasks": {"state": "live"}, "net": {"state": "degraded", "reason": "no UDP"}, "stacks": {"state": "live"}, "mem": {"state": "standby"},
        "watch": {"state": "live"},
    });
    assert_eq!(tick["health"], expected);
}

/// One process, ten seconds a tick; its command line tells how often it was read.
struct Renaming {
    ticks: u64,
    reads: u32,
}

impl Source for Renaming {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        self.ticks += 1;
        match self.ticks {
            9.. => Err(SourceError::End),
            ticks => Ok(sample((100 + 10 * ticks) * SECOND, [task(1, "postgres")])),
        }
    }

    fn want(&mut self, _wants: Wants) {}

    fn details(&mut self, _key: ProcKey) -> Option<Details> {
        self.reads += 1;
        Some(details(&format!("postgres: {}", self.reads), "postgres"))
    }

    fn has_own_details(&self) -> bool {
        true
    }
}

#[test]
fn a_command_line_that_changes_without_exec_is_read_again() {
    let collector = Collector::start(std::time::Duration::from_millis(20), || Ok(Renaming { ticks: 0, reads: 0 })).expect("it starts");
    let mut out = Vec::new();
    run(&collector, &options(Format::Csv, View::Processes, &["cmdline"]), &mut out).expect("it ends well");
    let text = String::from_utf8(out).expect("text");
    assert!(text.contains("postgres: 1") && text.contains("postgres: 3"), "{text}");
    assert!(!text.contains("postgres: 5"), "read too often: {text}");
}

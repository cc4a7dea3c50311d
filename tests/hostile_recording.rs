//! A recording may come from anyone: whatever numbers and words it holds, nothing panics and nothing but text reaches the terminal.

mod ui_world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use ebtop::app::Event;
use ebtop::app::view::{Shown, View};
use ebtop::batch::{self, BatchOptions, Format};
use ebtop::collect::{Collector, Source};
use ebtop::record::{Recorder, Replay};
use ebtop::sample::*;
use proptest::prelude::*;
use ui_world::*;

const EVIL: &str = "a\x1b[2J\u{202e}\x07\n";

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(1 << 63), Just(u64::from(u32::MAX)), any::<u64>()]
}

fn small() -> impl Strategy<Value = u32> {
    number().prop_map(|n| n as u32)
}

prop_compose! {
    fn any_task()(pid in 0u32..6, start_ns in number(), n in prop::array::uniform6(number()), s in prop::array::uniform6(small())) -> Task {
        let mut counters = Counters::default();
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            if !(n[0] as usize ^ i).is_multiple_of(5) {
                counters.set(counter, n[i % 6]);
            }
        }
        let memory = Memory { anon_bytes: n[1], file_bytes: n[2], shmem_bytes: n[3], swap_bytes: n[4], vm_bytes: n[5] };
        Task {
            key: ProcKey { pid, start_ns },
            ppid: s[0],
            uid: s[1],
            comm: Comm(*b"\x1b]0;evil\x07\xff\xff\xff\xff\xff\xff\0"),
            state: s[2] as u8,
            kernel_thread: s[3] & 1 == 0,
            nice: s[3] as i8,
            threads: s[4],
            last_cpu: s[5],
            exec_id: n[0],
            cgroup_id: n[0],
            counters,
            memory: (s[5] & 1 == 0).then_some(memory),
        }
    }
}

prop_compose! {
    fn any_socket()(cookie in number(), pid in 0u32..6, state: u8, port: u16, n in prop::array::uniform6(number()), udp: bool) -> Socket {
        let tcp = TcpInfo {
            acked_bytes: n[0],
            received_bytes: n[1],
            retransmits: n[2],
            rtt_us: Some(n[3] as u32),
            send_queue_bytes: n[4] as u32,
            receive_queue_bytes: n[5] as u32,
            backlog: udp.then_some(Backlog { waiting: n[0] as u32, most: n[1] as u32, dropped: n[2] as u32 }),
        };
        Socket {
            cookie,
            owner: Some(ProcKey { pid, start_ns: n[0] }),
            protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
            state,
            local: ([255, 255, 255, 255], port).into(),
            remote: (std::net::Ipv6Addr::from(u128::MAX), port).into(),
            netns: n[1] as u32,
            tx_bytes: n[2],
            rx_bytes: n[3],
            tx_messages: n[4],
            rx_messages: n[5],
            since_ns: n[0],
            tcp: (!udp).then_some(tcp),
            closed: state & 1 == 0,
        }
    }
}

const WEIGHTS: [Weight; 9] = {
    use Weight::*;
    [OnCpu, Sleeping, Blocked, Runnable, MinorFault, MajorFault, Alloc, Sent, Received]
};

prop_compose! {
    fn any_stack()(
        pid in 0u32..6,
        count in small(),
        value in number(),
        weight in prop::sample::select(WEIGHTS.to_vec()),
        quality in prop::sample::select(StackQuality::ALL.to_vec()),
        kernel in prop::collection::vec(number(), 0..4),
        user in prop::collection::vec(prop_oneof![number(), INTERPRETED..INTERPRETED + 4], 0..4),
    ) -> StackCount {
        StackCount {
            key: ProcKey { pid, start_ns: 1 },
            tid: count,
            comm: Comm(*b"\x1b]0;evil\x07\xff\xff\xff\xff\xff\xff\0"),
            weight,
            count,
            value,
            waker: Some(Arc::new(Waker { key: ProcKey { pid: 1, start_ns: value }, tid: count, kernel: kernel.clone().into(), user: user.clone().into(), ..Waker::default() })),
            kernel: kernel.into(),
            user: user.into(),
            quality,
        }
    }
}

fn any_disk(n: [u64; 8]) -> Disk {
    let [reads, writes, read_bytes, write_bytes, read_ms, busy_ms, queue_ms, in_flight] = n;
    Disk {
        name: EVIL.into(),
        reads,
        writes,
        read_bytes,
        write_bytes,
        read_ms: read_ms as u32,
        write_ms: !read_ms as u32,
        busy_ms: busy_ms as u32,
        queue_ms: queue_ms as u32,
        in_flight: in_flight as u32,
    }
}

prop_compose! {
    fn any_machine()(cpus in prop::collection::vec((small(), prop::array::uniform8(number())), 0..5), n in prop::array::uniform8(number()), load: f32) -> Machine {
        let times = |n: [u64; 8]| CpuTimes {
            user_ns: n[0],
            nice_ns: n[1],
            system_ns: n[2],
            idle_ns: n[3],
            iowait_ns: n[4],
            irq_ns: n[5],
            softirq_ns: n[6],
            steal_ns: n[7],
        };
        Machine {
            disks: vec![any_disk(n)],
            host: EVIL.into(),
            kernel: EVIL.into(),
            cpus: cpus.into_iter().map(|(cpu, n)| (cpu, times(n))).collect(),
            total: times(n),
            irq_apart: Some(true),
            steal_apart: Some(true),
            memory: MachineMemory {
                total_bytes: n[0],
                free_bytes: n[1],
                available_bytes: n[2],
                buffers_bytes: n[3],
                cache_bytes: n[4],
                shared_bytes: n[5],
                swap_total_bytes: n[6],
                swap_free_bytes: n[7],
            },
            interfaces: vec![Interface {
                name: EVIL.into(),
                state: EVIL.into(),
                speed_mbit: Some(n[0] as u32),
                counters: InterfaceCounters { rx_bytes: n[1], tx_bytes: n[2], rx_errors: n[3], tx_errors: n[4], ..InterfaceCounters::default() },
            }],
            load: [load, f32::MAX, f32::MIN],
            uptime_ns: n[0],
            running: n[1] as u32,
            threads: n[2] as u32,
            wire_rx_bytes: n[3],
            wire_tx_bytes: n[4],
            disk_read_bytes: n[5],
            disk_write_bytes: n[6],
            pressure: Some(Pressure { cpu_pct: load, memory_pct: f32::MAX, io_pct: -load }),
        }
    }
}

prop_compose! {
    fn any_group()(
        key in 0u64..6,
        parent in prop::option::of(0u32..6),
        pids in prop::option::of(prop::collection::vec(prop_oneof![0u32..6, small()], 0..6)),
        n in prop::array::uniform6(prop::option::of(number())),
        pressure: [Option<f32>; 3],
        holds_all: bool,
    ) -> Cgroup {
        let [cpu_ns, periods, throttled_periods, memory_bytes, memory_max_bytes, cpu_max_milli] = n;
        Cgroup {
            path: format!("/{EVIL}{key}"),
            key,
            parent,
            id: key,
            inode: key,
            holds_all,
            pids,
            cpu_ns,
            periods,
            throttled_periods,
            throttled_ns: cpu_ns,
            cpu_max_milli,
            memory_bytes,
            memory_max_bytes,
            anon_bytes: memory_bytes,
            file_bytes: periods,
            pressure,
            device_read_bytes: periods,
            device_write_bytes: cpu_ns,
        }
    }
}

prop_compose! {
    fn any_sample()(
        at_ns in number(),
        unix_ms in number(),
        tasks in prop::collection::vec(any_task(), 0..6),
        exits in prop::collection::vec((any_task(), number()), 0..6),
        sockets in prop::collection::vec(any_socket(), 0..6),
        counts in prop::collection::vec(any_stack(), 0..6),
        machine in any_machine(),
        lost in number(),
        (hz, groups) in (small(), prop::option::of(prop::collection::vec(any_group(), 0..8))),
    ) -> Sample {
        let exit = |(task, n): (Task, u64)| Exit { task, at_ns: n, code: n as u8, signal: n as u8, peak_rss_bytes: Some(n) };
        let status = |domain| DomainStatus { domain, health: Health::Degraded { reason: EVIL.into() }, lost, cost: Some(EVIL.into()) };
        Sample {
            cgroups: groups.map(|list| Arc::new(Cgroups { at_ns: lost, list, left_out: hz, trouble: Some(EVIL.into()) })),
            at_ns,
            unix_ms,
            tasks: tasks.into(),
            threads: Vec::new(),
            exits: exits.into_iter().map(exit).collect(),
            sockets,
            stacks: Stacks { hz, counts, interpreted: (0..3).map(|n| (INTERPRETED + n, evil_line(n))).collect() },
            machine,
            status: Domain::ALL.map(status).into(),
            own_cpu_ns: lost,
        }
    }
}

fn evil_line(n: u64) -> InterpretedFrame {
    InterpretedFrame { function: format!("{EVIL}{n}").into(), file: EVIL.into(), line: u32::MAX }
}

/// The samples as a replay gives them, their details too.
fn replayed(samples: &[Sample], path: &std::path::Path) -> Replay {
    let mut recorder = Recorder::create(path).unwrap();
    for sample in samples {
        let words = || Some(EVIL.to_string());
        let container = Container { id: EVIL.into(), name: words(), pod: words(), namespace: words(), ..Container::default() };
        let evil = Details {
            cmdline: EVIL.into(),
            exe: words(),
            user: EVIL.into(),
            uid: None,
            cgroup: words(),
            container: Some(container.into()),
            inner_pid: Some(1),
        };
        recorder.details(&sample.tasks.iter().map(|task| (task.key, evil.clone())).collect::<Vec<_>>());
        recorder.sample(sample).unwrap();
    }
    Replay::open(path).unwrap()
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}'))
}

/// Plays a recording on a screen of that size, and walks through all views.
fn check_screen(mut replay: Replay, (width, height): (u16, u16), walks: &[&str]) {
    let mut app = fresh(width, height);
    let mut played = 0;
    while let Ok(sample) = replay.sample() {
        let keys: Vec<_> = sample.tasks.iter().map(|task| task.key).collect();
        show(&mut app, sample);
        let found = keys.into_iter().filter_map(|key| Some((key, replay.details(key)?))).collect();
        app.update(Event::Update(Update::Details(found)));
        played += 1;
    }
    assert!(played > 0);
    for walk in walks {
        for key in walk.chars() {
            keys(&mut app, key.encode_utf8(&mut [0; 4]));
            assert!(is_plain(&screen(&app)), "{key:?} of {walk:?} at {width}×{height}");
        }
        keys(&mut app, "\x1b\x1b\x1b\x1b");
    }
}

/// Keys in each view, one after the other; from one walk to the next Esc leads out of everything.
const WALKS: [&str; 12] = [
    "1ee",
    "1t*+H*tHKKg\n*g\x1b",
    "1 cUFi/a\n\x1b\x1bi",
    "1k\x1bu\x1b>\x1b?\x1b:\x1bS\x1b",
    "2\x1b3\x1b5\x1b6t*tn>\x1b\n\x1bb\x1b",
    "4s/1\n\x1bl\n\x1br\n\x1bw",
    "7ffc\x1bwwWHp\n\x1b",
    "7fyoofffo",
    "7oyffy",
    "7afaffa",
    "7BfffbmbE\x1b",
    "1\\cpu>1 or comm:a\n7/a\n\x1b",
];

fn check_batch(path: &std::path::Path) {
    let all = Shown::value_variants().iter().filter(|shown| shown.view != View::Stacks);
    for (format, shown) in all.flat_map(|shown| [Format::Text, Format::Json, Format::Csv].map(|format| (format, *shown))) {
        let path = path.to_owned();
        let collector = Collector::start(Duration::from_millis(1), move || Ok(Replay::open(&path)?)).unwrap();
        let mut out = Vec::new();
        batch::run(&collector, &BatchOptions::new(format, shown, &[], None).unwrap(), &mut out).unwrap();
        assert!(is_plain(&String::from_utf8(out).unwrap()), "{format:?} {shown:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn nothing_in_a_recording_harms(samples in prop::collection::vec(any_sample(), 1..4)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recording");
        for size in [(60, 15), (80, 24), (120, 40)] {
            check_screen(replayed(&samples, &path), size, &WALKS);
        }
        check_batch(&path);
    }
}

/// Each view once.
const SHORT_WALKS: [&str; 5] = ["1eet*H", "2356", "4s\x1blrw", "7ffyo", "7afBf"];

/// Many of one thing; all else is as in a good recording.
fn many(what: &str, later: bool) -> Sample {
    const MANY: usize = 100_000;
    let mut sample = with_sockets(server(later), later);
    let turn = |at: usize| if later { MANY - at } else { at };
    let name = |at: usize| format!("{:09}", turn(at));
    let frame = |at: usize| (at as u64) << 20;
    match what {
        "cpus" => {
            sample.machine.cpus = (0..MANY).map(|at| (turn(at) as u32, CpuTimes { user_ns: at as u64, ..CpuTimes::default() })).collect()
        }
        "interfaces" => {
            sample.machine.interfaces = (0..MANY).map(|at| Interface { name: name(at), ..Interface::default() }).collect();
        }
        "disks" => sample.machine.disks = (0..MANY).map(|at| Disk { name: name(at), reads: 1, ..Disk::default() }).collect(),
        "status" => {
            let status = DomainStatus { domain: Domain::Net, health: Health::Degraded { reason: "a ".repeat(20) }, lost: 1, cost: None };
            sample.status = vec![status; MANY];
        }
        "sockets" => {
            let one = sample.sockets[0];
            sample.sockets = (0..MANY).map(|at| Socket { cookie: turn(at) as u64, ..one }).collect();
        }
        "exits" => {
            let one = Exit { task: Task { key: ProcKey { pid: 1, start_ns: 1 }, ..Task::default() }, ..Exit::default() };
            sample.exits = vec![one; MANY / 4];
        }
        "chain of processes" => {
            let below =
                |pid: usize| Task { key: ProcKey { pid: pid as u32, start_ns: 1 }, ppid: pid as u32 - 1, state: b'S', ..Task::default() };
            sample.tasks = (1..MANY / 10).map(below).collect();
        }
        "cgroups" => {
            let below = |at: u64| Cgroup {
                path: format!("/{at}"),
                key: if later { !at } else { at },
                parent: at.checked_sub(1).map(|above| above as u32),
                holds_all: true,
                pids: Some((0..1000).collect()),
                ..Cgroup::default()
            };
            sample.cgroups = Some(Arc::new(Cgroups { at_ns: sample.at_ns, list: (0..4096).map(below).collect(), ..Cgroups::default() }));
        }
        "deep stack" => {
            let deep: Arc<[u64]> = (1..MANY).map(frame).collect();
            let waker = Waker { kernel: Arc::clone(&deep), user: Arc::clone(&deep), ..Waker::default() };
            let stack = |weight| StackCount {
                count: 1,
                value: 1,
                weight,
                kernel: Arc::clone(&deep),
                user: Arc::clone(&deep),
                waker: Some(waker.clone().into()),
                ..StackCount::default()
            };
            sample.stacks.counts = WEIGHTS.map(stack).into();
        }
        "stacks" => {
            let stack = |at| StackCount { count: 1, value: 1, user: [frame(at), 1].into(), ..StackCount::default() };
            sample.stacks.counts = (0..MANY / 10).map(stack).collect();
        }
        "long texts" => {
            let long = "é\u{202e}".repeat(MANY * 10);
            sample.machine.host.clone_from(&long);
            sample.machine.interfaces = vec![Interface { name: long.clone(), state: long.clone(), ..Interface::default() }];
            sample.machine.disks = vec![Disk { name: long.clone(), reads: 1, ..Disk::default() }];
            let health = Health::Off { reason: long };
            sample.status = vec![DomainStatus { domain: Domain::Net, health, lost: 1, cost: None }];
        }
        _ => unreachable!("{what}"),
    }
    sample
}

/// What takes as long as the square of these numbers takes hours.
#[test]
fn nothing_is_too_long_for_the_screen() {
    let dir = tempfile::tempdir().unwrap();
    for what in
        ["cpus", "interfaces", "disks", "status", "sockets", "exits", "chain of processes", "cgroups", "deep stack", "stacks", "long texts"]
    {
        let start = Instant::now();
        check_screen(replayed(&[many(what, false), many(what, true)], &dir.path().join("recording")), (80, 24), &SHORT_WALKS);
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: {:?}", start.elapsed());
    }
}

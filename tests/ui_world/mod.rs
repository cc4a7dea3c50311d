//! A small web server as two samples, an `App` that looks at it, and the screen as text.
#![allow(dead_code, reason = "each test file uses its own share")]

#[path = "../common/mod.rs"]
pub mod common;

pub mod cgroups;

use std::sync::Arc;
use std::time::Duration;

use common::{MIB, MS, SECOND, With, details, exit, sample, socket, task};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ebtop::app::{App, Effect, Event, Start};
use ebtop::sample::*;
use ebtop::ui;
use ebtop::ui::theme::Theme;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

pub const NGINX: u32 = 4112;
pub const POSTGRES: u32 = 9920;
/// When the second sample is taken: up for 41 days.
pub const NOW: u64 = 41 * 86_400 * SECOND + 5 * 3600 * SECOND;

/// Processes with the share of a core each used over the last second, percent.
const LOAD: [(u32, &str, u32, f64); 14] = [
    (1, "systemd", 0, 0.0),
    (412, "systemd-journal", 0, 0.4),
    (871, "containerd", 0, 0.7),
    (902, "sshd", 0, 0.0),
    (1288, "redis-server", 110, 2.4),
    (NGINX, "nginx", 33, 88.4),
    (4113, "nginx", 33, 12.0),
    (POSTGRES, "postgres", 105, 31.0),
    (9921, "postgres", 105, 4.1),
    (15_003, "cc1", 1000, 22.5),
    (15_010, "make", 1000, 0.3),
    (20_117, "bash", 1000, 0.0),
    (20_450, "vim", 1000, 0.1),
    (30_001, "ébène\x1b[31m", 1000, 0.0),
];

fn process(&(pid, comm, uid, percent): &(u32, &str, u32, f64), later: bool) -> Task {
    let busy = if later { percent } else { 0.0 };
    let grown = |per_percent: u64| (busy * per_percent as f64) as u64;
    let mib = u64::from(pid % 900);
    let base = task(pid, comm)
        .with(Counter::CpuNs, u64::from(pid) * 7 * MS + grown(10 * MS))
        .with(Counter::UserNs, u64::from(pid) * 5 * MS + grown(7 * MS))
        .with(Counter::SystemNs, u64::from(pid) * 2 * MS + grown(3 * MS))
        .with(Counter::WaitNs, grown(400_000))
        .with(Counter::MinorFaults, grown(14))
        .with(Counter::MajorFaults, grown(1) / 30)
        .with(Counter::VoluntarySwitches, grown(9))
        .with(Counter::InvoluntarySwitches, grown(2))
        .with(Counter::TxBytes, grown(if uid == 33 { 400_000 } else { 0 }))
        .with(Counter::RxBytes, grown(if uid == 33 || uid == 105 { 60_000 } else { 0 }))
        .with(Counter::TxMessages, grown(if uid == 33 { 40 } else { 0 }))
        .with(Counter::WriteBytes, grown(if uid == 105 { 700_000 } else { 0 }));
    Task {
        uid,
        state: if percent > 20.0 { b'R' } else { b'S' },
        threads: 1 + pid % 7,
        memory: Some(Memory {
            anon_bytes: mib * MIB + if later && percent > 30.0 { 3 * MIB } else { 0 },
            file_bytes: mib / 4 * MIB,
            shmem_bytes: if uid == 105 { 128 * MIB } else { 0 },
            swap_bytes: 0,
            vm_bytes: mib * 5 * MIB,
        }),
        ..base
    }
}

fn kernel_thread(later: bool) -> Task {
    Task {
        uid: 0,
        state: b'I',
        kernel_thread: true,
        memory: None,
        ..task(2, "kthreadd").with(Counter::CpuNs, if later { 11 * MS } else { 0 })
    }
}

fn cpu_times(later: bool, cpu: u64) -> CpuTimes {
    let base = CpuTimes { idle_ns: 1000 * SECOND, ..CpuTimes::default() };
    match (later, cpu) {
        (false, _) => base,
        (_, 0) => CpuTimes {
            user_ns: 480 * MS,
            nice_ns: 50 * MS,
            system_ns: 160 * MS,
            irq_ns: 10 * MS,
            softirq_ns: 20 * MS,
            idle_ns: base.idle_ns + 250 * MS,
            iowait_ns: 30 * MS,
            ..base
        },
        _ => CpuTimes { user_ns: 800 * MS, system_ns: 140 * MS, idle_ns: base.idle_ns + 60 * MS, ..base },
    }
}

/// With devices, and processes that read and take back what they wrote.
pub fn with_disks(mut sample: Sample, later: bool) -> Sample {
    sample.machine.disks = ["nvme0n1", "sda", "dm-0", "sr0"].map(|name| disk(name, later)).into();
    for task in sample.tasks.iter_mut().filter(|task| later && task.uid == 1000) {
        *task = task.with(Counter::ReadBytes, u64::from(task.key.pid) * 200).with(Counter::CancelledWriteBytes, 8192);
    }
    sample
}

/// Two disks that work, a volume on one of them, and a drive that did something once.
fn disk(name: &str, later: bool) -> Disk {
    let (reads, writes, busy_ms) = match name {
        "nvme0n1" => (1200, 340, 410),
        "sda" => (0, 16, 1000),
        "dm-0" => (1200, 300, 405),
        _ => (0, 0, 0),
    };
    let grown = |growth: u64| 5 + if later { growth } else { 0 };
    Disk {
        name: name.into(),
        reads: grown(reads),
        writes: grown(writes),
        read_bytes: grown(reads * 16 * 1024),
        write_bytes: grown(writes * 64 * 1024),
        read_ms: grown(reads / 4) as u32,
        write_ms: grown(writes * 60) as u32,
        busy_ms: grown(busy_ms) as u32,
        queue_ms: grown(busy_ms * 3) as u32,
        in_flight: 2,
    }
}

/// The earlier or the later of two samples a second apart.
pub fn server(later: bool) -> Sample {
    let at_ns = if later { NOW } else { NOW - SECOND };
    let tasks = LOAD.iter().map(|p| process(p, later)).chain([kernel_thread(later)]);
    let mut sample = sample(at_ns, tasks);
    let machine = &mut sample.machine;
    machine.cpus = (0..2).map(|i| (i, cpu_times(later, u64::from(i)))).collect();
    let [a, b] = [0, 1].map(|i| cpu_times(later, i));
    machine.total = CpuTimes {
        user_ns: a.user_ns + b.user_ns,
        nice_ns: a.nice_ns + b.nice_ns,
        system_ns: a.system_ns + b.system_ns,
        idle_ns: a.idle_ns + b.idle_ns,
        iowait_ns: a.iowait_ns + b.iowait_ns,
        irq_ns: a.irq_ns + b.irq_ns,
        softirq_ns: a.softirq_ns + b.softirq_ns,
        steal_ns: 0,
    };
    machine.threads = 1408;
    machine.running = 4;
    machine.wire_rx_bytes = if later { 48 * MIB } else { 0 };
    machine.wire_tx_bytes = if later { 3 * MIB } else { 0 };
    machine.disk_read_bytes = if later { MIB } else { 0 };
    machine.disk_write_bytes = if later { 22 * MIB } else { 0 };
    machine.pressure = Some(Pressure { cpu_pct: 12.0, memory_pct: 0.0, io_pct: 3.0 });
    if later {
        sample.exits = (0..7)
            .map(|i| {
                let comm = if i < 5 { "cc1" } else { "sh" };
                let born = NOW - SECOND + u64::from(i + 1) * MS;
                exit(task(40_000 + i, comm).born(born).with(Counter::CpuNs, 12 * MS).with(Counter::MinorFaults, 900), NOW - MS)
            })
            .collect();
    }
    sample
}

/// Two sockets of nginx, one of postgres, and one that nobody owns.
pub fn with_sockets(mut sample: Sample, later: bool) -> Sample {
    let key = |pid: u32| sample.tasks.iter().find(|t| t.key.pid == pid).map(|t| t.key);
    let moved = |bytes: u64| if later { bytes } else { 0 };
    let mut sockets = vec![
        socket(11, key(NGINX), "10.0.0.7:443", "203.0.113.9:52114"),
        socket(12, key(NGINX), "[2001:db8::7]:443", "[2001:db8:ffff:1::2:33]:40022"),
        socket(13, key(POSTGRES), "127.0.0.1:5432", "127.0.0.1:40100"),
        socket(14, None, "0.0.0.0:22", "0.0.0.0:0"),
    ];
    sockets[0].tx_bytes = moved(30 * MIB);
    sockets[0].rx_bytes = moved(2 * MIB);
    sockets[1].tx_bytes = moved(3 * MIB);
    sockets[2].rx_bytes = moved(MIB);
    sockets[3].state = 10;
    sockets[3].tcp = None;
    sample.sockets = sockets;
    sample
}

/// What somebody would be told about a process.
pub fn told(pid: u32) -> Details {
    match pid {
        NGINX | 4113 => details("nginx: worker process", "www-data"),
        POSTGRES => details("postgres: 15/main: walwriter", "postgres"),
        9921 => details("postgres: app app 127.0.0.1(40100) idle in transaction", "postgres"),
        15_003 => details("/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -O2 drivers/net/ethernet/intel/ice/ice_main.c", "build"),
        1288 => details("/usr/bin/redis-server 127.0.0.1:6379", "redis"),
        pid if pid < 1000 => details("", "root"),
        _ => Details { user: "build".into(), ..Details::default() },
    }
}

/// An app on a screen of that size that has not seen a sample.
pub fn fresh(width: u16, height: u16) -> App {
    let start = Start { interval: Duration::from_secs(1), who: "root".into(), ..Start::default() };
    App::new(start, (width, height))
}

/// An app that has seen both samples and was told what it asked for.
pub fn app(width: u16, height: u16) -> App {
    let mut app = fresh(width, height);
    show(&mut app, server(false));
    show(&mut app, server(true));
    app
}

/// Gives the app a sample, and the details it asks for.
pub fn show(app: &mut App, sample: Sample) {
    let effects = app.update(Event::Update(Update::Sample(Arc::new(sample))));
    answer(app, &effects);
}

/// Answers requests for details.
pub fn answer(app: &mut App, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Command(Command::Details(asked)) = effect {
            let told = asked.iter().map(|&key| (key, told(key.pid))).collect();
            let more = app.update(Event::Update(Update::Details(told)));
            answer(app, &more);
        }
    }
}

/// Presses a key.
pub fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    let effects = app.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    answer(app, &effects);
    effects
}

/// Types a text; `\n` is Enter, `\x1b` is Esc.
pub fn keys(app: &mut App, text: &str) -> Vec<Effect> {
    let code = |c| match c {
        '\n' => KeyCode::Enter,
        '\x1b' => KeyCode::Esc,
        '\t' => KeyCode::Tab,
        c => KeyCode::Char(c),
    };
    text.chars().flat_map(|c| press(app, code(c))).collect()
}

/// Clicks on a cell.
pub fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    let effects = mouse(app, MouseEventKind::Down(MouseButton::Left), (column, row));
    effects.into_iter().chain(mouse(app, MouseEventKind::Up(MouseButton::Left), (column, row))).collect()
}

/// What the mouse tells.
pub fn mouse(app: &mut App, kind: MouseEventKind, (column, row): (u16, u16)) -> Vec<Effect> {
    app.update(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

/// The screen, cell by cell.
pub fn buffer_in(app: &App, theme: Theme) -> Buffer {
    let (width, height) = app.size();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| ui::draw(frame, app, theme)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen, cell by cell, in colour.
pub fn buffer(app: &App) -> Buffer {
    buffer_in(app, Theme::default())
}

/// The screen as text, without trailing blanks.
pub fn screen(app: &App) -> String {
    text(&buffer(app))
}

/// The text of a screen.
pub fn text(buffer: &Buffer) -> String {
    let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    (0..buffer.area.height).map(|y| row(y) + "\n").collect()
}

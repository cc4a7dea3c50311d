//! The tables of the Network view: listeners, remote addresses, interfaces, and the ways between them.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::net::{NetTable, SocketScope};
use ebtop::app::view::View;
use ebtop::app::{App, Start};
use ebtop::sample::*;
use insta::assert_snapshot;
use ui_world::common::{MIB, SECOND, socket};
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

fn listener(cookie: u64, owner: Option<ProcKey>, local: &str, backlog: Backlog) -> Socket {
    let tcp = TcpInfo { receive_queue_bytes: backlog.waiting, backlog: Some(backlog), ..TcpInfo::default() };
    Socket { state: 10, tcp: Some(tcp), ..socket(cookie, owner, local, if local.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }) }
}

/// A web server that is nearly out of backlog, its database, and three addresses that talk to it, one of them badly.
fn network(later: bool) -> Sample {
    let mut sample = server(later);
    let key = |pid: u32| sample.tasks.iter().find(|t| t.key.pid == pid).map(|t| t.key);
    let moved = |bytes: u64| if later { bytes } else { 0 };
    let tcp = |rtt_us, retransmits| Some(TcpInfo { rtt_us: Some(rtt_us), retransmits: moved(retransmits), ..TcpInfo::default() });
    sample.sockets = vec![
        listener(1, key(NGINX), "0.0.0.0:443", Backlog { waiting: 500, most: 511, dropped: 17 }),
        listener(2, key(POSTGRES), "127.0.0.1:5432", Backlog { waiting: 0, most: 244, dropped: 0 }),
        listener(3, None, "[::]:22", Backlog { waiting: 0, most: 128, dropped: 0 }),
        Socket {
            tx_bytes: moved(30 * MIB),
            rx_bytes: moved(MIB),
            tcp: tcp(1200, 0),
            ..socket(11, key(NGINX), "10.0.0.7:443", "203.0.113.9:52114")
        },
        Socket { tx_bytes: moved(2 * MIB), tcp: tcp(240_000, 90), ..socket(12, key(NGINX), "10.0.0.7:443", "203.0.113.9:52115") },
        Socket { rx_bytes: moved(MIB), tcp: tcp(90, 0), ..socket(13, key(POSTGRES), "127.0.0.1:5432", "127.0.0.1:40100") },
        Socket { tx_bytes: moved(5000), ..socket(14, key(4113), "[2001:db8::7]:443", "[2001:db8:ffff:1::2:33]:40022") },
    ];
    let counters = |bytes: u64| InterfaceCounters {
        rx_bytes: bytes,
        rx_packets: bytes / 1000,
        tx_bytes: bytes / 8,
        tx_packets: bytes / 2000,
        ..InterfaceCounters::default()
    };
    let interface =
        |name: &str, state: &str, speed_mbit, counters| Interface { name: name.into(), state: state.into(), speed_mbit, counters };
    let errors = InterfaceCounters { rx_errors: moved(40), rx_dropped: 7 + moved(3), ..counters(1 << 30) };
    sample.machine.interfaces = vec![
        interface("lo", "unknown", None, counters((5 << 30) + moved(MIB))),
        interface("eth0", "up", Some(1000), InterfaceCounters { rx_errors: 2, ..counters((3 << 30) + moved(48 * MIB)) }),
        interface("wlan0", "down", None, errors),
    ];
    sample
}

/// An app that looks at a table of the network.
fn looking(width: u16, height: u16, pressed: &str) -> App {
    let mut app = fresh(width, height);
    keys(&mut app, "4");
    keys(&mut app, pressed);
    show(&mut app, network(false));
    show(&mut app, network(true));
    app
}

/// The first words of the lines below the headings.
fn lines(app: &App) -> Vec<String> {
    let top = app.layout().unwrap().body.y.into();
    screen(app).lines().skip(top).take_while(|line| !line.trim().is_empty()).map(str::to_string).collect()
}

#[test]
fn every_table_at_every_size() {
    for (width, height) in SIZES {
        for (pressed, name) in [("l", "listeners"), ("r", "remotes"), ("w", "interfaces")] {
            assert_snapshot!(format!("{name}_{width}x{height}"), screen(&looking(width, height, pressed)));
        }
    }
}

#[test]
fn only_what_is_shown_is_collected() {
    let mut app = app(120, 40);
    let wanted = |effects: &[ebtop::app::Effect]| {
        effects.iter().find_map(|effect| match effect {
            ebtop::app::Effect::Command(Command::Want(wants)) => Some(*wants),
            _ => None,
        })
    };
    keys(&mut app, "4");
    let sockets = Wants { sockets: true, ..Wants::NONE };
    assert_eq!(wanted(&keys(&mut app, "l")), Some(sockets));
    assert_eq!(wanted(&keys(&mut app, "r")), None, "the same sockets");
    assert_eq!(wanted(&keys(&mut app, "w")), Some(Wants { interfaces: true, ..Wants::NONE }));
    assert_eq!(wanted(&keys(&mut app, "w")), Some(Wants::NONE), "once more goes back to processes");
    assert_eq!(app.net_table(), NetTable::Processes);
}

#[test]
fn the_fullest_listener_stands_on_top_and_leads_to_its_connections() {
    let mut app = looking(120, 40, "l");
    let shown = lines(&app);
    let of = |word: &str| shown.iter().find(|line| line.contains(word)).unwrap().split_whitespace().map(str::to_string).collect::<Vec<_>>();
    assert!(shown.len() == 3 && shown[0].contains("*:443"), "{shown:?}");
    assert_eq!(of("*:443")[..6], ["*:443", "500", "511", "97.8", "17", "3"]);
    assert_eq!(of(":5432")[..6], ["127.0.0.1:5432", "·", "244", "0.0", "·", "1"]);
    press(&mut app, KeyCode::Enter);
    assert_eq!((app.net_table(), app.socket_scope()), (NetTable::Sockets, SocketScope::To(443, 1)));
    assert_eq!(lines(&app).len(), 3, "{:?}", lines(&app));
    assert!(screen(&app).contains("listeners › connections to :443"));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.net_table(), NetTable::Listeners);
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.net_table(), app.view()), (NetTable::Processes, View::Network));
}

#[test]
fn a_remote_adds_up_its_sockets_and_leads_to_them() {
    let mut app = looking(200, 50, "r");
    let shown = lines(&app);
    assert_eq!(shown.len(), 3, "{shown:?}");
    let words: Vec<_> = shown[1].split_whitespace().collect();
    assert_eq!((words[0], words[2], words[3], words[4], words[5]), ("2", "32.0M", "1.2ms", "240ms", "90"), "{shown:?}");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert_eq!(app.socket_scope(), SocketScope::With("203.0.113.9".parse().unwrap()));
    assert_eq!(lines(&app).len(), 2);
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.net_table(), NetTable::Remotes);
}

#[test]
fn filters_and_searches_work_in_each() {
    for (pressed, filter, left) in [
        ("l", "waiting>0", 1),
        ("l", "full<50 user=postgres", 1),
        ("l", "port:22", 1),
        ("r", "rttmax>100ms", 1),
        ("r", "remote:2001", 1),
        ("r", "nginx", 2),
        ("w", "err>0", 1),
        ("w", "state=down or speed>=1G", 2),
        ("w", "eth", 1),
    ] {
        let mut app = looking(120, 40, pressed);
        keys(&mut app, &format!("\\{filter}\n"));
        assert_eq!(lines(&app).len(), left, "{filter}: {:?}", lines(&app));
    }
    for (pressed, text, found) in [("r", "2001", "2001:db8"), ("w", "wlan", "wlan0"), ("l", "5432", "5432")] {
        let mut app = looking(120, 40, pressed);
        keys(&mut app, &format!("/{text}\n"));
        let layout = app.layout().unwrap();
        let buffer = buffer(&app);
        let is_selected = |y: &u16| buffer[(5, *y)].modifier.contains(ratatui::style::Modifier::REVERSED);
        let y = (layout.body.y..layout.body.bottom()).find(is_selected).unwrap();
        assert!(ui_world::text(&buffer).lines().nth(y.into()).unwrap().contains(found), "{text}");
    }
}

#[test]
fn what_has_not_come_yet_and_what_is_not_there_are_told() {
    for (pressed, loading, none) in [("l", "Reading the listeners", "No listeners."), ("r", "Reading the remotes", "No remotes.")] {
        let mut app = app(80, 24);
        keys(&mut app, "4");
        keys(&mut app, pressed);
        assert!(screen(&app).contains(loading), "{}", screen(&app));
        let mut sample = server(true);
        sample.at_ns += 1;
        sample.sockets = vec![Socket { protocol: Protocol::Udp, state: 7, tcp: None, ..socket(1, None, "0.0.0.0:53", "0.0.0.0:0") }];
        show(&mut app, sample);
        assert!(screen(&app).contains(none), "{}", screen(&app));
    }
}

#[test]
fn interfaces_need_no_bpf() {
    let off = Health::Off { reason: "no CAP_BPF".into() };
    let without = |later| {
        let mut sample = network(later);
        sample.status.iter_mut().filter(|s| s.domain != Domain::Tasks).for_each(|s| s.health = off.clone());
        sample
    };
    let mut app = fresh(120, 40);
    keys(&mut app, "4w");
    show(&mut app, without(false));
    show(&mut app, without(true));
    assert!(lines(&app)[0].contains("eth0"), "{}", screen(&app));
    keys(&mut app, "l");
    assert!(screen(&app).contains("no CAP_BPF"), "{}", screen(&app));
}

#[test]
fn each_has_help_of_its_own() {
    for (pressed, column, words) in [("l", "WAITING", "nobody has accepted"), ("r", "RTTMAX", "far above RTT"), ("w", "DROP/s", "no room")]
    {
        let mut app = looking(200, 50, pressed);
        keys(&mut app, "?");
        let page = |app: &mut App| {
            press(app, KeyCode::PageDown);
            screen(app)
        };
        let pages: Vec<String> = (0..3).map(|_| page(&mut app)).collect();
        assert!([column, words].iter().all(|text| pages.iter().any(|page| page.contains(text))), "{pages:?}");
    }
}

#[test]
fn the_order_asked_for_at_the_start_is_that_of_the_table_on_screen() {
    let cases = [
        (View::Network, NetTable::Sockets, "rtt", "RTT"),
        (View::Network, NetTable::Listeners, "local", "LOCAL"),
        (View::Network, NetTable::Remotes, "tx", "TX/s"),
        (View::Network, NetTable::Interfaces, "tx", "TX/s"),
        (View::Cgroups, NetTable::Processes, "mem", "MEM"),
        (View::Memory, NetTable::Processes, "swap", "SWAP"),
    ];
    for (view, net, name, title) in cases {
        let mut app = App::new(Start { view, net, sort: Some(name.into()), ..Start::default() }, (200, 50));
        show(&mut app, with_sockets(server(true), true));
        let headings = screen(&app).lines().nth(app.layout().unwrap().headings.y.into()).unwrap().to_string();
        let is_marked = |mark| headings.contains(&format!("{mark}{title}")) || headings.contains(&format!("{title}{mark}"));
        assert!(is_marked('▾') || is_marked('▴'), "{name}: {headings}");
    }
}

#[test]
fn a_network_where_nothing_moves_says_since_when_and_has_no_kernel_threads_on_top() {
    let quiet = |seconds: u64| {
        let mut sample = server(true);
        sample.at_ns += seconds * SECOND;
        sample
    };
    let first = |app: &App| screen(app).lines().nth(app.layout().unwrap().body.y.into()).unwrap().to_owned();
    let mut app = fresh(80, 24);
    keys(&mut app, "4");
    show(&mut app, server(false));
    show(&mut app, quiet(0));
    assert!(!screen(&app).contains("No bytes"), "{}", screen(&app));
    show(&mut app, quiet(4));
    assert!(!screen(&app).contains("No bytes"), "a pause between two requests");
    show(&mut app, quiet(12));
    assert!(screen(&app).contains("No bytes over TCP or UDP for 12s"), "{}", screen(&app));
    assert!(first(&app).contains("nginx"), "{}", screen(&app));

    let mut late = fresh(80, 24);
    keys(&mut late, "4");
    [0, 1, 9].into_iter().for_each(|seconds| show(&mut late, quiet(seconds)));
    assert!(screen(&late).contains("since ebtop began, 9s ago"), "{}", screen(&late));
    let text = screen(&late);
    let at = |name: &str| text.lines().position(|line| line.contains(name));
    assert!(at("kthreadd").is_none_or(|kernel| at("systemd").unwrap() < kernel), "{text}");
    keys(&mut late, "gcommand\n");
    let names = late.process_table().unwrap().lines.len();
    press(&mut late, KeyCode::End);
    assert!(
        screen(&late).lines().rev().skip(1).find(|line| line.contains('▸')).unwrap().contains("kthreadd"),
        "of {names}: {}",
        screen(&late)
    );
}

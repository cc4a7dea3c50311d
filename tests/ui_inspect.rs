//! The details of a process.

mod ui_world;

use std::sync::Arc;

use crossterm::event::KeyCode;
use ebtop::app::lines::LineKey;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event};
use ebtop::sample::inspection::*;
use ebtop::sample::*;
use insta::assert_snapshot;
use ui_world::common::{MIB, MS, SECOND, exit};
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

fn key(pid: u32) -> ProcKey {
    server(true).tasks.iter().find(|task| task.key.pid == pid).map(|task| task.key).unwrap()
}

fn listing<T>(first: Vec<T>) -> Listing<T> {
    Listing { total: first.len(), first, is_cut: false }
}

fn status() -> Status {
    Status {
        users: [0, 33, 0, 33].map(|uid| (uid, if uid == 0 { "root".into() } else { "www-data".into() })).to_vec(),
        groups: vec![33; 4],
        more_groups: listing(vec![4, 24]),
        pids: vec![NGINX, 7],
        effective: 1 << 10 | 1 << 12,
        permitted: 1 << 10 | 1 << 12,
        bounding: (1 << 41) - 1,
        no_new_privs: true,
        seccomp: 2,
        seccomp_filters: Some(1),
        cpus: "0-1".into(),
        nodes: "0".into(),
    }
}

fn files() -> Files {
    let open = [
        (0, "/dev/null", FileKind::Device),
        (3, "anon_inode:[eventpoll]", FileKind::Anonymous),
        (4, "socket:[18231]", FileKind::Socket),
        (5, "/var/log/nginx/access.log", FileKind::Path),
        (6, "/var/cache/nginx/a/very/deep/directory/that/needs/more/than/one/line/0123456789abcdef (deleted)", FileKind::Deleted),
    ];
    let list = listing(open.map(|(fd, target, kind)| OpenFile { fd, target: target.into(), kind }).to_vec());
    Files { looked_at: list.total, by_kind: [1, 1, 1, 0, 1, 0, 1], list }
}

fn memory() -> MemoryMap {
    let mapping = |name: &str, count, rss: u64| Mapping {
        name: name.into(),
        count,
        size_bytes: rss * 3,
        rss_bytes: rss,
        pss_bytes: rss / 2,
        swap_bytes: 0,
    };
    let top =
        vec![mapping("[heap]", 1, 90 * MIB), mapping("anonymous", 41, 30 * MIB), mapping("/usr/lib/x86_64-linux-gnu/libc.so.6", 5, MIB)];
    MemoryMap {
        sum: mapping("", 47, 121 * MIB),
        private_bytes: 100 * MIB,
        top: listing(top),
        took_ns: 870_000,
        at_ns: NOW - 9 * SECOND,
        is_cut: false,
    }
}

/// What would be found about nginx.
fn found(environment: bool) -> Inspection {
    let limit = |name: &str, soft, hard, unit: &str| Limit { name: name.into(), soft, hard, unit: unit.into() };
    let namespace = |kind: &str, is_other| Namespace { kind: kind.into(), inode: 4_026_532_001, is_other };
    let words = |words: &[&str]| listing(words.iter().map(|word| word.to_string()).collect());
    let secrets = || Fact::Known(words(&["PATH=/usr/sbin:/usr/bin", "DB_PASSWORD=hunter2"]));
    Inspection {
        key: key(NGINX),
        at_ns: NOW,
        utc_offset_s: 3600,
        arguments: Fact::Known(words(&["/usr/sbin/nginx", "-g", "daemon off;", "-c", "/etc/nginx/nginx.conf"])),
        exe: Fact::Known("/usr/sbin/nginx (deleted)".into()),
        cwd: Fact::Known("/".into()),
        root: Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into()),
        waits_in: Fact::Known("ep_poll".into()),
        status: Fact::Known(status()),
        scheduling: Fact::Known(Scheduling { policy: 0, realtime_priority: 0, nice: -5 }),
        oom: Fact::Known(Oom { score: 667, adjustment: 0 }),
        limits: Fact::Known(vec![
            limit("Max cpu time", None, None, "seconds"),
            limit("Max open files", Some(5), Some(524_288), "files"),
            limit("Max nice priority", Some(0), Some(0), ""),
        ]),
        namespaces: Fact::Known(vec![namespace("pid", true), namespace("net", true), namespace("user", false)]),
        cgroups: Fact::Known(vec!["0::/system.slice/web.service".into(), "4:memory:/other".into()]),
        files: Fact::Known(files()),
        memory: Fact::Known(memory()),
        environment: environment.then(secrets),
    }
}

fn asks(effects: &[Effect]) -> Vec<Option<Ask>> {
    let ask = |effect: &Effect| if let Effect::Command(Command::Inspect(ask)) = effect { Some(*ask) } else { None };
    effects.iter().filter_map(ask).collect()
}

fn tell(app: &mut App, found: Option<Inspection>) -> Vec<Effect> {
    app.update(Event::Update(Update::Inspected(key(NGINX), found.map(Arc::new))))
}

/// Moves down to a line.
fn choose(app: &mut App, wanted: LineKey) {
    press(app, KeyCode::Home);
    let line = app.process_table().unwrap().lines.iter().position(|(key, _)| *key == wanted).unwrap();
    (0..line).for_each(|_| drop(press(app, KeyCode::Down)));
}

/// An app with the details of nginx, which is the first line.
fn opened(width: u16, height: u16) -> App {
    let mut app = app(width, height);
    assert_eq!(asks(&keys(&mut app, "i")), [Some(Ask { key: key(NGINX), environment: false, all_memory: false })]);
    tell(&mut app, Some(found(false)));
    app
}

/// In a container of a pod, as somebody else's answer to the same question.
fn in_a_container(app: &mut App) {
    let container = Container {
        runtime: Runtime::Containerd,
        id: "0123456789abcdef".repeat(4),
        name: Some("nginx".into()),
        pod: Some("web-7f9c".into()),
        namespace: Some("shop".into()),
    };
    let cgroup = format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{}.scope", container.id);
    let told = Details { cgroup: Some(cgroup), container: Some(container.into()), inner_pid: Some(7), ..told(NGINX) };
    app.update(Event::Update(Update::Details(vec![(key(NGINX), told)])));
}

#[test]
fn at_every_size() {
    for (width, height) in SIZES {
        let mut app = opened(width, height);
        in_a_container(&mut app);
        assert_snapshot!(format!("details_{width}x{height}"), screen(&app));
    }
}

#[test]
fn all_of_it_screen_by_screen() {
    let mut app = opened(80, 24);
    let mut all = Vec::new();
    for _ in 0..4 {
        press(&mut app, KeyCode::PageDown);
        all.push(screen(&app).lines().skip(5).collect::<Vec<_>>().join("\n"));
    }
    assert_snapshot!("details_paged", all.join("\n\n"));
    press(&mut app, KeyCode::Home);
    assert!(screen(&app).contains("/usr/sbin/nginx -g 'daemon off;'"), "{}", screen(&app));
}

#[test]
fn before_the_answer_and_where_there_is_none() {
    let mut app = app(80, 24);
    keys(&mut app, "i");
    assert_snapshot!("details_loading", screen(&app));
    let refused = || Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into());
    let found = Inspection {
        exe: Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into()),
        cwd: Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into()),
        namespaces: Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into()),
        files: Fact::Refused("not permitted: needs root, or CAP_SYS_PTRACE".into()),
        memory: refused(),
        ..found(false)
    };
    tell(&mut app, Some(found));
    assert_eq!(screen(&app).matches("not permitted").count(), 2, "{}", screen(&app));
    press(&mut app, KeyCode::End);
    assert_eq!(screen(&app).matches("not permitted").count(), 3, "{}", screen(&app));
}

#[test]
fn a_recording_holds_no_more_than_its_samples() {
    let mut app = app(80, 24);
    keys(&mut app, "i");
    assert_eq!(asks(&tell(&mut app, None)), [None], "what is nowhere is not asked for again");
    assert!(screen(&app).contains("what the sample holds"), "{}", screen(&app));
    let effects = app.update(Event::Update(Update::Sample(Arc::new(server(true)))));
    assert_eq!(asks(&effects), []);
}

#[test]
fn it_is_asked_for_with_each_sample_until_it_is_closed() {
    let mut app = opened(80, 24);
    let again = Some(Ask { key: key(NGINX), environment: false, all_memory: false });
    let effects = app.update(Event::Update(Update::Sample(Arc::new(server(true)))));
    assert_eq!(asks(&effects), [again]);
    assert_eq!(asks(&press(&mut app, KeyCode::Down)), []);
    assert_eq!(asks(&keys(&mut app, "m")), [again.map(|ask| Ask { all_memory: true, ..ask })]);
    for close in ["\x1b", "i", "2"] {
        assert_eq!(asks(&keys(&mut app, close)), [None], "{close:?}");
        assert!(app.pane().is_none());
        keys(&mut app, "1");
        keys(&mut app, "i");
    }
}

#[test]
fn the_environment_shows_only_while_somebody_wants_it() {
    let mut app = opened(120, 60);
    assert!(screen(&app).contains("hidden, since it may hold passwords; e shows it"), "{}", screen(&app));
    let asked = asks(&keys(&mut app, "e"));
    assert!(asked[0].unwrap().environment);
    tell(&mut app, Some(found(true)));
    assert!(screen(&app).contains("DB_PASSWORD=hunter2"), "{}", screen(&app));
    let asked = asks(&keys(&mut app, "e"));
    assert!(!asked[0].unwrap().environment && !screen(&app).contains("hunter2"));
    assert!(app.pane().unwrap().found.as_ref().unwrap().environment.is_none(), "it is forgotten, too");
    tell(&mut app, Some(found(true)));
    assert!(!screen(&app).contains("hunter2"), "an answer that comes late");
}

#[test]
fn search_finds_a_line() {
    let mut app = opened(80, 24);
    keys(&mut app, "/access.log\n");
    let first = |app: &App| screen(app).lines().nth(7).unwrap().to_owned();
    assert!(screen(&app).contains("access.log"), "{}", screen(&app));
    keys(&mut app, "\x1b");
    assert!(app.pane().is_some(), "Esc ends the search first");
    keys(&mut app, "/nothing like it");
    assert!(screen(&app).contains("nothing found"), "{}", first(&app));
    keys(&mut app, "\x1b\x1b");
    assert!(app.pane().is_none());
}

#[test]
fn from_details_to_stacks_sockets_and_signals() {
    let mut app = opened(80, 24);
    keys(&mut app, "k");
    assert!(screen(&app).contains("nginx (4112)") && app.menu().is_some(), "{}", screen(&app));
    keys(&mut app, "\x1b\n");
    assert_eq!((app.view(), app.stacks().whose(), app.pane().is_none()), (View::Stacks, Some(key(NGINX)), true));
    keys(&mut app, "i");
    assert_eq!(app.pane().map(|pane| pane.key), Some(key(NGINX)), "and back, from its stacks");
    keys(&mut app, "s");
    assert_eq!((app.shows_sockets(), app.socket_owner()), (true, Some(key(NGINX))));
}

#[test]
fn a_process_that_exits_keeps_what_was_known() {
    let mut app = opened(80, 24);
    let mut sample = server(true);
    sample.at_ns = NOW + SECOND;
    let task = *sample.tasks.iter().find(|task| task.key.pid == NGINX).unwrap();
    sample.tasks = sample.tasks.iter().filter(|task| task.key.pid != NGINX).copied().collect();
    sample.exits = vec![Exit { signal: 9, ..exit(task, NOW + 400 * MS) }];
    let effects = app.update(Event::Update(Update::Sample(Arc::new(sample))));
    assert_eq!(asks(&effects), [None]);
    assert_snapshot!("details_exited", screen(&app));
    keys(&mut app, "k");
    assert!(app.menu().is_none(), "there is nobody to send a signal to");
}

#[test]
fn one_that_lived_between_two_samples_is_told_of() {
    let mut app = app(80, 24);
    choose(&mut app, LineKey::Exited);
    keys(&mut app, "i");
    assert!(screen(&app).contains("Space lists the commands that exited"), "{}", screen(&app));
    keys(&mut app, " ");
    press(&mut app, KeyCode::Down);
    assert_eq!(asks(&keys(&mut app, "i")), [], "nothing is left of it in /proc");
    let screen = screen(&app);
    assert!(screen.contains("Details of cc1 (4000") && screen.contains("with code 0") && screen.contains("CPU 0:00.01"), "{screen}");
}

#[test]
fn kernel_threads_say_what_they_have_not() {
    let mut app = app(80, 24);
    let key = key(2);
    choose(&mut app, LineKey::Process(key));
    keys(&mut app, "i");
    let none = || Fact::Refused("there is none".into());
    let found = Inspection { key, exe: none(), arguments: Fact::Known(listing(Vec::new())), ..Inspection::default() };
    app.update(Event::Update(Update::Inspected(key, Some(Arc::new(found)))));
    assert!(screen(&app).contains("a kernel thread has none"), "{}", screen(&app));
}

#[test]
fn help_lists_the_keys_of_the_details() {
    let mut app = opened(100, 40);
    keys(&mut app, "?");
    let screen = screen(&app);
    assert!(screen.contains("Show its environment") && !screen.contains("Children below their parents"), "{screen}");
    keys(&mut app, "\x1b");
    assert!(app.pane().is_some());
}

#[test]
fn clicks_do_not_reach_what_is_covered() {
    let mut app = opened(80, 24);
    let before = app.process_table().unwrap().cursor();
    click(&mut app, 10, 12);
    assert_eq!(app.process_table().unwrap().cursor(), before);
    assert!(app.pane().is_some());
}

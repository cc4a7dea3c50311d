//! The Stacks view as part of the whole screen: how it is reached, held still and clicked on.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event};
use ebtop::model::stacks::Scope;
use ebtop::sample::*;
use ebtop::symbols::{Answer, Frame, FrameKind, Request};
use ui_world::common::{SECOND, exit, sample, task};
use ui_world::*;

/// A sample in which each process was met so often, after which some exited.
fn sampled(at_s: u64, met: &[(u32, &str, u32)], exited: &[(u32, &str)]) -> Sample {
    let gone = |pid: u32| exited.iter().any(|(of, _)| *of == pid);
    let living = |pid: u32, comm: &str| Task { exec_id: 1, ..task(pid, comm) };
    let tasks = met.iter().filter(|(pid, ..)| !gone(*pid)).map(|&(pid, comm, _)| living(pid, comm));
    let mut sample = sample(at_s * SECOND, tasks);
    sample.exits = exited.iter().map(|&(pid, comm)| exit(task(pid, comm), at_s * SECOND)).collect();
    sample.stacks.hz = 49;
    let count = |&(pid, comm, count): &(u32, &str, u32)| StackCount {
        key: task(pid, comm).key,
        tid: pid,
        comm: Comm::new(comm.as_bytes()),
        count,
        value: count.into(),
        user: [0x1000 * u64::from(pid), 0x10].into(),
        quality: StackQuality::Complete,
        ..StackCount::default()
    };
    sample.stacks.counts = met.iter().filter(|(.., n)| *n > 0).map(count).collect();
    sample
}

fn shows(app: &mut App, samples: &[Sample]) {
    samples.iter().for_each(|sample| show(app, sample.clone()));
}

#[test]
fn enter_on_a_command_that_exited_shows_the_stacks_of_all_of_its_name() {
    let mut app = fresh(80, 24);
    let all = [(7, "nginx", 5), (301, "cc1", 20), (302, "cc1", 22), (303, "ld", 1)];
    let samples = [sampled(10, &all, &[]), sampled(11, &[(7, "nginx", 5), (301, "cc1", 3)], &[(301, "cc1"), (302, "cc1"), (303, "ld")])];
    shows(&mut app, &samples);
    press(&mut app, KeyCode::End);
    keys(&mut app, " ");
    let line = screen(&app).lines().collect::<Vec<_>>().iter().rposition(|line| line.contains("cc1")).unwrap();
    click(&mut app, 40, line as u16);
    keys(&mut app, "\n");
    assert_eq!((app.view(), app.stacks().title()), (View::Stacks, "cc1, 2 exited"));
    assert_eq!(app.stacks().summary().value, 45);
    keys(&mut app, "\x1b");
    assert_eq!(app.view(), View::Processes);
}

#[test]
fn a_paused_screen_holds_its_samples_and_still_works() {
    let mut app = fresh(80, 24);
    shows(&mut app, &[sampled(10, &[(7, "nginx", 5)], &[]), sampled(100, &[(7, "nginx", 7)], &[])]);
    keys(&mut app, "7z");
    shows(&mut app, &[sampled(101, &[(7, "nginx", 1000)], &[]), sampled(700, &[(7, "nginx", 1000)], &[])]);
    assert_eq!(app.stacks().summary().value, 7);
    keys(&mut app, "ww");
    assert_eq!(app.stacks().summary().value, 12, "all there was");
    keys(&mut app, "f");
    assert!(screen(&app).contains("SELF%"));
    keys(&mut app, "z");
    assert_eq!(app.stacks().summary().value, 1000, "the last five minutes");
}

/// Of all functions, `0x…` of that program.
fn names_of(program: &str, request: &Request) -> Answer {
    let frame = |address: u64| Frame {
        function: Some(format!("{program}_{address:#x}")),
        module: program.into(),
        offset: address,
        kind: FrameKind::Native,
        source: None,
    };
    Answer { key: request.key, user: request.user.iter().map(|&a| (a, vec![frame(a)])).collect(), ..Answer::default() }
}

fn asked(effects: &[Effect]) -> Vec<Request> {
    let request = |effect: &Effect| if let Effect::Request(request) = effect { Some(request.clone()) } else { None };
    effects.iter().filter_map(request).filter(|request| !request.only_keep).collect()
}

#[test]
fn a_paused_screen_keeps_the_names_of_programs_that_run_no_more() {
    let mut app = fresh(120, 40);
    let runs = |at_s, exec_id| {
        let mut sample = sampled(at_s, &[(7, "nginx", 5), (8, "redis", 2)], &[]);
        sample.tasks.iter_mut().for_each(|task| task.exec_id = exec_id);
        sample
    };
    shows(&mut app, &[runs(10, 1), runs(11, 1)]);
    let requests = asked(&keys(&mut app, "7"));
    let [first, late] = &requests[..] else { panic!("one of each process: {requests:?}") };
    let _ = app.update(Event::Names(names_of("old", first)));
    shows(&mut app, &[runs(12, 1)]);
    assert!(screen(&app).contains("old_0x7000"), "{}", screen(&app));
    keys(&mut app, "z");
    let effects = app.update(Event::Update(Update::Sample(runs(13, 2).into())));
    assert!(asked(&effects).is_empty(), "what runs now cannot tell: {:?}", asked(&effects));
    assert!(screen(&app).contains("old_0x7000") && !screen(&app).contains("old_0x8000"), "{}", screen(&app));
    // An answer that comes now may be of either program.
    assert!(asked(&app.update(Event::Names(names_of("late", late)))).is_empty());
    assert!(asked(&keys(&mut app, "wf")).is_empty() && !screen(&app).contains("late_"), "{}", screen(&app));
    keys(&mut app, "z");
    let effects = app.update(Event::Update(Update::Sample(runs(14, 2).into())));
    asked(&effects).iter().for_each(|request| drop(app.update(Event::Names(names_of("new", request)))));
    keys(&mut app, "f");
    assert!(
        screen(&app).contains("new_0x7000") && screen(&app).contains("new_0x8000") && !screen(&app).contains("old_"),
        "{}",
        screen(&app)
    );
}

#[test]
fn the_first_names_are_asked_for_at_once_and_keys_do_not_wait_for_them() {
    let mut app = fresh(80, 24);
    shows(&mut app, &[sampled(10, &[(7, "nginx", 5)], &[]), sampled(11, &[(7, "nginx", 7)], &[])]);
    let effects = keys(&mut app, "\n");
    let asked: Vec<_> =
        effects.iter().filter_map(|effect| if let Effect::Request(request) = effect { Some(&request.user) } else { None }).collect();
    assert_eq!(asked.iter().map(|addresses| addresses.len()).sum::<usize>(), 2);
    assert!(screen(&app).contains("naming 2 addresses"), "{}", screen(&app));
    keys(&mut app, "ffwbb");
    assert!(screen(&app).contains("0x7000"), "{}", screen(&app));
}

#[test]
fn clicks_reach_the_graph() {
    let mut app = fresh(120, 40);
    shows(&mut app, &[sampled(10, &[(7, "nginx", 5)], &[]), sampled(11, &[(7, "nginx", 7), (8, "redis", 2)], &[])]);
    keys(&mut app, "7");
    let row = screen(&app).lines().position(|line| line.contains("│nginx")).unwrap();
    click(&mut app, 4, row as u16);
    click(&mut app, 4, row as u16);
    assert!(screen(&app).contains("zoomed: nginx"), "{}", screen(&app));
    keys(&mut app, "\x1b");
    assert_eq!((app.view(), app.stacks().scope()), (View::Stacks, &Scope::Machine));
    let _ = app.update(Event::Resize(60, 15));
    assert!(screen(&app).contains("▸nginx"), "{}", screen(&app));
}

/// Two samples of a web server, a database and a shell, each in a cgroup of its own; the database's second process comes late.
fn in_cgroups(app: &mut App) {
    let met = [(7, "nginx", 5), (8, "nginx", 6), (20, "postgres", 30), (30, "bash", 1)];
    let cgroups = [(7, 70, "/web.slice/nginx.service"), (8, 70, "/web.slice/nginx.service"), (20, 90, "/db.slice/db.service")];
    let cgroups = [&cgroups[..], &[(21, 90, "/db.slice/db.service"), (30, 50, "/user.slice")]].concat();
    let late = [&met[..], &[(21, "postgres", 4)]].concat();
    for (at, met) in [(10, &met[..]), (11, &met[..]), (12, &late[..])] {
        let mut sample = sampled(at, met, &[]);
        for task in sample.tasks.iter_mut() {
            task.cgroup_id = cgroups.iter().find(|(pid, ..)| *pid == task.key.pid).map_or(0, |(_, id, _)| *id);
        }
        let details = |task: &Task| {
            let cgroup = cgroups.iter().find(|(pid, ..)| *pid == task.key.pid).map(|(.., path)| (*path).into());
            (task.key, Details { cgroup, user: "root".into(), ..Details::default() })
        };
        let told = sample.tasks.iter().map(details).collect();
        show(app, sample);
        app.update(Event::Update(ebtop::sample::Update::Details(told)));
    }
}

#[test]
fn tagged_processes_have_their_stacks_together() {
    let mut app = fresh(120, 40);
    in_cgroups(&mut app);
    keys(&mut app, "N");
    press(&mut app, KeyCode::Home);
    keys(&mut app, "  ");
    press(&mut app, KeyCode::Home);
    keys(&mut app, "\n");
    assert_eq!((app.view(), app.stacks().title()), (View::Stacks, "2 tagged"));
    let tagged = app.stacks().summary().value;
    keys(&mut app, "\x1b");
    press(&mut app, KeyCode::End);
    keys(&mut app, "\n");
    assert_ne!(app.stacks().title(), "2 tagged", "Enter on another line is about that line");
    keys(&mut app, "\x1bb");
    assert_eq!((app.stacks().title(), app.stacks().summary().value), ("2 tagged", tagged));
    keys(&mut app, "\x1bUb");
    assert!(matches!(app.stacks().scope(), Scope::Process(_)), "nobody is tagged: the line");
}

#[test]
fn a_group_has_the_stacks_of_its_members() {
    let mut app = fresh(120, 40);
    in_cgroups(&mut app);
    let open = |app: &mut App, by: &str, word: &str| {
        keys(app, &format!("g{by}\n"));
        let row = screen(app).lines().position(|line| line.contains(word)).unwrap();
        click(app, 40, row as u16);
        keys(app, "\n");
        let found = (app.stacks().title().to_string(), app.stacks().scope().clone(), app.stacks().summary().value);
        keys(app, "\x1b");
        assert_eq!(app.view(), View::Processes);
        found
    };
    let (title, scope, value) = open(&mut app, "command", "nginx");
    assert_eq!((title.as_str(), value), ("command nginx, 2", 33));
    assert!(matches!(scope, Scope::Set(keys) if keys.len() == 2));
    let (title, scope, value) = open(&mut app, "unit", "db.service");
    assert_eq!((title.as_str(), scope, value), ("unit db.service, 2", Scope::Cgroup(vec![90]), 94));
    keys(&mut app, "\\pid=20\n");
    let (title, scope, value) = open(&mut app, "cgroup", "db.service");
    assert_eq!((title.as_str(), value), ("cgroup /db.slice/db.service, 1", 90), "only what passes the filter");
    assert!(matches!(scope, Scope::Set(keys) if keys.len() == 1));
}

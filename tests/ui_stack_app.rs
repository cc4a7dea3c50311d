//! The Stacks view as part of the whole screen: how it is reached, held still and clicked on.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event};
use ebtop::model::stacks::Scope;
use ebtop::sample::*;
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
    keys(&mut app, "5z");
    shows(&mut app, &[sampled(101, &[(7, "nginx", 1000)], &[]), sampled(700, &[(7, "nginx", 1000)], &[])]);
    assert_eq!(app.stacks().summary().value, 7);
    keys(&mut app, "ww");
    assert_eq!(app.stacks().summary().value, 12, "all there was");
    keys(&mut app, "f");
    assert!(screen(&app).contains("SELF%"));
    keys(&mut app, "z");
    assert_eq!(app.stacks().summary().value, 1000, "the last five minutes");
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
    keys(&mut app, "5");
    let row = screen(&app).lines().position(|line| line.contains("│nginx")).unwrap();
    click(&mut app, 4, row as u16);
    click(&mut app, 4, row as u16);
    assert!(screen(&app).contains("zoomed: nginx"), "{}", screen(&app));
    keys(&mut app, "\x1b");
    assert_eq!((app.view(), app.stacks().scope()), (View::Stacks, &Scope::Machine));
    let _ = app.update(Event::Resize(60, 15));
    assert!(screen(&app).contains("▸nginx"), "{}", screen(&app));
}

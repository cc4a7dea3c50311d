//! Names of frames: when they are asked for, and how long they stay.

use ebtop::app::names::Names;
use ebtop::app::stacks::StacksView;
use ebtop::model::stacks::{Missing, Naming, Scope, StackHistory};
use ebtop::sample::{INTERPRETED, InterpretedFrame, ProcKey, Sample, Task};
use ebtop::symbols::{FrameKind, Request};

use crate::stack_world::{NGINX, World, refresh, view_of};
use crate::{S, outline};

#[test]
fn requests_come_in_chunks_hottest_first_and_again_if_not_sent() {
    let mut world = World::default();
    for i in 0..3000u32 {
        world.add(NGINX, &format!("f{i}"), i + 1);
    }
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    let requests = view.refresh(&history, &mut names);
    assert_eq!(requests.iter().map(|r| r.user.len()).collect::<Vec<_>>(), [256; 8]);
    assert_eq!(requests[0].user[0], world.stacks[2999].user[0]);
    names.not_sent(&requests[7]);
    assert_eq!(view.refresh(&history, &mut names), requests[7..]);
    names.answer(world.answer(requests[0].clone()));
    let next: Vec<Request> = view.refresh(&history, &mut names);
    assert_eq!(next.iter().map(|r| r.user.len()).collect::<Vec<_>>(), [256]);
}

#[test]
fn names_outlive_their_process_but_not_its_program() {
    let world = World::of(&[("main", 1)]);
    let (mut view, history, mut names) = view_of(&world);
    let alive = |at_s: u64, exec_id| {
        let tasks = vec![Task { key: NGINX, exec_id, ..Task::default() }];
        Sample { at_ns: at_s * S, tasks: tasks.into(), ..Sample::default() }
    };
    names.tick(&alive(100, 1));
    names.tick(&Sample { at_ns: 500 * S, ..Sample::default() });
    assert!(view.refresh(&history, &mut names).is_empty());
    assert_eq!(view.functions()[0].label.name, "main");
    names.tick(&alive(600, 2));
    assert_eq!(view.refresh(&history, &mut names).len(), 1, "names of the old program must go");
}

#[test]
fn the_symbol_thread_is_told_of_processes_before_they_are_gone() {
    let mut world = World::default();
    let key = |pid| ProcKey { pid, start_ns: 7 };
    for pid in 1..=10 {
        world.add(key(pid), "main", pid);
    }
    let mut names = Names::default();
    let sample = |at_s, exec_id| {
        let mut sample = world.sample(at_s);
        sample.tasks.iter_mut().for_each(|task| task.exec_id = exec_id);
        sample
    };
    let mut told = |sample: &Sample| -> Vec<u32> {
        let requests = names.note(sample);
        assert!(requests.iter().all(|request| request.only_keep && request.user.len() == 1));
        if let Some(first) = requests.first().filter(|first| first.key.pid == 2) {
            names.not_sent(first);
        }
        requests.iter().map(|request| request.key.pid).collect()
    };
    assert_eq!(told(&sample(100, 1)), [10, 9, 8, 7, 6, 5, 4, 3], "the hottest first, and not all at once");
    assert_eq!(told(&sample(101, 1)), [2, 1]);
    assert_eq!(told(&sample(102, 1)), [2], "what could not be sent is sent again");
    assert_eq!(told(&sample(161, 1)).len(), 8, "they may have loaded more code");
    assert_eq!(told(&sample(162, 2)).len(), 8, "another program");
}

#[test]
fn lines_of_python_come_with_the_samples_and_outlive_the_process() {
    let world = World::of(&[("main;work", 1)]);
    let (mut view, mut history, mut names) = view_of(&world);
    let line = |function: &str, line| InterpretedFrame { function: function.into(), file: "/srv/app/tasks.py".into(), line };
    let mut sample = world.sample(101);
    let native = sample.stacks.counts[0].user.clone();
    sample.stacks.counts[0].user = [INTERPRETED + 1, INTERPRETED, native[1], INTERPRETED + 9].into();
    sample.stacks.interpreted = vec![(INTERPRETED, line("Job.run", 12)), (INTERPRETED + 1, line("<lambda>", 40))];
    history.push(&sample);
    names.tick(&sample);
    names.tick(&Sample { at_ns: 400 * S, ..Sample::default() });
    assert!(view.refresh(&history, &mut names).is_empty(), "nobody else can name them");
    let hot = view.functions().iter().find(|f| f.label.name == "<lambda>").unwrap();
    assert_eq!((hot.label.module.as_str(), hot.label.kind), ("tasks.py", Some(FrameKind::Python)));
    assert_eq!(hot.source.as_deref(), Some("/srv/app/tasks.py:40"));
    let text = outline(view.tree());
    let place = |name| text.find(name).unwrap_or_else(|| panic!("{name} in {text}"));
    assert!(place("0x8000000000000009") < place("Job.run") && place("Job.run") < place("<lambda>"), "{text}");
}

#[test]
fn control_characters_never_come_through() {
    let mut world = World::of(&[("ma\u{1b}[31min@li\u{7}b.so", 1)]);
    world.add(NGINX, "?@\u{202e}evil", 1);
    let (mut view, history, mut names) = view_of(&world);
    view.open(Scope::Process(ProcKey { pid: 9, start_ns: 1 }), "\u{1b}]0;x");
    assert!(!view.title().contains('\u{1b}'));
    view.open(Scope::Process(NGINX), "nginx");
    refresh(&mut view, &history, &mut names, &world);
    let text =
        format!("{}{:?}", outline(view.tree()).replace('\n', ""), view.functions().iter().map(|f| f.source.clone()).collect::<Vec<_>>());
    assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    assert!(text.contains("ma\u{fffd}[31min"), "{text:?}");
}

#[test]
fn more_addresses_than_names_are_kept_are_not_asked_for_without_end() {
    let mut names = Names::default();
    let missing: Vec<Missing> = (0..40_000).map(|address| Missing { key: Some(NGINX), address, count: 1 }).collect();
    let unnamed = |names: &Names| -> Vec<Missing> { missing.iter().filter(|m| names.user(NGINX, m.address).is_none()).copied().collect() };
    loop {
        let requests = names.ask(&unnamed(&names));
        if requests.is_empty() {
            break;
        }
        requests.into_iter().for_each(|request| names.answer(World::default().answer(request)));
    }
    assert_eq!(unnamed(&names).len(), 40_000 - 32_768);
}

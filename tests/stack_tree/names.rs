//! Names of frames: when they are asked for, and how long they stay.

use ebtop::app::names::Names;
use ebtop::app::stacks::{StackAction, StacksView};
use ebtop::model::stacks::{Missing, Naming, Scope, StackHistory};
use ebtop::sample::{INTERPRETED, InterpretedFrame, ProcKey, Sample, Task};
use ebtop::symbols::{Answer, FrameKind, Request};

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
fn who_does_not_answer_is_asked_again_after_a_while() {
    let mut world = World::default();
    world.add(NGINX, "main", 1);
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    let at = |at_s: u64| Sample { at_ns: at_s * S, ..Sample::default() };
    names.tick(&at(10));
    let asked = view.refresh(&history, &mut names).remove(0);
    names.answer(Answer { silent: true, reason: Some("it is silent".into()), ..world.answer(asked) });
    assert_eq!(names.reason(Some(NGINX)), Some("it is silent"));
    for at_s in [10, 14] {
        names.tick(&at(at_s));
        assert_eq!(view.refresh(&history, &mut names), []);
        let summary = view.summary();
        assert_eq!((summary.pending, summary.reason.as_deref()), (0, Some("it is silent")), "no name is on its way, and why is told");
    }
    names.tick(&at(16));
    let asked = view.refresh(&history, &mut names).remove(0);
    names.answer(world.answer(asked));
    assert!(view.refresh(&history, &mut names).is_empty() && names.reason(Some(NGINX)).is_none());
    assert_eq!(view.functions()[0].label.name, "main");
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

#[test]
fn code_written_at_run_time_is_asked_about_again_while_it_is_looked_at() {
    let world = World::of(&[("main;J:?;J:hot", 3), ("main;J:cold", 1)]);
    let (mut view, mut history, mut names) = view_of(&world);
    let _ = view.act(StackAction::Mark);
    refresh(&mut view, &history, &mut names, &world);
    let told = |address| world.answer(Request { key: NGINX, user: vec![address], ..Request::default() }).user.remove(0).1.remove(0);
    let called = |requests: &[Request]| -> Vec<String> {
        assert!(requests.iter().all(|request| request.key == NGINX && request.kernel.is_empty()));
        let addresses = requests.iter().flat_map(|request| request.user.iter().copied());
        let mut names: Vec<String> = addresses.map(|address| told(address).function.unwrap_or_else(|| "?".into())).collect();
        names.sort();
        names
    };

    history.push(&world.sample(105));
    names.tick(&world.sample(105));
    let again = view.refresh(&history, &mut names);
    assert_eq!(called(&again), ["?", "cold", "hot"], "what is in a file stays what it is");
    let (epoch, before) = (names.epoch(), outline(view.tree()));
    again.into_iter().for_each(|request| names.answer(world.answer(request)));
    for at_s in [106, 112] {
        names.tick(&world.sample(at_s));
        assert!(view.refresh(&history, &mut names).is_empty(), "asked too soon at {at_s}");
    }
    assert_eq!((names.epoch(), outline(view.tree())), (epoch, before), "nothing new was told");

    names.tick(&world.sample(120));
    for request in view.refresh(&history, &mut names) {
        let mut answer = world.answer(request);
        for frame in answer.user.iter_mut().flat_map(|(_, frames)| frames) {
            frame.function = match frame.function.as_deref() {
                Some("hot") => Some("put in its place".into()),
                Some("cold") => None,
                _ => Some("told late".into()),
            };
        }
        names.answer(answer);
    }
    assert!(view.refresh(&history, &mut names).is_empty());
    let names_now: Vec<_> = view.functions().iter().map(|f| f.label.name.as_str()).collect();
    for (name, is_there) in [("told late", true), ("put in its place", true), ("cold", true), ("main", true), ("hot", false)] {
        assert_eq!(names_now.contains(&name), is_there, "{name} in {names_now:?}");
    }
    assert!(view.baseline().is_some_and(|(_, is_marked)| is_marked), "a mark is of the same code still");

    names.tick(&Sample { at_ns: 200 * S, ..Sample::default() });
    assert!(view.refresh(&history, &mut names).is_empty(), "nobody can tell more about a process that is gone");
}

#[test]
fn kernel_code_without_a_name_is_asked_about_again_while_it_is_looked_at() {
    let world = World::of(&[("main;K:sys_read;K:?", 3)]);
    let (mut view, mut history, mut names) = view_of(&world);
    history.push(&world.sample(105));
    names.tick(&world.sample(105));
    let mut again = view.refresh(&history, &mut names);
    assert_eq!(again.iter().map(|r| (r.user.len(), r.kernel.as_slice())).collect::<Vec<_>>(), [(0, &world.stacks[0].kernel[..1])]);
    let mut answer = world.answer(again.remove(0));
    answer.kernel[0].1[0].function = Some("of_a_new_module".into());
    names.answer(answer);
    assert!(view.refresh(&history, &mut names).is_empty());
    let names_now: Vec<_> = view.functions().iter().map(|f| f.label.name.as_str()).collect();
    assert!(names_now.contains(&"of_a_new_module") && names_now.contains(&"sys_read"), "{names_now:?}");
    names.tick(&world.sample(200));
    assert!(view.refresh(&history, &mut names).is_empty(), "what has a name keeps it");
}

#[test]
fn names_that_the_kernel_hides_are_not_asked_for_again() {
    let world = World::of(&[("main;K:?", 3)]);
    let (mut view, mut history, mut names) = (StacksView::default(), StackHistory::default(), Names::default());
    history.push(&world.sample(1));
    names.tick(&world.sample(1));
    view.open(Scope::Process(NGINX), "nginx");
    for request in view.refresh(&history, &mut names) {
        let reason = (!request.kernel.is_empty()).then(|| "hidden".to_owned());
        names.answer(Answer { reason, ..world.answer(request) });
    }
    history.push(&world.sample(105));
    names.tick(&world.sample(105));
    assert!(view.refresh(&history, &mut names).is_empty());
}

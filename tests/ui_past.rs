//! Looking back: what was on the screen before, told apart from what is.

mod ui_world;

use std::time::Duration;

use crossterm::event::KeyCode;
use ebtop::app::{App, Effect, Event, Start};
use ebtop::control::Errand;
use ebtop::sample::*;
use ui_world::common::{MS, SECOND, With, exit, sample, task};
use ui_world::*;

/// 2026-11-23 14:00:00 UTC.
const TWO_O_CLOCK: u64 = 1_795_442_400_000;

/// A second in which `worker` with that pid used so many percent of a core.
fn tick(second: u64, busy: u32, processes: &[u32]) -> Sample {
    let cpu = |pid| if pid == busy { second * 500 * MS } else { 0 };
    let tasks = processes.iter().map(|&pid| task(pid, "worker").with(Counter::CpuNs, cpu(pid)));
    Sample { unix_ms: TWO_O_CLOCK + second * 1000, ..sample(second * SECOND, tasks) }
}

fn start() -> Start {
    Start { interval: Duration::from_secs(1), history: Duration::from_secs(900), ..Start::default() }
}

/// Ten seconds: pid 5 works, and 6 is gone after the fourth.
fn after_ten(start: Start) -> App {
    let mut app = App::new(start, (100, 24));
    for second in 1..=10 {
        let processes: &[u32] = if second <= 4 { &[5, 6, 7] } else { &[5, 7] };
        let mut next = tick(second, 5, processes);
        if second == 5 {
            next.exits = vec![exit(task(6, "worker"), 5 * SECOND - 1)];
        }
        show(&mut app, next);
    }
    app
}

fn title(app: &App) -> String {
    screen(app).lines().next().unwrap().to_string()
}

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().to_string()
}

fn pids(app: &App) -> Vec<u32> {
    app.model().sample.tasks.iter().map(|task| task.key.pid).collect()
}

#[test]
fn a_step_back_shows_then_and_says_so() {
    let mut app = after_ten(start());
    let before = screen(&app);
    assert!(before.contains("live"), "{before}");
    keys(&mut app, ",");
    assert!(title(&app).contains("looking back: 14:00:09, 1 s ago") && !title(&app).contains("live"), "{}", title(&app));
    keys(&mut app, ",,,,,");
    assert!(title(&app).contains("looking back: 14:00:04, 6 s ago"), "{}", title(&app));
    assert_eq!(pids(&app), [5, 6, 7]);
    assert!(screen(&app).contains("50.0"), "rates are those of then: {}", screen(&app));
    assert!(footer(&app).starts_with(" , earlier  . later  J time  End live"), "{}", footer(&app));
    keys(&mut app, ".");
    assert_eq!((pids(&app), app.model().departed.len()), (vec![5, 7], 1));
    press(&mut app, KeyCode::End);
    assert_eq!(screen(&app), before);
}

#[test]
fn what_comes_meanwhile_is_there_afterwards() {
    let mut app = after_ten(start());
    keys(&mut app, ",,");
    for second in 11..=130 {
        show(&mut app, tick(second, 7, &[5, 7]));
    }
    assert!(title(&app).contains("14:00:08, 2 min ago"), "{}", title(&app));
    keys(&mut app, "\x1b");
    assert!(title(&app).contains("live") && app.model().sample.at_ns == 130 * SECOND, "{}", title(&app));
    assert_eq!(app.model().elapsed_ns, SECOND);
    keys(&mut app, ",");
    assert!(title(&app).contains("14:02:09, 1 s ago"), "{}", title(&app));
    keys(&mut app, ".");
    assert!(title(&app).contains("live"), "forward from the last but one is now: {}", title(&app));
    keys(&mut app, ".");
    assert_eq!(footer(&app), " This is now: there is nothing later");
}

#[test]
fn a_time_is_gone_to_and_a_wrong_one_is_asked_again() {
    let mut app = after_ten(start());
    keys(&mut app, "J14:00:03\n");
    assert!(title(&app).contains("looking back: 14:00:03, 7 s ago"), "{}", title(&app));
    keys(&mut app, "J-1\n");
    assert!(title(&app).contains("looking back: 14:00:02"), "{}", title(&app));
    keys(&mut app, "Jnoon\n");
    assert!(footer(&app).contains("a time such as 14:03"), "{}", footer(&app));
    keys(&mut app, "\x1bJ13:00\n");
    assert!(footer(&app).contains("kept are 14:00:01 to 14:00:10"), "{}", footer(&app));
    keys(&mut app, "\x1b");
    assert!(app.is_past(), "Esc ended the question only");
    keys(&mut app, ",,,");
    assert_eq!(footer(&app), " The history begins at 14:00:01");
}

#[test]
fn the_past_has_no_rates_before_its_first_sample_and_none_is_kept_unasked() {
    let mut app = after_ten(start());
    keys(&mut app, "J14:00:01\n");
    assert_eq!(app.model().elapsed_ns, 0);
    let mut app = after_ten(Start { history: Duration::ZERO, ..start() });
    keys(&mut app, ",");
    assert_eq!(footer(&app), " No history is kept: it was started with --history 0");
    assert!(!app.is_past() && !app.paused());
}

#[test]
fn a_history_that_memory_cuts_short_says_so() {
    let mut app = App::new(start(), (160, 24));
    for second in 1..=60 {
        let tasks = (1..=3000).map(|pid| task(pid, "worker").with(Counter::CpuNs, second << 40 | u64::from(pid)));
        show(&mut app, Sample { unix_ms: TWO_O_CLOCK + second * 1000, ..sample(second * SECOND, tasks) });
    }
    keys(&mut app, "J-59\n");
    assert!(footer(&app).contains("to 14:01:00: 4 MiB reach no further back (--history for more)"), "{}", footer(&app));
}

#[test]
fn only_who_lives_now_can_be_signalled_from_then() {
    let mut app = after_ten(start());
    keys(&mut app, "J14:00:03\n");
    keys(&mut app, "/worker\x1b");
    let select = |app: &mut App, pid: u32| {
        press(app, KeyCode::Home);
        for _ in 0..4 {
            if app.process_table().unwrap().current().is_some_and(|(key, _)| format!("{key:?}").contains(&format!("pid: {pid},"))) {
                return;
            }
            press(app, KeyCode::Down);
        }
        panic!("no line of {pid}");
    };
    select(&mut app, 6);
    keys(&mut app, "k");
    assert_eq!(footer(&app), " worker (6) has exited since: there is nothing to be done to it");
    select(&mut app, 5);
    let effects = keys(&mut app, "k\n");
    let key = ProcKey { pid: 5, start_ns: SECOND };
    assert!(matches!(&effects[..], [.., Effect::Errand(Errand::Change(_, targets))] if targets[0].key == key), "{effects:?}");
}

#[test]
fn details_and_graphs_are_not_of_now() {
    let mut app = after_ten(start());
    keys(&mut app, "e");
    let (count, newest) = (app.trends().machine().count(), app.trends().machine().next().unwrap().at_ns);
    assert_eq!((count, newest), (9, 10 * SECOND));
    keys(&mut app, "J14:00:06\n");
    assert_eq!(app.trends().machine().next().unwrap().at_ns, 6 * SECOND);
    keys(&mut app, "i");
    assert!(app.pane().is_none() && footer(&app).contains("End leads back to now"), "{}", footer(&app));
    press(&mut app, KeyCode::End);
    assert_eq!(app.trends().machine().count(), count);
    keys(&mut app, "i");
    assert!(app.pane().is_some());
    keys(&mut app, ",");
    assert!(app.pane().is_none() && app.is_past());
}

#[test]
fn a_recording_stands_still_and_goes_on_sample_by_sample() {
    let replay = Start { replay: true, readonly: true, ..start() };
    let mut app = after_ten(replay);
    assert!(title(&app).contains("▸ replay: 14:00:10"), "{}", title(&app));
    let held = |effects: &[Effect], held| effects.contains(&Effect::Command(Command::Hold(held)));
    assert!(held(&keys(&mut app, ","), true));
    assert!(title(&app).contains("looking back: 14:00:09, 1 s ago"), "{}", title(&app));
    keys(&mut app, ".");
    assert!(title(&app).contains("PAUSED 14:00:10"), "{}", title(&app));
    let next = [Effect::Command(Command::SampleSoon(Duration::ZERO))];
    assert_eq!(keys(&mut app, "."), next);
    show(&mut app, tick(11, 5, &[5, 7]));
    assert!(title(&app).contains("PAUSED") && title(&app).contains("14:00:11"), "{}", title(&app));
    assert_eq!(app.model().elapsed_ns, SECOND);

    assert_eq!(keys(&mut app, "J14:00:13\n"), next);
    let more = app.update(Event::Update(Update::Sample(tick(12, 5, &[5, 7]).into())));
    assert_eq!(more, next);
    assert!(title(&app).contains("playing on to 14:00:13: 14:00:12"), "{}", title(&app));
    let more = app.update(Event::Update(Update::Sample(tick(13, 5, &[5, 7]).into())));
    assert!(!more.contains(&next[0]) && title(&app).contains("14:00:13"), "{}", title(&app));
    assert!(held(&keys(&mut app, "z"), false));
    assert!(!title(&app).contains("PAUSED") && title(&app).contains("▸ replay: 14:00:13"), "{}", title(&app));

    keys(&mut app, "J15:00\n");
    app.update(Event::Update(Update::End(None)));
    assert_eq!(footer(&app), " The recording ends here");
    keys(&mut app, "..");
    assert_eq!(footer(&app), " The recording ends here");
}

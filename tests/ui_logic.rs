//! What keys, clicks and samples do to the screen.

mod ui_world;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ebtop::app::bindings::BINDINGS;
use ebtop::app::filter::parse;
use ebtop::app::help::HelpLine;
use ebtop::app::user_names::UserNames;
use ebtop::app::view::View;
use ebtop::app::{App, Effect, Event, Start};
use ebtop::batch::{BatchOptions, Format, run};
use ebtop::sample::*;
use ui_world::common::{SECOND, With, collector, exit, sample, task};
use ui_world::*;

/// The selected line, as text.
fn selected(app: &App) -> String {
    let buffer = buffer(app);
    let body = app.layout().unwrap().body;
    let is_reversed = |y: &u16| buffer[(5, *y)].modifier.contains(ratatui::style::Modifier::REVERSED);
    let y = (body.y..body.bottom()).find(is_reversed).expect("a selected line");
    (0..body.width).map(|x| buffer[(x, y)].symbol()).collect()
}

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().to_string()
}

fn lines(app: &App) -> Vec<String> {
    let body = app.layout().unwrap().body;
    let lines = screen(app).lines().skip(usize::from(body.y)).take(usize::from(body.height)).map(str::to_string).collect::<Vec<_>>();
    lines.into_iter().filter(|l| !l.is_empty()).collect()
}

/// A second after `before`, with each process's CPU as given.
fn tick(at: u64, loads: &[(u32, u64)]) -> Sample {
    sample(at * SECOND, loads.iter().map(|&(pid, ms)| task(pid, "worker").with(Counter::CpuNs, ms * 1_000_000)))
}

#[test]
fn the_hottest_is_selected_until_somebody_chooses() {
    let mut app = fresh(80, 24);
    show(&mut app, tick(10, &[(1, 0), (2, 0), (3, 0)]));
    show(&mut app, tick(11, &[(1, 100), (2, 900), (3, 500)]));
    assert!(selected(&app).contains(" 2 "), "{}", selected(&app));
    show(&mut app, tick(12, &[(1, 1000), (2, 1000), (3, 600)]));
    assert!(selected(&app).contains(" 1 "), "{}", selected(&app));

    press(&mut app, KeyCode::Down);
    assert!(selected(&app).contains(" 2 "), "{}", selected(&app));
    show(&mut app, tick(13, &[(1, 1000), (2, 1000), (3, 1500)]));
    assert!(selected(&app).contains(" 2 "), "the choice moves with its process: {}", selected(&app));
    press(&mut app, KeyCode::Home);
    assert!(selected(&app).contains(" 3 "), "{}", selected(&app));
}

#[test]
fn the_end_of_the_selected_process_is_told() {
    let mut app = fresh(80, 24);
    show(&mut app, tick(10, &[(1, 0), (2, 0), (3, 0)]));
    press(&mut app, KeyCode::Down);
    let mut next = tick(11, &[(1, 0), (3, 0)]);
    next.exits = vec![Exit { signal: 9, ..exit(task(2, "worker"), 11 * SECOND - 1) }];
    show(&mut app, next);
    assert_eq!(footer(&app), " worker (2) was killed by signal 9");
    assert!(!selected(&app).contains(" 2 "));
    press(&mut app, KeyCode::Up);
    assert!(footer(&app).contains("help"), "a key clears the message");
}

#[test]
fn an_unknown_key_says_so_in_one_line() {
    let mut app = app(80, 24);
    assert_eq!(keys(&mut app, "x"), []);
    assert_eq!(footer(&app), " x does nothing here; ? lists the keys");
}

#[test]
fn escape_never_quits() {
    let mut app = app(80, 24);
    for _ in 0..10 {
        assert!(!press(&mut app, KeyCode::Esc).contains(&Effect::Quit));
    }
    assert!(keys(&mut app, "q").contains(&Effect::Quit));
}

#[test]
fn a_bad_filter_keeps_the_last_good_one() {
    let mut app = app(120, 40);
    keys(&mut app, "\\cpu>5");
    let good = lines(&app);
    assert_eq!(good.len(), 4, "{good:?}");
    keys(&mut app, " (");
    let (mistake, others) = lines(&app).split_last().map(|(last, others)| (last.clone(), others.to_vec())).unwrap();
    assert_eq!(others, good);
    assert_eq!(mistake.find('▾'), footer(&app).find('(').map(|at| at + 1), "{mistake}");
    assert!(footer(&app).starts_with(" Filter: cpu>5 ("), "{}", footer(&app));
    keys(&mut app, "\n");
    assert!(app.prompt().is_some(), "Enter does not accept what cannot be read");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.filter_text(), "", "Esc brings back what was there before");
    assert!(lines(&app).len() > 5);
}

#[test]
fn a_filter_that_hides_all_says_so() {
    let mut app = app(80, 24);
    keys(&mut app, "\\nosuchthing\n");
    let text = screen(&app);
    assert!(text.contains("The filter nosuchthing hides all 16 lines.") && text.contains("Esc clears it"), "{text}");
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.filter_text(), "");
    assert!(screen(&app).contains("nginx"));
}

#[test]
fn a_filter_on_command_lines_asks_for_all_of_them() {
    let mut app = fresh(80, 15);
    app.update(Event::Resize(80, 15));
    show(&mut app, server(false));
    show(&mut app, server(true));
    keys(&mut app, "\\walwriter\n");
    let found = lines(&app);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("9920"));
}

#[test]
fn search_moves_and_hides_nothing() {
    let mut app = app(120, 40);
    let all = lines(&app).len();
    keys(&mut app, "/postgres");
    assert!(selected(&app).contains("9920"), "{}", selected(&app));
    keys(&mut app, "\nn");
    assert!(selected(&app).contains("9921"), "{}", selected(&app));
    keys(&mut app, "n");
    assert!(selected(&app).contains("9920"), "round the end: {}", selected(&app));
    keys(&mut app, "N");
    assert!(selected(&app).contains("9921"), "{}", selected(&app));
    assert_eq!(lines(&app).len(), all);
    press(&mut app, KeyCode::Esc);
    keys(&mut app, "N");
    assert!(screen(&app).contains("▾PID") || screen(&app).contains("▴PID"), "without a search N sorts by PID");
    keys(&mut app, "/nosuchthing");
    assert!(footer(&app).contains("× nothing found"), "{}", footer(&app));
}

#[test]
fn what_command_lines_that_come_late_hold_is_found() {
    let type_without_answers = |app: &mut App, codes: &[KeyCode]| -> Vec<Effect> {
        codes.iter().flat_map(|&code| app.update(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))).collect()
    };
    let word: Vec<KeyCode> = "/6379".chars().map(KeyCode::Char).chain([KeyCode::Enter]).collect();
    for (after, found) in [(None, true), (Some(KeyCode::End), false)] {
        let mut app = fresh(120, 40);
        let sample = Event::Update(Update::Sample(Arc::new(server(false))));
        let mut effects = app.update(sample);
        let codes: Vec<KeyCode> = word.iter().copied().chain(after).collect();
        effects.extend(type_without_answers(&mut app, &codes));
        assert!(!selected(&app).contains("1288"), "{}", selected(&app));
        answer(&mut app, &effects);
        assert_eq!(selected(&app).contains("1288"), found, "{}", selected(&app));
    }
}

#[test]
fn the_exited_unfold() {
    let mut app = app(120, 40);
    let row = |app: &App, word: &str| lines(app).iter().position(|l| l.contains(word));
    let folded = row(&app, "exited: cc1 5").unwrap();
    let y = app.layout().unwrap().body.y + folded as u16;
    click(&mut app, 10, y);
    keys(&mut app, " ");
    let below = lines(&app)[folded + 1].clone();
    assert!(below.contains("(5)") && below.contains("  cc1") && below.contains("6.0"), "{below}");
    assert!(lines(&app)[folded + 2].contains("(2)"));
    keys(&mut app, "\n");
    assert!(!lines(&app)[folded + 1].contains("(5)"));
    assert!(selected(&app).contains("exited"));
}

#[test]
fn those_on_their_way_out_stand_among_the_exited() {
    let mut app = fresh(80, 24);
    show(&mut app, tick(10, &[(1, 0), (2, 0), (3, 0)]));
    let mut now = tick(11, &[(1, 100), (2, 900), (3, 500)]);
    now.tasks[1].state = b'X';
    now.exits = vec![exit(task(9, "cc1").born(10 * SECOND).with(Counter::CpuNs, 50_000_000), 11 * SECOND)];
    now.tasks[2].state = b'S';
    show(&mut app, now);
    let is_of = |line: &String, pid: &str| line.split_whitespace().any(|word| word == pid);
    let group = |app: &App| lines(app).into_iter().find(|l| l.contains("exited:")).unwrap_or_default();
    for keyed in ["", "t", "tgc"] {
        keys(&mut app, keyed);
        assert!(!lines(&app).iter().any(|l| is_of(l, "2")), "{keyed}: {:?}", lines(&app));
        assert!(group(&app).contains("(2)") && group(&app).contains("95.0"), "{keyed}: {}", group(&app));
    }
    keys(&mut app, "\x1b\\!exited\n");
    assert!(group(&app).is_empty() && !lines(&app).iter().any(|l| is_of(l, "2")), "{:?}", lines(&app));
}

#[test]
fn of_the_exited_those_pass_a_filter_that_would_alone_as_in_batch_output() {
    let ended = |pid, uid, comm: &str, ms: u64| {
        let task = task(pid, comm).born(10 * SECOND).with(Counter::CpuNs, ms * 1_000_000);
        exit(Task { uid, ..task }, 11 * SECOND)
    };
    let mut now = tick(11, &[(1, 0)]);
    now.exits = vec![ended(5, 0, "cc1", 40), ended(6, 0, "cc1", 40), ended(7, 7, "cc1", 90), ended(8, 7, "sh", 1)];
    now.tasks[0].uid = 0;
    let users = || UserNames::new([(0, "root".into())]);
    let mut app = App::new(Start { users: users(), ..Start::default() }, (120, 24));
    show(&mut app, tick(10, &[(1, 0)]));
    show(&mut app, now.clone());
    let on_screen = |app: &App| -> Vec<String> {
        let line = lines(app).into_iter().find(|l| l.contains("exited: ")).unwrap_or_default();
        line.split_once("exited: ").map_or(vec![], |(_, names)| names.trim_end().split(" · ").map(str::to_owned).collect())
    };
    let in_batch = |text: &str| -> Vec<String> {
        let (collector, _) = collector(vec![tick(10, &[(1, 0)]), now.clone()], vec![]);
        let fields = ["user".to_owned(), "command".to_owned()];
        let options = BatchOptions::new(Format::Text, View::Processes.into(), &fields, None).unwrap();
        let mut out = Vec::new();
        run(&collector, &BatchOptions { filter: parse(text).unwrap(), users: users(), ..options }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let group = |line: &str| line.trim().strip_prefix('(')?.split_once(')').map(|(count, name)| format!("{} {count}", name.trim()));
        text.lines().filter_map(group).collect()
    };
    for (filter, names) in [
        ("exited", vec!["cc1 3", "sh 1"]),
        ("!uid=0", vec!["cc1 1", "sh 1"]),
        ("user!=root", vec!["cc1 1", "sh 1"]),
        ("!user=root", vec!["cc1 1", "sh 1"]),
        ("user=root", vec!["cc1 2"]),
        ("exited cpu>5", vec!["cc1 1"]),
        ("!cpu>5 uid=0", vec!["cc1 2"]),
        ("!sh", vec!["cc1 3"]),
        ("!exited", vec![]),
    ] {
        keys(&mut app, &format!("\x1b\\{filter}\n"));
        assert_eq!(on_screen(&app), names, "{filter}");
        assert_eq!(in_batch(filter), names, "{filter} in batch output");
    }
}

#[test]
fn a_user_who_is_known_has_a_name_from_the_first_screen() {
    let users = UserNames::new([(1000, "web".into())]);
    let mut app = App::new(Start { users, ..Start::default() }, (80, 24));
    let unanswered = |app: &mut App, sample| drop(app.update(Event::Update(Update::Sample(Arc::new(sample)))));
    unanswered(&mut app, tick(10, &[(1, 0), (2, 0)]));
    let words = |app: &App, pid: &str| {
        let line = lines(app).into_iter().find(|l| l.split_whitespace().next() == Some(pid)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_string()
    };
    assert_eq!([words(&app, "1"), words(&app, "2")], ["web", "web"]);
    let mut now = tick(11, &[(1, 0), (2, 0), (3, 0)]);
    now.tasks[1].uid = 7;
    now.tasks[2].uid = 7;
    unanswered(&mut app, now);
    assert_eq!(words(&app, "3"), "7", "nobody said so far");
    let details = Details { uid: Some(7), user: "build".into(), ..Details::default() };
    app.update(Event::Update(Update::Details(vec![(app.model().sample.tasks[1].key, details)])));
    assert_eq!([words(&app, "2"), words(&app, "3")], ["build", "build"], "one answer names all of them");
}

#[test]
fn cpu_adds_up_over_rows_and_exited() {
    let app = app(120, 40);
    let cpu = |line: &String| line.chars().skip(19).take(6).collect::<String>().trim().parse::<f64>().ok();
    let sum: f64 = lines(&app).iter().filter_map(cpu).sum();
    let ledger = app.model().ledger;
    let truth = (ledger.processes_ns + ledger.kernel_ns + ledger.exited_ns) as f64 / 1e7;
    assert!((sum - truth).abs() < 0.5, "{sum} {truth}");
}

#[test]
fn sort_keys_headings_and_inversion() {
    let mut app = app(120, 40);
    keys(&mut app, "M");
    assert!(lines(&app)[0].contains("containerd"));
    keys(&mut app, "I");
    assert!(lines(&app)[0].contains("systemd"), "{}", lines(&app)[0]);
    let heading = app.layout().unwrap().headings.y;
    let x = screen(&app).lines().nth(heading.into()).unwrap().find("NET/s").unwrap() as u16;
    click(&mut app, x, heading);
    assert!(lines(&app)[0].contains("4112"));
    keys(&mut app, "2B");
    assert!(footer(&app).contains("no column NET/s"), "{}", footer(&app));
}

#[test]
fn enter_shows_why_and_escape_comes_back() {
    let mut app = app(120, 40);
    keys(&mut app, "3");
    press(&mut app, KeyCode::Down);
    let line = selected(&app);
    keys(&mut app, "\n");
    assert_eq!((app.view(), app.trail()), (View::Stacks, &[View::Memory][..]));
    assert!(screen(&app).contains("Memory › vim (20450)"), "{}", screen(&app));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.view(), View::Memory);
    assert_eq!(selected(&app), line);
}

#[test]
fn sockets_are_wanted_only_while_they_show() {
    let mut app = app(80, 24);
    let want = |sockets| Effect::Command(Command::Want(Wants { sockets, ..Wants::NONE }));
    assert!(keys(&mut app, "4s").contains(&want(true)));
    assert!(!keys(&mut app, "4").contains(&want(false)));
    assert!(keys(&mut app, "1").contains(&want(false)));
}

#[test]
fn page_allocations_are_wanted_only_while_their_column_shows() {
    let mut app = app(200, 50);
    let want = |page_allocs| Effect::Command(Command::Want(Wants { page_allocs, ..Wants::NONE }));
    assert!(keys(&mut app, "3").contains(&want(true)));
    assert!(screen(&app).contains("PGALLOC/s"));
    assert!(keys(&mut app, "1").contains(&want(false)));
}

#[test]
fn what_the_screen_is_sorted_or_filtered_by_is_wanted_too() {
    let want = |page_allocs| Effect::Command(Command::Want(Wants { page_allocs, ..Wants::NONE }));
    let mut app = app(120, 40);
    assert!(keys(&mut app, "\\nginx or !pgalloc>0\n").contains(&want(true)));
    assert!(!screen(&app).contains("PGALLOC/s"));
    assert!(keys(&mut app, "\x1b").contains(&want(false)));

    let mut sorted = App::new(Start { sort: Some("pgalloc".into()), ..Start::default() }, (80, 24));
    assert!(sorted.update(Event::Update(Update::Sample(Arc::new(server(false))))).contains(&want(true)));
    assert!(screen(&sorted).contains("PGALLOC/s"));
    for _ in 0..20 {
        assert!(!press(&mut sorted, KeyCode::Right).contains(&want(false)), "it is only out of sight");
    }
    assert!(!screen(&sorted).contains("PGALLOC/s"));
}

#[test]
fn a_probe_lives_as_long_as_its_stacks_are_looked_at() {
    let mut app = app(120, 40);
    press(&mut app, KeyCode::Down);
    let pid: u32 = selected(&app).split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let key = server(true).tasks.iter().map(|task| task.key).find(|key| key.pid == pid).unwrap();
    let watch = |probe| Effect::Command(Command::Watch(Some(Watch { probe, who: Watched::One(key) })));
    let none = Effect::Command(Command::Watch(None));
    assert!(keys(&mut app, "o").contains(&watch(Probe::OffCpu)));
    assert!(screen(&app).contains("off-CPU"), "{}", screen(&app));
    assert!(keys(&mut app, "a").contains(&watch(Probe::Faults)));
    assert!(keys(&mut app, "a").contains(&watch(Probe::Allocs)));
    assert!(keys(&mut app, "a").contains(&none), "back on the CPU");
    assert!(keys(&mut app, "B").contains(&watch(Probe::Net)));
    assert!(keys(&mut app, "1").contains(&none));
    let everyone = Effect::Command(Command::Watch(Some(Watch { probe: Probe::OffCpu, who: Watched::Everyone })));
    assert!(!keys(&mut app, "7").iter().any(|effect| matches!(effect, Effect::Command(Command::Watch(_)))));
    assert!(keys(&mut app, "o").contains(&everyone));
}

#[test]
fn an_export_without_stacks_writes_nothing() {
    let mut app = app(120, 40);
    keys(&mut app, "7E");
    assert!(screen(&app).contains("Write to: ebtop-machine.svg"), "{}", screen(&app));
    assert!(!keys(&mut app, "\n").iter().any(|effect| matches!(effect, Effect::Write(_))));
    assert!(screen(&app).contains("Nothing to write"), "{}", screen(&app));
}

#[test]
fn sockets_of_one_process_and_back_to_it() {
    let mut app = app(120, 40);
    keys(&mut app, "s");
    assert_eq!(app.view(), View::Network);
    show(&mut app, with_sockets(server(true), true));
    assert_eq!(lines(&app).len(), 2, "{:?}", lines(&app));
    assert!(screen(&app).contains("Processes › sockets of nginx (4112)"), "{}", screen(&app));
    press(&mut app, KeyCode::Esc);
    assert_eq!(app.view(), View::Processes);
}

#[test]
fn in_network_s_shows_the_sockets_of_all_and_enter_those_of_one() {
    let mut app = app(120, 40);
    for (key, title) in [(KeyCode::Char('s'), "sockets of all"), (KeyCode::Enter, "sockets of nginx (4112)")] {
        keys(&mut app, "4");
        press(&mut app, key);
        assert!(screen(&app).contains(title), "{}", screen(&app));
        press(&mut app, key);
        assert!(!screen(&app).contains("sockets of"), "{}", screen(&app));
    }
}

#[test]
fn pause_holds_the_screen_and_goes_on_with_true_rates() {
    let mut app = fresh(80, 24);
    for (at, ms) in [(10, 0), (11, 500)] {
        show(&mut app, tick(at, &[(1, ms)]));
    }
    let before = lines(&app);
    keys(&mut app, "z");
    assert!(screen(&app).contains("PAUSED"));
    for (at, ms) in [(12, 600), (13, 700), (14, 800)] {
        show(&mut app, tick(at, &[(1, ms)]));
    }
    assert_eq!(lines(&app), before);
    keys(&mut app, "z");
    assert!(lines(&app)[0].contains(" 10.0 "), "{}", lines(&app)[0]);
    assert_eq!(app.model().elapsed_ns, SECOND);
}

#[test]
fn the_delay_is_asked_for_and_told_to_the_collector() {
    let mut app = app(80, 24);
    keys(&mut app, "d5m\n");
    let effects = keys(&mut app, "d500ms\n");
    assert!(effects.contains(&Effect::Command(Command::SetInterval(Duration::from_millis(500)))));
    assert!(screen(&app).contains("500ms"));
    keys(&mut app, "d0\n");
    assert!(footer(&app).contains("between 100ms and 1h"), "{}", footer(&app));
}

#[test]
fn help_lists_every_key_and_column() {
    let mut app = app(200, 50);
    for setup in ["1", "4s", "5", "6", "7"] {
        keys(&mut app, setup);
        keys(&mut app, "?");
        let mut all = screen(&app);
        while app.help().is_some() && all.lines().count() < 1000 {
            let before = app.help().unwrap().offset;
            press(&mut app, KeyCode::PageDown);
            all += &screen(&app);
            if app.help().unwrap().offset == before {
                break;
            }
        }
        for binding in BINDINGS.iter().filter(|b| app.places().contains(&b.place)) {
            assert!(all.contains(binding.help), "{} after {setup}", binding.help);
            for key in binding.keys.iter() {
                assert!(all.contains(&key.name()), "{} after {setup}", key.name());
            }
        }
        press(&mut app, KeyCode::Esc);
    }
}

#[test]
fn footer_hints_and_tabs_are_clickable() {
    let mut app = app(80, 24);
    let y = app.layout().unwrap().footer.y;
    let at = |app: &App, word: &str, y: u16| screen(app).lines().nth(y.into()).unwrap().find(word).unwrap() as u16;
    let x = at(&app, "quit", y);
    assert!(click(&mut app, x, y).contains(&Effect::Quit));
    let tabs = app.layout().unwrap().tabs.y;
    let x = at(&app, "Memory", tabs);
    click(&mut app, x, tabs);
    assert_eq!(app.view(), View::Memory);
}

#[test]
fn keys_in_any_order_at_any_size_break_nothing() {
    let mut app = app(80, 24);
    let all: Vec<_> = BINDINGS.iter().flat_map(|b| b.keys.iter()).map(|k| k.event()).collect();
    let mut seed = 12_345_u64;
    for step in 0..3000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let effects = app.update(Event::Key(all[(seed >> 33) as usize % all.len()]));
        answer(&mut app, &effects);
        if step % 7 == 0 {
            app.update(Event::Resize((seed >> 40) as u16 % 250, (seed >> 20) as u16 % 80));
        }
        if step % 11 == 0 {
            let later = step % 2 == 0;
            show(&mut app, with_sockets(server(later), later));
        }
        if app.size().0 > 0 && app.size().1 > 0 {
            screen(&app);
        }
    }
}

#[test]
fn a_pid_of_another_namespace_is_never_taken_for_one_of_this() {
    let mut app = app(80, 24);
    let key = |pid: u32| app.model().sample.tasks.iter().find(|task| task.key.pid == pid).unwrap().key;
    let inner = |pid: u32, inner: u32| (key(pid), Details { inner_pid: Some(inner), ..told(pid) });
    let answer = vec![inner(NGINX, 7), inner(15_003, 12)];
    app.update(Event::Update(Update::Details(answer)));
    let text = screen(&app);
    assert!(text.contains("  4112/7 www-data") && text.contains(" 15003/… build") && text.contains("    9920 postgres"), "{text}");
    app.update(Event::Resize(240, 40));
    let text = screen(&app);
    assert!(
        text.contains("PID/NS") && text.contains("4112/7") && !text.contains("  4112/7 www-data"),
        "it has a column of its own: {text}"
    );
}

#[test]
fn p_shows_programs_with_their_directories() {
    let mut app = app(120, 40);
    assert!(screen(&app).contains(" redis-server 127.0.0.1:6379"));
    keys(&mut app, "p");
    assert!(screen(&app).contains(" /usr/bin/redis-server 127.0.0.1:6379"));
    keys(&mut app, "\\/usr/bin");
    press(&mut app, KeyCode::Enter);
    keys(&mut app, "p");
    assert!(screen(&app).contains(" redis-server 127.0.0.1:6379"), "filters see the whole command line");
}

#[test]
fn a_key_right_after_escape_is_both() {
    let mut app = app(120, 40);
    keys(&mut app, "/redis");
    let joined = crossterm::event::KeyEvent::new(KeyCode::Char('4'), crossterm::event::KeyModifiers::ALT);
    app.update(Event::Key(joined));
    assert!(app.prompt().is_none());
    assert_eq!(app.view(), View::Network);
}

#[test]
fn a_file_that_cannot_be_written_is_asked_for_again() {
    let mut app = app(80, 24);
    keys(&mut app, "7E");
    let refused = |why: &str| Event::Written(Err(("flame.png".into(), why.into())));
    app.update(refused("end it in .svg .folded .pb.gz .json .txt"));
    assert!(footer(&app).contains("Write to: flame.png") && footer(&app).contains("× end it in .svg"), "{}", footer(&app));
    keys(&mut app, "q1.svg");
    assert_eq!(app.view(), View::Stacks, "keys are text");
    assert!(footer(&app).contains("Write to: flame.pngq1.svg") && !footer(&app).contains("end it"), "{}", footer(&app));
    app.update(refused("cannot write to flame.png: permission denied; choose one that is yours"));
    let shown = screen(&app);
    assert!(shown.lines().rev().nth(1).unwrap().contains("is yours"), "what is long stands above, whole: {shown}");
}

#[test]
fn an_unknown_column_is_pointed_at_with_what_was_meant() {
    let mut app = app(80, 24);
    keys(&mut app, "\\nginx useer=x");
    let shown = screen(&app);
    let above = shown.lines().rev().nth(1).unwrap();
    let (caret, place) = (above.find('▾').map(|at| above[..at].chars().count()), footer(&app).find("useer"));
    assert!(caret == place && above.contains("user=…"), "{shown}");
}

#[test]
fn help_explains_every_word_of_the_header_at_every_size() {
    for (width, height) in [(60, 15), (80, 24), (92, 24), (100, 30), (120, 40), (200, 50)] {
        let app = app(width, height);
        let lines = ebtop::app::help::lines(&app, usize::from(width));
        let part = lines.iter().skip_while(|line| !matches!(line, HelpLine::Heading(title) if title == "Header")).skip(1);
        let entries = part.map_while(|line| match line {
            HelpLine::Entry { what, text } => Some(format!("{what} {text}")),
            _ => None,
        });
        let help = entries.collect::<Vec<_>>().join(" ");
        let known: Vec<&str> = help.split(|c: char| !c.is_alphabetic()).collect();
        let layout = app.layout().unwrap();
        let text = screen(&app);
        let rows = [layout.totals, layout.ledger].into_iter().filter(|area| area.height > 0);
        let words: Vec<&str> = rows.flat_map(|area| text.lines().nth(area.y.into()).unwrap().split([' ', '/'])).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty() && word.chars().all(char::is_alphabetic)).collect();
        assert!(words.contains(&"net") && words.contains(&"disk"), "{text}");
        for word in words.into_iter().filter(|word| *word != "s") {
            assert!(known.contains(&word), "{word} at {width}×{height} in {help}");
        }
    }
}

//! Trees, groups, tags, kernel threads: what stands on the screen, and that sums are sums.

mod ui_world;

use crossterm::event::KeyCode;
use ebtop::app::{App, Effect};
use ebtop::control::{Change, Errand};
use ebtop::sample::*;
use insta::assert_snapshot;
use ui_world::common::{MIB, SECOND, With, sample, task};
use ui_world::*;

fn lines(app: &App) -> Vec<String> {
    let body = app.layout().unwrap().body;
    let lines = screen(app).lines().skip(usize::from(body.y)).take(usize::from(body.height)).map(str::to_string).collect::<Vec<_>>();
    lines.into_iter().filter(|l| !l.is_empty()).collect()
}

fn footer(app: &App) -> String {
    screen(app).lines().last().unwrap().to_string()
}

/// The command column without indentation.
fn commands(app: &App) -> Vec<String> {
    let heading = screen(app).lines().nth(app.layout().unwrap().headings.y.into()).unwrap().to_string();
    let at =
        heading.chars().position(|c| c == 'C').map(|_| heading.find("COMMAND").map(|b| heading[..b].chars().count()).unwrap()).unwrap();
    lines(app).iter().map(|l| l.chars().skip(at).collect::<String>()).collect()
}

/// The world of `ui_world` with parents: systemd has most, nginx has its worker, make the compiler, bash has make and vim.
fn family(later: bool) -> Sample {
    let mut sample = server(later);
    for task in sample.tasks.iter_mut() {
        task.ppid = match task.key.pid {
            1 | 2 => 0,
            4113 => NGINX,
            9921 => POSTGRES,
            15_003 => 15_010,
            15_010 | 20_450 => 20_117,
            _ => 1,
        };
        // make started first, though its pid is the higher one.
        task.key.start_ns = match task.key.pid {
            1 => SECOND / 2,
            20_117 => SECOND,
            15_010 => SECOND + 1,
            _ => SECOND + 2,
        };
    }
    sample
}

fn at_home(width: u16, height: u16) -> App {
    let mut app = fresh(width, height);
    show(&mut app, family(false));
    show(&mut app, family(true));
    app
}

fn cpu(line: &str) -> f64 {
    line.chars().skip(19).take(6).collect::<String>().trim().parse().unwrap_or_else(|_| panic!("{line}"))
}

fn row<'a>(all: &'a [String], word: &str) -> &'a str {
    all.iter().find(|l| l.contains(word)).unwrap_or_else(|| panic!("no {word} in {all:#?}"))
}

fn select(app: &mut App, word: &str) {
    press(app, KeyCode::Home);
    let at = lines(app).iter().position(|l| l.contains(word)).unwrap_or_else(|| panic!("no {word}\n{}", screen(app)));
    (0..at).for_each(|_| drop(press(app, KeyCode::Down)));
}

fn targets(effects: Vec<Effect>) -> Vec<u32> {
    let target = |effect| match effect {
        Effect::Errand(Errand::Change(Change::Signal(15), targets)) => Some(targets),
        _ => None,
    };
    effects.into_iter().filter_map(target).flatten().map(|t| t.key.pid).collect()
}

#[test]
fn tree_and_groups_at_every_size() {
    for (width, height) in [(60, 15), (80, 24), (120, 40), (200, 50)] {
        let mut app = at_home(width, height);
        keys(&mut app, "t");
        assert_snapshot!(format!("tree_{width}x{height}"), screen(&app));
        keys(&mut app, "guser\n");
        assert_snapshot!(format!("by_user_{width}x{height}"), screen(&app));
    }
}

#[test]
fn the_group_menu() {
    let mut app = at_home(80, 24);
    keys(&mut app, "g");
    assert_snapshot!(screen(&app));
}

#[test]
fn a_fold_shows_the_sum_of_all_below_it() {
    let mut app = at_home(120, 40);
    keys(&mut app, "t");
    let before = lines(&app);
    assert!(cpu(row(&before, "nginx")) < 100.0);
    let parts: f64 = ["bash", "make", "cc1 -quiet", "vim"].map(|word| cpu(row(&before, word))).iter().sum();
    select(&mut app, "bash");
    keys(&mut app, "-");
    let after = lines(&app);
    assert_eq!(after.len(), before.len() - 3, "{after:#?}");
    assert!((cpu(row(&after, "▸bash")) - parts).abs() < 0.15, "{} {parts}", row(&after, "▸bash"));
    keys(&mut app, "3");
    let rss = row(&lines(&app), "▸bash").to_string();
    let sum: u64 = [20_117, 15_010, 20_450, 15_003].map(|pid: u64| (pid % 900) + (pid % 900) / 4).iter().sum();
    assert!(rss.contains(&format!("{:.1}G", sum as f64 / 1024.0)), "{rss} {sum} MiB");
    keys(&mut app, "1+");
    assert_eq!(lines(&app).len(), before.len());
}

#[test]
fn folding_all_and_back() {
    let mut app = at_home(120, 40);
    keys(&mut app, "t");
    let all = lines(&app).len();
    keys(&mut app, "*");
    assert_eq!(lines(&app).len(), 3, "systemd, kthreadd and the exited: {:#?}", lines(&app));
    let ledger = app.model().ledger;
    let sum: f64 = lines(&app).iter().map(|l| cpu(l)).sum();
    assert!((sum - (ledger.processes_ns + ledger.kernel_ns + ledger.exited_ns) as f64 / 1e7).abs() < 0.3, "{sum}");
    keys(&mut app, "*");
    assert_eq!(lines(&app).len(), all);
    keys(&mut app, "t-");
    assert!(footer(&app).contains("t shows the tree"), "{}", footer(&app));
}

#[test]
fn siblings_are_sorted_by_their_subtrees() {
    let mut app = at_home(120, 40);
    keys(&mut app, "t");
    let order = commands(&app);
    let at = |word: &str| order.iter().position(|c| c.contains(word)).unwrap_or_else(|| panic!("{word} {order:#?}"));
    assert!(at("nginx") < at("postgres: 15") && at("postgres: app") < at("bash"), "{order:#?}");
    assert!(at("bash") < at("redis"), "the compiler below it lifts the shell: {order:#?}");
    assert_eq!(at("cc1 -quiet"), at("make") + 1);
    keys(&mut app, "N");
    let pids: Vec<_> = lines(&app).iter().filter_map(|l| l.split_whitespace().next()?.parse::<u32>().ok()).collect();
    assert_eq!(pids.iter().filter(|p| [1, 2].contains(*p)).count(), 2, "{pids:?}");
}

#[test]
fn a_filter_keeps_the_way_to_what_matches() {
    let mut app = at_home(120, 40);
    keys(&mut app, "t\\cc1\n");
    let shown = commands(&app);
    assert_eq!(shown.len(), 5, "the exited, systemd, bash, make, cc1: {shown:#?}");
}

#[test]
fn new_children_and_exits_keep_the_tree_right() {
    let mut app = at_home(120, 40);
    keys(&mut app, "t");
    let mut next = family(true);
    next.at_ns += SECOND;
    next.exits.clear();
    next.tasks.retain(|t| t.key.pid != 15_010);
    next.tasks.push(Task { ppid: NGINX, ..task(50_000, "fresh") }.born(next.at_ns - 1));
    next.tasks.iter_mut().filter(|t| t.key.pid == 15_003).for_each(|t| t.ppid = 1);
    next.tasks.sort_by_key(|t| t.key);
    show(&mut app, next);
    let all = commands(&app);
    let at = |word: &str| all.iter().position(|c| c.contains(word)).unwrap_or_else(|| panic!("{word} {all:#?}"));
    assert!(all[at("fresh")].starts_with("│ ") || all[at("fresh")].starts_with("  "), "below nginx: {all:#?}");
    assert!(all[at("cc1 -quiet")].starts_with(['├', '└']), "its parent is systemd now: {all:#?}");
    assert!(lines(&app).iter().any(|l| l.starts_with('+') && l.contains("fresh")), "new ones carry a sign: {:#?}", lines(&app));
}

#[test]
fn parents_in_a_circle_hide_nobody() {
    let mut app = fresh(80, 24);
    let circle = |at: u64| {
        let of = |pid: u32, ppid: u32| Task { ppid, ..task(pid, "loop") };
        sample(at * SECOND, [of(1, 2), of(2, 3), of(3, 1), of(4, 4), of(5, 999)])
    };
    show(&mut app, circle(10));
    keys(&mut app, "t");
    show(&mut app, circle(11));
    assert_eq!(lines(&app).len(), 5, "{:#?}", lines(&app));
}

#[test]
fn groups_have_the_sums_of_their_members() {
    let mut app = at_home(120, 40);
    keys(&mut app, "guser\n");
    let groups = lines(&app);
    assert!(groups.iter().all(|l| l.contains('▸')), "{groups:#?}");
    assert!((cpu(row(&groups, "▸www-data")) - 100.4).abs() < 0.15, "{groups:#?}");
    assert!(row(&groups, "▸www-data").contains("(2)"));
    select(&mut app, "▸www-data");
    keys(&mut app, "+");
    let open = lines(&app);
    assert_eq!(open.len(), groups.len() + 2, "{open:#?}");
    select(&mut app, "4113");
    keys(&mut app, "-");
    assert_eq!(lines(&app).len(), groups.len(), "a member folds its group");
    keys(&mut app, "gcommand\n");
    assert!(lines(&app).iter().any(|l| l.contains("▸nginx") && l.contains("(2)")));
    keys(&mut app, "gunit\n");
    assert!(lines(&app).iter().any(|l| l.contains("▸web.service")), "{:#?}", lines(&app));
    keys(&mut app, "gnothing\n");
    assert!(!screen(&app).contains('▸') || lines(&app).iter().filter(|l| l.contains('▸')).count() == 1);
}

#[test]
fn actions_are_for_all_that_are_tagged() {
    let mut app = at_home(120, 40);
    keys(&mut app, "  ");
    assert!(screen(&app).contains("2 tagged"));
    assert_eq!(lines(&app).iter().filter(|l| l.starts_with('*')).count(), 2);
    assert_eq!(targets(keys(&mut app, "k\n")), [NGINX, POSTGRES]);
    keys(&mut app, "Uk");
    let about = app.menu().unwrap().about.clone();
    assert_eq!(targets(keys(&mut app, "\n")).len(), 1, "{about:?}");
}

#[test]
fn a_subtree_is_tagged_whatever_the_shape() {
    let mut app = at_home(120, 40);
    select(&mut app, "bash");
    keys(&mut app, "c");
    assert_eq!(targets(keys(&mut app, "k\n")), [15_003, 15_010, 20_117, 20_450]);
    keys(&mut app, "U");
    keys(&mut app, "guser\n");
    select(&mut app, "▸www-data");
    keys(&mut app, " ");
    assert_eq!(targets(keys(&mut app, "k\n")), [NGINX, 4113]);
}

#[test]
fn tags_go_with_their_processes() {
    let mut app = at_home(120, 40);
    keys(&mut app, " ");
    let mut next = family(true);
    next.at_ns += SECOND;
    next.tasks.retain(|t| t.key.pid != NGINX);
    show(&mut app, next);
    assert!(!screen(&app).contains("tagged"));
}

#[test]
fn kernel_threads_hide_and_come_back() {
    let mut app = at_home(120, 40);
    keys(&mut app, "K");
    assert!(!lines(&app).iter().any(|l| l.contains("kthreadd")) && screen(&app).contains("no kernel threads"));
    keys(&mut app, "t");
    assert!(!lines(&app).iter().any(|l| l.contains("kthreadd")));
    keys(&mut app, "tK");
    assert!(lines(&app).iter().any(|l| l.contains("kthreadd")));
}

#[test]
fn following_holds_on_until_let_go() {
    let mut app = at_home(80, 24);
    keys(&mut app, "F");
    assert!(footer(&app).contains("Following nginx (4112)"), "{}", footer(&app));
    let mut next = family(true);
    next.at_ns += SECOND;
    next.tasks.iter_mut().filter(|t| t.key.pid == 1288).for_each(|t| *t = t.with(Counter::CpuNs, 9000 * SECOND));
    show(&mut app, next);
    assert_eq!(targets(keys(&mut app, "k\n")), [NGINX]);
    keys(&mut app, "F");
    assert_eq!(targets(keys(&mut app, "k\n")), [1288]);
}

#[test]
fn who_was_chosen_by_hand_is_followed_too() {
    let mut app = at_home(80, 24);
    press(&mut app, KeyCode::Down);
    let chosen = targets(keys(&mut app, "k\n"));
    press(&mut app, KeyCode::Down);
    let next = targets(keys(&mut app, "k\n"));
    assert_ne!(chosen, next);
    keys(&mut app, "F");
    assert!(footer(&app).contains(&format!("({})", next[0])), "{}", footer(&app));
    assert_eq!(targets(keys(&mut app, "k\n")), next);
    press(&mut app, KeyCode::Up);
    keys(&mut app, "F");
    assert_eq!(targets(keys(&mut app, "k\n")), chosen, "another is followed, nobody let go");
}

#[test]
fn memory_of_a_group_is_the_sum_of_its_members() {
    let mut app = fresh(120, 40);
    let two = |at: u64| sample(at * SECOND, [10, 11].map(|pid| task(pid, "db")));
    show(&mut app, two(10));
    show(&mut app, two(11));
    keys(&mut app, "3gcommand\n");
    assert_eq!(8 * MIB, 2 * (3 * MIB + MIB));
    assert!(row(&lines(&app), "▸db").contains("8.0M"), "{:#?}", lines(&app));
}

/// A process with two threads beside its leader, which use 30 and 40 of its 100 %; and one with none.
fn with_threads(at: u64) -> Sample {
    let ms = |percent: u64| percent * 10 * 1_000_000 * (at - 10);
    let mut sample = sample(at * SECOND, [task(10, "java").with(Counter::CpuNs, ms(100)), task(20, "sh").with(Counter::CpuNs, ms(5))]);
    sample.tasks[0].threads = 3;
    let key = sample.tasks[0].key;
    let thread = |tid, name: &[u8], percent| Thread {
        key,
        tid,
        comm: Comm::new(name),
        state: b'R',
        counters: Counters::default().with(Counter::CpuNs, ms(percent)),
        ..Thread::default()
    };
    sample.threads = vec![thread(11, b"gc", 30), thread(12, b"worker", 40)];
    sample
}

#[test]
fn threads_add_up_to_their_process() {
    let mut app = fresh(120, 40);
    show(&mut app, with_threads(10));
    show(&mut app, with_threads(11));
    assert!(cpu(row(&lines(&app), " 10 ")) == 100.0);
    assert!(keys(&mut app, "H").contains(&Effect::Command(Command::Want(Wants { threads: true, ..Wants::NONE }))));
    show(&mut app, with_threads(12));
    let all = lines(&app);
    assert_eq!(["java", "gc", "worker", " 20 "].map(|word| cpu(row(&all, word))), [30.0, 30.0, 40.0, 5.0], "{all:#?}");
    assert_snapshot!(screen(&app));
    assert_eq!(targets(keys(&mut app, "k\n")), [10], "a thread's signal goes to its process");
    keys(&mut app, "t");
    assert!(commands(&app).iter().any(|c| c == "├─ worker") && commands(&app).iter().any(|c| c == "└─ gc"), "{:#?}", commands(&app));
    select(&mut app, "java");
    keys(&mut app, "-");
    let folded = lines(&app);
    assert_eq!((folded.len(), cpu(row(&folded, "▸"))), (2, 100.0), "{folded:#?}");
    keys(&mut app, "H");
    show(&mut app, with_threads(13));
    assert!(!screen(&app).contains("worker"));
}

#[test]
fn a_group_of_which_nobody_lives_says_so() {
    let mut ended = server(true);
    ended.tasks.iter_mut().filter(|task| task.comm.to_string() == "nginx").for_each(|task| (task.state, task.threads) = (b'Z', 1));
    let mut app = fresh(80, 24);
    show(&mut app, server(false));
    show(&mut app, ended);
    keys(&mut app, "gcommand\n");
    let line = |name: &str| screen(&app).lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(line("▸nginx").contains("(2)      Z "), "{}", line("▸nginx"));
    assert!(!line("▸postgres").contains(" Z "), "{}", line("▸postgres"));
}

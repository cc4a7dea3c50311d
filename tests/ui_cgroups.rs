//! Control groups on the screen: the tree, its figures, and the way to the processes of one and back.

mod ui_world;

use std::sync::Arc;

use crossterm::event::KeyCode;
use ebtop::app::column::{CgroupColumn, CgroupView, Columns};
use ebtop::app::view::View;
use ebtop::app::{App, Effect};
use ebtop::collect::Source;
use ebtop::model::Model;
use ebtop::model::stacks::Scope;
use ebtop::record::{Recorder, Replay};
use ebtop::sample::*;
use insta::assert_snapshot;
use ui_world::cgroups::{GROUPS, with_cgroups};
use ui_world::common::{MS, SECOND, With, exit, sample, task};
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];
const EVIL: &str = "/system.slice/\u{fffd}[31mevil\u{202e}";

fn world(later: bool) -> Sample {
    with_cgroups(server(later), later)
}

fn looking(width: u16, height: u16) -> App {
    let mut app = fresh(width, height);
    keys(&mut app, "6");
    show(&mut app, world(false));
    show(&mut app, world(true));
    app
}

fn lines(app: &App) -> Vec<String> {
    let body = app.layout().unwrap().body;
    let lines = screen(app).lines().skip(usize::from(body.y)).take(usize::from(body.height)).map(str::to_string).collect::<Vec<_>>();
    lines.into_iter().filter(|l| !l.is_empty()).collect()
}

/// The last words of the lines: names.
fn names(app: &App) -> Vec<String> {
    lines(app).iter().filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}

/// Selects the line with that word.
fn select(app: &mut App, word: &str) {
    press(app, KeyCode::Home);
    let at = lines(app).iter().position(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {:#?}", lines(app)));
    (0..at).for_each(|_| drop(press(app, KeyCode::Down)));
}

fn pids(app: &App) -> Vec<u32> {
    let mut pids: Vec<u32> = lines(app).iter().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn a_recording_shows_what_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let mut recorder = Recorder::create(&path).unwrap();
    [false, true].into_iter().for_each(|later| recorder.sample(&world(later)).unwrap());
    for (width, height) in SIZES {
        let mut replay = Replay::open(&path).unwrap();
        let mut app = fresh(width, height);
        keys(&mut app, "6");
        while let Ok(sample) = replay.sample() {
            show(&mut app, sample);
        }
        let mut seen = looking(width, height);
        assert_eq!(screen(&app), screen(&seen));
        for app in [&mut app, &mut seen] {
            select(app, "nginx");
            press(app, KeyCode::Enter);
        }
        assert_eq!(screen(&app), screen(&seen), "the processes of one of them");
        assert_eq!(pids(&app), [NGINX, 4113]);
    }
}

#[test]
fn at_every_size() {
    for (width, height) in SIZES {
        assert_snapshot!(format!("cgroups_{width}x{height}"), screen(&looking(width, height)));
    }
}

#[test]
fn one_by_one() {
    let mut app = looking(80, 24);
    keys(&mut app, "t");
    assert_snapshot!(screen(&app));
    assert_eq!(names(&app)[..3], ["/", "/system.slice", "…em.slice/nginx.service"]);
}

#[test]
fn only_the_view_has_them_read() {
    let mut app = app(80, 24);
    let wanted = |effects: Vec<Effect>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Command(Command::Want(wants)) => Some((wants.cgroups, wants.cgroup_memory)),
            _ => None,
        })
    };
    assert_eq!(wanted(keys(&mut app, "6")), Some((true, false)));
    assert!(screen(&app).contains("Reading the cgroups"), "{}", screen(&app));
    assert_eq!(wanted(keys(&mut app, "1")), Some((false, false)));
    let mut wide = ui_world::app(200, 50);
    assert_eq!(wanted(keys(&mut wide, "6")), Some((true, true)), "ANON and FILE have room");
}

#[test]
fn enter_shows_the_processes_of_a_group_and_escape_leads_back() {
    let mut app = looking(120, 40);
    select(&mut app, "postgresql");
    let effects = keys(&mut app, "\n");
    assert!(
        !effects.iter().any(|e| matches!(e, Effect::Command(Command::Want(wants)) if !wants.cgroups)),
        "still read: who is in it changes"
    );
    assert_eq!((app.view(), app.trail()), (View::Processes, &[View::Cgroups][..]));
    assert_eq!(pids(&app), [POSTGRES, 9921]);
    assert!(screen(&app).contains("Cgroups › cgroup /system.slice/postgresql.service"), "{}", screen(&app));
    assert!(!screen(&app).contains("exited:"), "those were of another group");
    keys(&mut app, "3");
    assert_eq!(pids(&app), [POSTGRES, 9921], "the other views of processes keep to it");
    keys(&mut app, "\x1b");
    assert_eq!(app.view(), View::Cgroups);
    assert!(names(&app).len() == GROUPS.len());
    keys(&mut app, "\n");
    assert_eq!(pids(&app), [POSTGRES, 9921], "the group is still selected");
    keys(&mut app, "\x1b1");
    assert!(pids(&app).len() > 4, "{:?}", pids(&app));
}

#[test]
fn a_group_has_all_below_it_and_those_that_exited() {
    let mut app = looking(120, 40);
    select(&mut app, "user.slice");
    keys(&mut app, "\n");
    assert_eq!(pids(&app), [15_003, 15_010, 20_117, 20_450]);
    assert!(screen(&app).contains("exited: cc1 5"), "{}", screen(&app));
}

#[test]
fn what_the_network_consists_of_keeps_to_the_group() {
    let mut app = looking(120, 40);
    select(&mut app, "nginx");
    keys(&mut app, "\n4s");
    show(&mut app, with_sockets(world(false), false));
    show(&mut app, with_sockets(world(true), true));
    let holds = |app: &App, words: [&str; 2]| {
        assert!(screen(app).contains(&format!("{} of cgroup /system.slice/nginx.service", words[0])), "{}", screen(app));
        assert!(screen(app).contains(words[1]) && !screen(app).contains("127.0.0.1"), "postgres is in another group: {}", screen(app));
        assert_eq!(lines(app).len(), 2, "{:#?}", lines(app));
    };
    holds(&app, ["sockets", "10.0.0.7:443"]);
    keys(&mut app, "r");
    holds(&app, ["remotes", "203.0.113.9"]);
    keys(&mut app, "\x1b");
    assert_eq!(app.view(), View::Cgroups);
}

#[test]
fn members_that_come_and_go_are_followed() {
    let mut app = looking(120, 40);
    select(&mut app, "redis");
    keys(&mut app, "\n");
    assert_eq!(pids(&app), [1288]);
    let mut next = world(true);
    next.at_ns += SECOND;
    let mut groups = next.cgroups.as_deref().unwrap().clone();
    groups.list[6].pids = Some(vec![902, 1288]);
    next.cgroups = Some(Arc::new(groups.clone()));
    show(&mut app, next.clone());
    assert_eq!(pids(&app), [902, 1288]);
    next.at_ns += SECOND;
    groups.list.truncate(6);
    next.cgroups = Some(Arc::new(groups));
    show(&mut app, next);
    assert!(screen(&app).contains("No processes in this cgroup"), "{}", screen(&app));
}

#[test]
fn what_is_below_a_group_folds() {
    let mut app = looking(120, 40);
    select(&mut app, "system.slice");
    keys(&mut app, "+");
    assert_eq!(lines(&app).len(), GROUPS.len() - 3);
    assert!(lines(&app).iter().any(|line| line.contains("▸system.slice")), "{:#?}", lines(&app));
    keys(&mut app, "+");
    assert_eq!(lines(&app).len(), GROUPS.len());
    keys(&mut app, "*");
    assert_eq!(lines(&app).len(), 4, "{:#?}", lines(&app));
    keys(&mut app, "*");
    assert_eq!(lines(&app).len(), GROUPS.len());
    select(&mut app, "redis");
    keys(&mut app, "+");
    assert!(screen(&app).contains("Nothing is below"), "{}", screen(&app));
}

#[test]
fn sorting_searching_and_filtering() {
    let mut app = looking(120, 40);
    keys(&mut app, "M");
    let order = names(&app);
    let place = |name: &str| order.iter().position(|n| n.contains(name)).unwrap();
    assert!(place("postgresql") < place("nginx"), "{order:?}");
    keys(&mut app, "/redis\n");
    keys(&mut app, "\n");
    assert_eq!(pids(&app), [1288], "found, then entered");
    keys(&mut app, "\x1b\\throttle>30\n");
    let shown = names(&app);
    assert_eq!(shown.iter().filter(|name| name.contains("service")).count(), 1, "{shown:?}");
    assert!(shown.last().unwrap().contains("nginx") && shown.len() == 3, "the way to it stays: {shown:?}");
    keys(&mut app, "\x1b\\nothing-like-this\n");
    assert!(screen(&app).contains("hides all 8 lines"), "{}", screen(&app));
}

#[test]
fn stacks_of_a_group_follow_its_ids() {
    let mut app = looking(120, 40);
    select(&mut app, "user.slice");
    keys(&mut app, "b");
    assert_eq!((app.view(), app.stacks().scope()), (View::Stacks, &Scope::Cgroup(vec![4, 8])));
    keys(&mut app, "\x1b");
    assert_eq!(app.view(), View::Cgroups);
}

/// On a machine with cgroup v1 all processes are in the root of the default hierarchy, whatever their groups are.
#[test]
fn stacks_of_groups_of_version_1_are_those_of_their_processes() {
    let mut app = fresh(120, 40);
    for later in [false, true] {
        let mut next = world(later);
        next.tasks.iter_mut().for_each(|task| task.cgroup_id = 1);
        let mut groups = next.cgroups.as_deref().unwrap().clone();
        groups.list.iter_mut().skip(1).for_each(|group| group.id = 0);
        next.cgroups = Some(Arc::new(groups));
        show(&mut app, next);
    }
    let pids = |app: &App| match app.stacks().scope() {
        Scope::Set(keys) => keys.iter().map(|key| key.pid).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    keys(&mut app, "6");
    select(&mut app, "nginx");
    keys(&mut app, "b");
    assert_eq!(pids(&app), [NGINX, 4113]);
    keys(&mut app, "1gunit\n");
    select(&mut app, "▸web.service");
    keys(&mut app, "b");
    let of_unit = pids(&app);
    assert!(of_unit.contains(&NGINX) && !of_unit.contains(&20_117), "{of_unit:?}");
}

#[test]
fn what_is_missing_is_told() {
    let mut app = looking(120, 40);
    let mut next = world(true);
    next.at_ns += SECOND;
    let groups =
        Cgroups { left_out: 7, trouble: Some("one file could not be read: a: no".into()), ..next.cgroups.as_deref().unwrap().clone() };
    next.cgroups = Some(Arc::new(groups));
    show(&mut app, next.clone());
    assert!(screen(&app).contains("7 or more not read · one file could not be read"), "{}", screen(&app));
    next.at_ns += SECOND;
    next.cgroups = Some(Arc::new(Cgroups { trouble: Some("no cgroup file system is mounted here".into()), ..Cgroups::default() }));
    show(&mut app, next);
    assert_eq!(lines(&app).len(), 2, "{:#?}", lines(&app));
    assert!(screen(&app).contains("no cgroup file system"));
}

fn rows(before: Sample, now: Sample) -> Model {
    Model::between(Some(&before), Arc::new(now))
}

fn cell(model: &Model, group: usize, column: CgroupColumn) -> String {
    let view = CgroupView::new(model, &model.cgroups[group]).unwrap();
    column.cell(&view, column.spec().width).text
}

#[test]
fn figures_of_groups_and_sums_of_their_processes() {
    use CgroupColumn::*;
    let model = rows(world(false), world(true));
    let nginx = [Processes, CpuPct, Throttled, ThrottledTime, CpuMax, Memory, MemoryPct, Psi].map(|column| cell(&model, 4, column));
    assert_eq!(nginx, ["2", "100.4", "40.0", "150.0", "100.0", "1.1G", "91.7", "31.5"]);
    let sum = |pids: &[u32], counter| -> u64 {
        let of = |row: &ebtop::model::Row| model.growth(row).get(counter).unwrap_or(0);
        model.rows.iter().filter(|row| pids.contains(&model.task(row).key.pid)).map(of).sum()
    };
    let of_nginx = sum(&[NGINX, 4113], Counter::TxBytes);
    assert!(of_nginx > 0);
    assert_eq!([2, 4].map(|group| model.cgroups[group].gain.get(Counter::TxBytes)), [Some(of_nginx); 2]);
    assert_eq!(model.cgroups[0].processes, Some(model.rows.len() as u32), "the root has all");
    let exited: u64 = model.departed.iter().filter_map(|d| d.delta.get(Counter::MinorFaults)).sum();
    let living = sum(&[15_003, 15_010, 20_117, 20_450], Counter::MinorFaults);
    assert_eq!([3, 7].map(|group| model.cgroups[group].gain.get(Counter::MinorFaults)), [Some(living + exited); 2]);
    let unlimited = [Throttled, ThrottledTime, CpuMax, MemoryMax, MemoryPct].map(|column| cell(&model, 5, column));
    assert_eq!(unlimited, ["", "", "", "8.0G", "23.2"]);
    assert_eq!([Memory, MemoryPct].map(|column| cell(&model, 0, column)), ["", ""], "unknown is blank");
}

#[test]
fn groups_that_are_new_count_from_nothing_and_those_half_read_not_at_all() {
    let before = world(false);
    let change = |change: &dyn Fn(&mut Cgroups)| {
        let mut now = world(true);
        let mut groups = now.cgroups.as_deref().unwrap().clone();
        change(&mut groups);
        now.cgroups = Some(Arc::new(groups));
        rows(before.clone(), now).cgroups[4].cpu_ns
    };
    assert_eq!(change(&|_| ()), Some(1004 * MS));
    assert_eq!(change(&|groups| groups.list[4].inode = 99), Some(1000 + 1004 * MS), "made anew");
    assert_eq!(change(&|groups| (groups.list[4].inode, groups.left_out) = (99, 1)), None, "perhaps read in part");
    assert_eq!(change(&|groups| groups.list[4].cpu_ns = Some(3)), None, "it shrank");
    assert_eq!(change(&|groups| groups.at_ns -= SECOND), None, "no time passed: the files did not answer");
}

#[test]
fn a_process_in_two_hierarchies_counts_once() {
    let one = |at: u64| {
        let mut sample = sample(at * SECOND, [task(7, "a").with(Counter::WriteBytes, at * 100), task(8, "b")]);
        let group = |path: &str, key, parent, pids: &[u32]| Cgroup {
            path: path.into(),
            key,
            parent,
            inode: key,
            pids: Some(pids.to_vec()),
            ..Cgroup::default()
        };
        // Version 1: the process is in `/a` by one controller, in `/a/b` by another.
        let list = vec![group("/", 1, None, &[]), group("/a", 2, Some(0), &[7]), group("/a/b", 3, Some(1), &[7, 4_000_000])];
        sample.cgroups = Some(Arc::new(Cgroups { at_ns: sample.at_ns, list, left_out: 0, trouble: None }));
        sample.exits = vec![exit(task(9, "c"), at * SECOND)];
        sample
    };
    let model = rows(one(1), one(2));
    assert_eq!(model.cgroups.iter().map(|row| row.processes).collect::<Vec<_>>(), [Some(1); 3]);
    assert!(model.cgroups.iter().all(|row| row.gain.get(Counter::WriteBytes) == Some(100)));
}

#[test]
fn hostile_names_and_links_do_no_harm() {
    let mut app = fresh(120, 40);
    keys(&mut app, "6");
    for at in 0..2 {
        let mut next = world(at == 1);
        let mut groups = next.cgroups.as_deref().unwrap().clone();
        groups.list[6].path = EVIL.replace('\u{202e}', "");
        groups.list[5].parent = Some(5);
        groups.list[3].parent = Some(7);
        groups.list[7].parent = Some(u32::MAX);
        groups.list[2].key = groups.list[1].key;
        next.cgroups = Some(Arc::new(groups));
        show(&mut app, next);
    }
    for text in ["\n", "\x1b", "+", "*", "*", "t", "b", "\x1b", "o", "1", "6", "k", "\x1b", "?", "\x1b", "P", "M", "B", "D", "I"] {
        keys(&mut app, text);
        assert!(!screen(&app).contains('\x1b'));
    }
}

#[test]
fn a_group_that_only_the_memory_hierarchy_has_shows_and_sorts_by_what_its_processes_use() {
    // Cgroup v1: nginx is in a group of its own for memory alone; for CPU time its processes are in the slice.
    let only_memory = |later: bool| {
        let mut sample = world(later);
        let groups = Arc::make_mut(sample.cgroups.as_mut().unwrap());
        for group in groups.list.iter_mut().filter(|group| group.path.ends_with("nginx.service") || group.path == "/init.scope") {
            (group.cpu_ns, group.id, group.periods, group.throttled_periods, group.throttled_ns) = (None, 0, None, None, None);
        }
        sample
    };
    let mut app = fresh(120, 40);
    keys(&mut app, "6");
    show(&mut app, only_memory(false));
    show(&mut app, only_memory(true));
    let of = |app: &App, name: &str| lines(app).into_iter().find(|line| line.contains(name)).unwrap();
    let nginx = of(&app, "nginx.service");
    assert!(nginx.contains(" 100.4 "), "88.4 and 12.0 of a core: {nginx}");
    keys(&mut app, "t");
    let order = names(&app);
    let place = |name: &str| order.iter().position(|line| line.contains(name)).unwrap();
    assert!(place("nginx.service") < place("postgresql.service"), "{order:?}");
    assert!(of(&app, "/init.scope").contains(" 0.0 "), "{}", of(&app, "/init.scope"));
}

#[test]
fn keys_for_one_process_say_how_to_get_to_one() {
    let mut app = looking(80, 24);
    for key in ["i", "k", "X", "]"] {
        keys(&mut app, key);
        let last = screen(&app).lines().last().unwrap().to_owned();
        assert!(last.contains("Enter shows those of the cgroup"), "{key}: {last}");
    }
}

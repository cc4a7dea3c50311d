//! The screens that nobody hopes to see, and the help.

mod ui_world;

use std::sync::Arc;

use crossterm::event::KeyCode;
use ebtop::app::{App, Event, Start};
use ebtop::sample::*;
use ebtop::ui::theme::Theme;
use insta::assert_snapshot;
use ratatui::style::{Color, Modifier};
use ui_world::common::{MS, SECOND, sample, task};
use ui_world::*;

fn with_health(mut sample: Sample, health: [Health; 4]) -> Sample {
    sample.status.iter_mut().zip(health).for_each(|(status, health)| status.health = health);
    sample
}

fn off(reason: &str) -> Health {
    Health::Off { reason: reason.into() }
}

#[test]
fn loading() {
    assert_snapshot!(screen(&fresh(80, 24)));
}

#[test]
fn rates_are_blank_before_the_second_sample() {
    let mut app = fresh(80, 24);
    show(&mut app, server(false));
    assert_snapshot!(screen(&app));
}

#[test]
fn too_small() {
    assert_snapshot!(screen(&app(59, 14)));
    for size in [(1, 1), (2, 3), (20, 2), (60, 14), (0, 0)] {
        let app = app(size.0, size.1);
        if size.0 > 0 {
            screen(&app);
        }
    }
}

/// A long second way to mend it does not push out the first.
#[test]
fn of_several_cures_the_first_is_seen_at_any_width() {
    let refused = format!("not root: no exits, network, stacks — run `sudo ebtop`, or once and for all `sudo setcap {}`", "x".repeat(60));
    for (width, wanted) in
        [(80, "stacks — run `sudo ebtop` "), (60, "— run `sudo ebtop` "), (120, "`sudo ebtop`, or see `ebtop check` "), (200, "xx`")]
    {
        let mut app = fresh(width, 24);
        let health = || [Health::Degraded { reason: refused.clone() }, off(&refused), off(&refused), off(&refused)];
        show(&mut app, with_health(server(false), health()));
        show(&mut app, with_health(server(true), health()));
        let title = format!("{} ", screen(&app).lines().next().unwrap());
        assert!(title.contains(wanted), "{width}: {title}");
    }
}

#[test]
fn a_user_without_rights_sees_what_is_missing_and_the_cure_at_any_width() {
    let refused = "not root: no exits, network, stacks — run `sudo ebtop`";
    let health = || [Health::Degraded { reason: refused.into() }, off(refused), off(refused), off(refused)];
    for (width, host, wanted) in [
        (80, "vm", refused),
        (80, "web-07", refused),
        (80, "a-machine-with-quite-a-long-name.example.com", "— run `sudo ebtop`"),
        (60, "web-07", "— run `sudo ebtop`"),
        (200, "web-07", "1s · root · ○ /proc only: not root: no exits, network, stacks — run `sudo ebtop`"),
    ] {
        let mut app = fresh(width, 24);
        let named = |mut sample: Sample| {
            sample.machine.host = host.into();
            with_health(sample, health())
        };
        show(&mut app, named(server(false)));
        show(&mut app, named(server(true)));
        let title = screen(&app).lines().next().unwrap().to_string();
        assert!(title.contains(wanted) && title.contains("○"), "{width} {host}: {title}");
    }
}

#[test]
fn what_was_lost_is_said_and_a_recording_is_not_called_live() {
    let mut lost = server(true);
    lost.status.iter_mut().for_each(|status| status.lost = if status.domain == Domain::Stacks { 9120 } else { 0 });
    let mut app = fresh(80, 24);
    show(&mut app, lost);
    assert!(screen(&app).contains("lost 9.1k stack samples · ● live"), "{}", screen(&app));
    let mut app = App::new(Start { replay: true, who: "replay".into(), ..Start::default() }, (80, 24));
    show(&mut app, server(true));
    let title = screen(&app).lines().next().unwrap().to_string();
    assert!(title.contains("▸ replay") && !title.contains("live"), "{title}");
}

#[test]
fn the_mark_of_the_sorted_column_never_sticks_to_the_next_title() {
    let mut app = app(80, 24);
    let headings = |app: &App| screen(app).lines().nth(app.layout().unwrap().headings.y.into()).unwrap().to_string();
    for keyed in ["P", "W", "M", "A", "B", "D", "T", "N", "2W", "3M"] {
        keys(&mut app, keyed);
        let glued = |two: &[char]| matches!(two[0], '▾' | '▴') && two[1] != ' ';
        let line: Vec<char> = headings(&app).chars().collect();
        let at = line.iter().position(|c| matches!(c, '▾' | '▴')).unwrap();
        assert!(line[at + 1..].first().is_none_or(|c| *c == ' ') || line[at - 1] == ' ', "{keyed}: {}", headings(&app));
        assert!(!line.windows(2).any(|two| glued(two) && line[at - 1] != ' '), "{keyed}: {}", headings(&app));
    }
}

#[test]
fn without_bpf() {
    let refused = "needs root or CAP_BPF and CAP_PERFMON — run: sudo ebtop";
    let health = || [Health::Degraded { reason: refused.into() }, off(refused), off(refused), off(refused)];
    let mut app = fresh(100, 24);
    show(&mut app, with_health(server(false), health()));
    show(&mut app, with_health(server(true), health()));
    assert_snapshot!("without_bpf", screen(&app));
    keys(&mut app, "4");
    assert_snapshot!("without_bpf_network", screen(&app));
}

#[test]
fn degraded_and_losing() {
    let mut later = with_health(server(true), [Health::Live, Health::Live, off("no perf events on this kernel"), Health::Standby]);
    later.status[1].lost = 1234;
    let mut app = fresh(120, 24);
    show(&mut app, server(false));
    show(&mut app, later);
    let title = screen(&app).lines().next().unwrap().to_string();
    assert!(title.ends_with(" 1s · root · lost 1.2k network events · ◐ degraded: stacks: no perf events on this kernel"), "{title}");
}

#[test]
fn end_of_a_recording() {
    let mut app = app(100, 24);
    app.update(Event::Update(Update::End(None)));
    assert!(screen(&app).lines().next().unwrap().ends_with("× end of the recording: 20:06:40"), "{}", screen(&app));
    let mut app = fresh(100, 24);
    app.update(Event::Update(Update::End(Some("the kernel said no".into()))));
    assert_snapshot!(screen(&app));
}

#[test]
fn many_cpus() {
    for (count, width, height) in [(8, 80, 24), (64, 80, 24), (64, 200, 50), (512, 120, 40)] {
        let mut app = fresh(width, height);
        for later in [false, true] {
            let at_ns = if later { 11 * SECOND } else { 10 * SECOND };
            let mut sample = sample(at_ns, [task(1, "init")]);
            let cpu = |i: u32| {
                let busy = if later { u64::from(i % 10) * 100 * MS } else { 0 };
                CpuTimes { user_ns: busy, idle_ns: at_ns - busy, ..CpuTimes::default() }
            };
            sample.machine.total = CpuTimes { user_ns: if later { 450 * MS } else { 0 }, idle_ns: at_ns, ..CpuTimes::default() };
            sample.machine.cpus = (0..count).map(|i| (i, cpu(i))).collect();
            app.update(Event::Update(Update::Sample(Arc::new(sample))));
        }
        let top: String = screen(&app).lines().take(12).map(|l| l.to_string() + "\n").collect();
        assert_snapshot!(format!("cpus_{count}_at_{width}x{height}"), top);
    }
}

#[test]
fn a_recording_says_what_it_does_not_hold() {
    let mut app = App::new(Start { replay: true, ..Start::default() }, (80, 24));
    show(&mut app, server(false));
    show(&mut app, server(true));
    for (typed, words) in [
        ("4s", "The recording holds no sockets: whoever records"),
        ("4l", "The recording holds no listeners: whoever records"),
        ("4r", "The recording holds no remotes: whoever records"),
        ("4w", "The recording holds no interfaces: whoever records"),
        ("1H", "A recording holds no threads one by one"),
    ] {
        keys(&mut app, typed);
        let text = screen(&app);
        assert!(text.contains(words) && !text.contains("threads …"), "{typed}: {text}");
        keys(&mut app, "\x1b\x1b");
    }
}

#[test]
fn help() {
    let mut app = app(100, 40);
    keys(&mut app, "?");
    assert_snapshot!("help", screen(&app));
    press(&mut app, KeyCode::End);
    assert_snapshot!("help_end", screen(&app));
}

#[test]
fn prompts_point_at_mistakes_and_complete_names() {
    let last = |typed: &str| {
        let mut app = app(80, 24);
        keys(&mut app, typed);
        screen(&app).lines().skip(22).collect::<Vec<_>>().join("\n")
    };
    let typed = ["\\cpu>", "\\user=root and not (name~\"(\" or nginx) and exited", "\\c", "\\nginx (min", "\\nginx (minf\t", "d0"];
    assert_snapshot!(typed.map(last).join("\n\n"));
}

#[test]
fn stacks_of_a_process() {
    let mut app = app(100, 30);
    keys(&mut app, "\n");
    assert_snapshot!(screen(&app));
}

#[test]
fn without_colour_nothing_is_coloured_and_bars_have_letters() {
    let app = app(80, 24);
    let plain = buffer_in(&app, Theme { colour: false, ..Theme::default() });
    assert!(plain.content.iter().all(|c| (c.fg, c.bg) == (Color::Reset, Color::Reset)));
    let bar: String = text(&plain).lines().nth(1).unwrap().chars().take(36).collect();
    assert!(bar.contains("nn||||") && bar.contains("kkk"), "{bar}");
}

#[test]
fn ascii_only_is_ascii_only() {
    let app = app(120, 40);
    let plain = text(&buffer_in(&app, Theme { ascii: true, ..Theme::default() }));
    assert!(plain.is_ascii(), "{plain}");
    assert!(plain.contains("* live") && plain.contains("vCPU%"), "{plain}");
}

#[test]
fn colours_say_what_words_say() {
    let app = app(120, 40);
    let buffer = buffer(&app);
    let text = text(&buffer);
    let find = |word: &str| {
        let (y, line) = text.lines().enumerate().find(|(_, l)| l.contains(word)).unwrap();
        let x = line.chars().collect::<Vec<_>>().windows(word.chars().count()).position(|w| w.iter().collect::<String>() == word).unwrap();
        buffer[(x as u16, y as u16)].clone()
    };
    assert_eq!(find("● live").fg, Color::Green);
    assert_eq!(find("exited: cc1").fg, Color::Red);
    assert!(find("▾CPU%").modifier.contains(Modifier::BOLD));
    assert!(find("31.0").modifier.contains(Modifier::BOLD), "the sorted column is bold");
    assert!(!find("156M").modifier.contains(Modifier::BOLD));
    assert!(find("4112").modifier.contains(Modifier::REVERSED), "the first line is selected");
}

#[test]
fn a_probe_that_costs_says_so_while_its_column_shows() {
    let mut app = app(120, 40);
    let mut sample = server(true);
    let probe = sample.status.iter_mut().find(|s| s.domain == Domain::Mem).unwrap();
    (probe.health, probe.cost) = (Health::Live, Some("~100 ns a page allocation".into()));
    sample.at_ns += SECOND;
    show(&mut app, sample);
    let told = "PGALLOC costs ~100 ns a page allocation";
    assert!(!screen(&app).contains(told));
    keys(&mut app, "3");
    assert!(screen(&app).contains(told), "{}", screen(&app));
    app.update(Event::Resize(80, 24));
    let text = screen(&app);
    assert!(text.contains("2 CPU  3 Memory  4 Network  5 Disk  6 Cgroups  7 Stacks  probe on"), "the tabs keep their names: {text}");
}

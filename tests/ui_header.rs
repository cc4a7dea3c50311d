//! The header at every size and in every form, and what went before in rows.

mod ui_world;

use std::sync::Arc;

use ebtop::app::look::{Header, Look};
use ebtop::app::{App, Effect, Event, Start};
use ebtop::sample::*;
use ebtop::ui::theme::Theme;
use insta::assert_snapshot;
use ui_world::common::{MS, SECOND, With, sample, task};
use ui_world::*;

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

/// A minute on that many CPUs, in which one process uses a second more of a core every ten.
fn minute(header: Header, (width, height): (u16, u16), cpus: u32) -> App {
    let start = Start { look: Look { header, ..Look::default() }, who: "root".into(), ..Start::default() };
    let mut app = App::new(start, (width, height));
    let mut busy_ns = 0;
    for second in 0..=60u64 {
        let at_ns = (100 + second) * SECOND;
        busy_ns += 100 * MS * (second / 10);
        let mut sample = sample(at_ns, [task(7, "climber").with(Counter::CpuNs, busy_ns), task(8, "sleeper")]);
        let of = |cpu: u32| {
            let user_ns = if cpu == 0 { busy_ns } else { 0 };
            CpuTimes { user_ns, idle_ns: at_ns - user_ns, ..CpuTimes::default() }
        };
        sample.machine.cpus = (0..cpus).map(|cpu| (cpu, of(cpu))).collect();
        sample.machine.total = CpuTimes { user_ns: busy_ns, idle_ns: at_ns * u64::from(cpus) - busy_ns, ..CpuTimes::default() };
        sample.machine.wire_rx_bytes = second * second * 100_000;
        sample.machine.disk_write_bytes = (second / 20) * 50_000_000;
        app.update(Event::Update(Update::Sample(Arc::new(sample))));
    }
    app
}

fn top(app: &App) -> String {
    let rows = app.layout().unwrap().headings.y.into();
    screen(app).lines().take(rows).map(|line| line.to_string() + "\n").collect()
}

#[test]
fn every_form_at_every_size() {
    for (width, height) in SIZES {
        for header in Header::ALL {
            for cpus in [2, 64, 256] {
                let app = minute(header, (width, height), cpus);
                assert_snapshot!(format!("header_{}_{cpus}_at_{width}x{height}", header.name()), top(&app));
            }
        }
    }
}

#[test]
fn graphs_have_an_ascii_form() {
    let app = minute(Header::Large, (120, 40), 2);
    let plain = text(&buffer_in(&app, Theme { ascii: true, ..Theme::default() }));
    assert!(plain.is_ascii());
    let layout = app.layout().unwrap();
    let graphs: Vec<&str> = plain.lines().skip(layout.graphs.y.into()).take(layout.graphs.height.into()).collect();
    assert!(graphs[0].contains("cpu  30.0%") && graphs[0].contains("net"), "{graphs:?}");
    let heights: Vec<usize> = graphs[1..].iter().map(|row| row.matches('#').count()).collect();
    assert!(heights.is_sorted() && heights[0] > 0 && heights[4] >= 3 * 28, "{graphs:?}");
}

#[test]
fn e_goes_round_the_forms_and_f2_keeps_one() {
    let mut app = minute(Header::Auto, (120, 40), 2);
    let rows = |app: &App| app.layout().unwrap().headings.y;
    let auto = rows(&app);
    keys(&mut app, "e");
    assert!(rows(&app) > auto && screen(&app).contains("Header: with graphs"), "{}", screen(&app));
    keys(&mut app, "e");
    assert!(rows(&app) < auto);
    keys(&mut app, "e");
    assert_eq!(rows(&app), auto);
    keys(&mut app, "Sheader\n");
    assert!(screen(&app).contains("one bar for all CPUs"), "{}", screen(&app));
    let effects = keys(&mut app, "large\n");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Save(look) if look.header == Header::Large)), "{effects:?}");
}

#[test]
fn rows_tell_what_went_before() {
    let app = minute(Header::Auto, (200, 50), 2);
    let screen = screen(&app);
    let row = screen.lines().find(|line| line.contains("climber")).unwrap();
    assert!(row.contains("▂▂▃▃▃▄▄▄▄▅"), "{row}");
    let asleep = screen.lines().find(|line| line.contains("sleeper")).unwrap();
    assert!(!asleep.contains(['▁', '▂', '▃']), "{asleep}");
}

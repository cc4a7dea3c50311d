//! A process that ended: its last words.

use super::process::{clock_time, command, started};
use super::{Section, Tone};
use crate::app::App;
use crate::app::inspect::Pane;
use crate::control::signals;
use crate::format;
use crate::sample::{Counter, Exit};

/// When and how it ended, and what it used in its life.
pub(super) fn process(app: &App, pane: &Pane, exit: &Exit) -> Section {
    let mut section = Section::new("Process");
    let (sample, found) = (&app.model().sample, pane.found.as_deref());
    command(&mut section, app, pane);
    section.say("started", started(sample, pane.key.start_ns, found));
    let how = match exit.signal {
        0 => format!("with code {}", exit.code),
        signal => format!("killed by {}", signals::name(signal)),
    };
    let tone = if exit.signal != 0 || exit.code != 0 { Tone::Warning } else { Tone::Plain };
    section.say_in(tone, "ended", format!("{}, {how}", clock_time(sample, exit.at_ns, found)));
    let task = &exit.task;
    section.say("parent", task.ppid.to_string());
    section.say("user id", task.uid.to_string());
    let counter = |counter| task.counters.get(counter);
    let units = app.look().units;
    let bytes = |value: u64| format::bytes_in(value as f64, 5, units).trim().to_owned();
    let used: Vec<String> = [
        counter(Counter::CpuNs).map(|ns| format!("CPU {}", format::cpu_time(ns, 9).trim())),
        exit.peak_rss_bytes.map(|peak| format!("memory {} at most", bytes(peak))),
        counter(Counter::MinorFaults).map(|faults| format!("minor faults {}", format::count(faults as f64, 6).trim())),
        counter(Counter::MajorFaults).map(|faults| format!("major {}", format::count(faults as f64, 6).trim())),
        counter(Counter::ReadBytes).map(|read| format!("read {}", bytes(read))),
        counter(Counter::WriteBytes).map(|written| format!("written {}", bytes(written))),
        counter(Counter::RxBytes).map(|received| format!("received {}", bytes(received))),
        counter(Counter::TxBytes).map(|sent| format!("sent {}", bytes(sent))),
    ]
    .into_iter()
    .flatten()
    .collect();
    section.say("used", used.join("  "));
    if found.is_some() {
        section.say_in(Tone::Dim, "", "What follows is as it was when it was last looked at.");
    }
    section
}

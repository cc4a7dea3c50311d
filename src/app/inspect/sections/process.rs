//! What runs, as whom, with which rights, how it is scheduled.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::super::rights;
use super::{Section, Tone, unknown};
use crate::app::App;
use crate::app::column::{Column, Columns, RowView};
use crate::app::inspect::Pane;
use crate::format;
use crate::sample::inspection::{Fact, Inspection, Listing};
use crate::sample::{Sample, Task};

/// What runs.
pub(super) fn process(app: &App, pane: &Pane) -> Section {
    let mut section = Section::new("Process");
    let found = pane.found.as_deref();
    let row = app.model().find(pane.key);
    let task = row.map(|row| app.model().task(row));
    command(&mut section, app, pane);
    if let Some(found) = found {
        paths(&mut section, found, task.is_some_and(|task| task.kernel_thread));
    }
    let sample = &app.model().sample;
    section.say("started", started(sample, pane.key.start_ns, found));
    if let (Some(row), Some(task)) = (row, task) {
        section.say("parent", parent(app, task));
        let view = RowView::live(app.model(), row, app.details.get(pane.key)).with_users(app.details.users());
        section.say("user", user(&view, found));
        section.say("state", state(task, found));
        section.say("uses", uses(app, &view));
        if let Some((outer, inner)) = view.inner_pid() {
            section.say("pid", format!("{outer} here, {inner} in its own pid namespace"));
        }
    } else {
        section.say_in(Tone::Warning, "state", "it is gone; what was known of it stays");
    }
    section
}

/// The whole command line.
pub(super) fn command(section: &mut Section, app: &App, pane: &Pane) {
    let known = || app.details.get(pane.key).map(|details| details.cmdline.clone()).filter(|cmdline| !cmdline.is_empty());
    match pane.found.as_deref().map(|found| &found.arguments) {
        Some(Fact::Known(arguments)) if !arguments.first.is_empty() => section.say("command", joined(arguments)),
        Some(Fact::Refused(why)) if known().is_none() => section.say_in(Tone::Dim, "command", why.to_string()),
        _ => section.say("command", known().unwrap_or_else(|| pane.name.clone())),
    }
}

/// Arguments as one could type them: those that hold blanks stand in quotes.
fn joined(arguments: &Listing<String>) -> String {
    let is_title = arguments.total == 1;
    let quoted = |word: &String| match word.is_empty() || word.contains([' ', '\'', '"']) {
        true if !is_title => format!("'{}'", word.replace('\'', "'\\''")),
        _ => word.clone(),
    };
    let all: Vec<String> = arguments.first.iter().map(quoted).collect();
    let rest = arguments.total - arguments.first.len();
    let more = match (arguments.is_cut, rest) {
        (true, _) => " … and more".to_owned(),
        (false, 0) => String::new(),
        (false, rest) => format!(" … and {rest} more"),
    };
    all.join(" ") + &more
}

fn paths(section: &mut Section, found: &Inspection, is_kernel_thread: bool) {
    if is_kernel_thread {
        return section.say_in(Tone::Dim, "program", "a kernel thread has none, nor memory or files of its own");
    }
    for (what, fact) in [("program", &found.exe), ("directory", &found.cwd), ("root", &found.root)] {
        match fact {
            Fact::Known(path) if what == "root" && path == "/" => {}
            Fact::Known(path) if path.ends_with(" (deleted)") => section.say_in(Tone::Warning, what, path.clone()),
            Fact::Known(path) => section.say(what, path.clone()),
            Fact::Refused(_) if what == "root" => {}
            _ => section.say_in(Tone::Dim, what, unknown(fact)),
        }
    }
}

/// When, in local time as far as that is known, and how long ago.
pub(super) fn started(sample: &Sample, start_ns: u64, found: Option<&Inspection>) -> String {
    format!("{}, {} ago", clock_time(sample, start_ns, found), format::duration(sample.at_ns.saturating_sub(start_ns), 9))
}

/// A moment of the boot clock as the clock on the wall had it.
pub(super) fn clock_time(sample: &Sample, at_ns: u64, found: Option<&Inspection>) -> String {
    let offset = found.and_then(|found| Offset::from_seconds(found.utc_offset_s).ok()).unwrap_or(Offset::UTC);
    let since_ms = (i128::from(at_ns) - i128::from(sample.at_ns)) / 1_000_000;
    let ms = i64::try_from(i128::from(sample.unix_ms) + since_ms).ok();
    let Some(time) = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()) else { return "?".into() };
    offset.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S ").to_string()
        + &(if offset == Offset::UTC { "UTC".into() } else { offset.to_string() })
}

fn parent(app: &App, task: &Task) -> String {
    let tasks = &app.model().sample.tasks;
    let name = tasks.iter().find(|other| other.key.pid == task.ppid).map(|parent| parent.comm.to_string());
    match (task.ppid, name) {
        (0, _) => "none".into(),
        (ppid, Some(name)) => format!("{name} ({ppid})"),
        (ppid, None) => ppid.to_string(),
    }
}

fn state(task: &Task, found: Option<&Inspection>) -> String {
    let word = match task.state {
        b'R' => "runs, or waits for a CPU",
        b'S' => "sleeps",
        b'D' => "sleeps uninterruptibly",
        b'T' => "stopped",
        b't' => "stopped by a tracer",
        b'Z' => "zombie: ended, and its parent has not asked how",
        b'I' => "idle",
        b'X' => "gone",
        _ => "unknown",
    };
    let waits = found.and_then(|found| found.waits_in.known()).filter(|place| !place.is_empty());
    let waits = waits.map(|place| format!(", in {place}")).unwrap_or_default();
    let threads = if task.threads == 1 { "1 thread".into() } else { format!("{} threads", task.threads) };
    format!("{} {word}{waits}; {threads}", char::from(task.state))
}

fn uses(app: &App, view: &RowView<'_>) -> String {
    let columns = [Column::CpuPct, Column::WaitPct, Column::Rss, Column::Faults, Column::Net, Column::Io, Column::Time];
    let cell = |column: Column| {
        let text = column.cell_in(view, column.spec().width, app.look().units).text;
        (!text.is_empty()).then(|| format!("{} {}", column.spec().title, text.trim()))
    };
    columns.into_iter().filter_map(cell).collect::<Vec<_>>().join("  ")
}

/// As whom it runs: every id where they differ.
fn user(view: &RowView<'_>, found: Option<&Inspection>) -> String {
    let named = |(uid, name): &(u32, String)| if *name == uid.to_string() { name.clone() } else { format!("{name} ({uid})") };
    match found.and_then(|found| found.status.known()) {
        Some(status) => rights::ids(&status.users.iter().map(named).collect::<Vec<_>>()),
        None => view.user().unwrap_or_default().into_owned(),
    }
}

/// With which rights it runs.
pub(super) fn rights(found: &Inspection) -> Section {
    let mut section = Section::new("Rights");
    let Some(status) = found.status.known() else {
        section.say_in(Tone::Dim, "", unknown(&found.status));
        return section;
    };
    let mut groups = rights::ids(&status.groups.iter().map(u32::to_string).collect::<Vec<_>>());
    if !status.more_groups.first.is_empty() {
        let more: Vec<String> = status.more_groups.first.iter().map(u32::to_string).collect();
        let cut = if status.more_groups.total > more.len() { format!(" … of {}", status.more_groups.total) } else { String::new() };
        groups = format!("{groups}; also {}{cut}", more.join(" "));
    }
    section.say("groups", groups);
    let all = rights::all();
    section.say("capabilities", rights::capabilities(status.effective, all));
    if status.permitted != status.effective {
        section.say("may take", rights::capabilities(status.permitted, all));
    }
    if status.bounding != all {
        section.say("at most", rights::capabilities(status.bounding, all));
    }
    let privileges = if status.no_new_privs { "; its programs never get more rights (no_new_privs)" } else { "" };
    section.say("seccomp", format!("{}{privileges}", rights::seccomp(status)));
    section
}

/// Where and when it gets CPUs, and its chances when memory runs out.
pub(super) fn scheduling(found: &Inspection) -> Section {
    let mut section = Section::new("Scheduling");
    match &found.scheduling {
        Fact::Known(scheduling) => section.say("policy", rights::policy(scheduling)),
        other => section.say_in(Tone::Dim, "policy", unknown(other)),
    }
    if let Some(status) = found.status.known() {
        section.say("CPUs", status.cpus.clone());
        section.say("memory nodes", status.nodes.clone());
    }
    match &found.oom {
        Fact::Known(oom) => section.say("OOM score", format!("{}, and the highest goes first; adjusted by {}", oom.score, oom.adjustment)),
        other => section.say_in(Tone::Dim, "OOM score", unknown(other)),
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_with_blanks_stand_in_quotes_and_titles_do_not() {
        let of = |words: &[&str], total| {
            let first = words.iter().map(|w| w.to_string()).collect();
            joined(&Listing { first, total, is_cut: false })
        };
        assert_eq!(of(&["sh", "-c", "a b", "", "it's"], 5), r"sh -c 'a b' '' 'it'\''s'");
        assert_eq!(of(&["nginx: worker process"], 1), "nginx: worker process");
        assert_eq!(of(&["a"], 3), "a … and 2 more");
    }

    #[test]
    fn a_moment_on_the_wall() {
        let sample = Sample { at_ns: 100_000_000_000, unix_ms: 1_750_000_000_000, ..Sample::default() };
        assert_eq!(started(&sample, 40_000_000_000, None), "2025-06-15 15:05:40 UTC, 1m00s ago");
        let found = Inspection { utc_offset_s: 7200, ..Inspection::default() };
        assert_eq!(clock_time(&sample, 100_000_000_000, Some(&found)), "2025-06-15 17:06:40 +02");
        assert_eq!(clock_time(&Sample { unix_ms: u64::MAX, ..sample }, 0, None), "?");
    }
}

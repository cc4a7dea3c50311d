//! What a process has: limits, memory, files, environment.

use super::{Section, Tone, unknown};
use crate::app::App;
use crate::app::inspect::Pane;
use crate::format;
use crate::sample::inspection::{Fact, FileKind, Files, Inspection, Limit};

/// Mappings that are listed.
const MAPPINGS: usize = 24;

/// Cells for the name of a limit: `realtime priority` and a blank.
const LIMIT_NAME: usize = 18;

/// Limits, with what is used of them where that is known.
pub(super) fn limits(found: &Inspection) -> Section {
    let mut section = Section::new("Limits");
    let Fact::Known(limits) = &found.limits else {
        section.say_in(Tone::Dim, "", unknown(&found.limits));
        return section;
    };
    section.remark = "in force, and what it may raise them to".into();
    let open = found.files.known().filter(|files| !files.list.is_cut).map(|files| files.list.total as u64);
    for limit in limits {
        let name = limit.name.strip_prefix("Max ").unwrap_or(&limit.name);
        let used = open.filter(|_| name == "open files");
        let is_near = used.zip(limit.soft).is_some_and(|(used, most)| used * 10 >= most * 9);
        let used = used.map(|used| format!("; {used} are open")).unwrap_or_default();
        let text = format!("{name:<LIMIT_NAME$}{}{used}", limit_text(limit));
        section.say_in(if is_near { Tone::Warning } else { Tone::Plain }, "", text);
    }
    section
}

fn limit_text(limit: &Limit) -> String {
    let number = |value: Option<u64>| value.map_or("unlimited".into(), |value| value.to_string());
    let unit = if limit.unit.is_empty() { String::new() } else { format!(" {}", limit.unit) };
    match limit.soft == limit.hard {
        true => number(limit.soft) + &unit,
        false => format!("{}, at most {}{unit}", number(limit.soft), number(limit.hard)),
    }
}

/// What is mapped, the largest first.
pub(super) fn memory(app: &App, found: &Inspection) -> Section {
    let mut section = Section::new("Memory");
    let Fact::Known(map) = &found.memory else {
        section.say_in(Tone::Dim, "", unknown(&found.memory));
        return section;
    };
    let units = app.look().units;
    let bytes = |value: u64| if value == 0 { "0".to_owned() } else { format::bytes_in(value as f64, 5, units).trim().to_owned() };
    let age_ns = app.model().sample.at_ns.saturating_sub(map.at_ns);
    let age = if age_ns > 2_000_000_000 { format!(", {} ago", format::duration(age_ns, 6).trim()) } else { String::new() };
    section.remark = format!("by mapping, read in {}{age}", format::nanos(map.took_ns as f64, 6).trim());
    let sum = &map.sum;
    section.say(
        "all",
        format!(
            "RSS {}  PSS {} (shared pages divided by who shares them)  its own {}  swapped {}; {} mappings of {}",
            bytes(sum.rss_bytes),
            bytes(sum.pss_bytes),
            bytes(map.private_bytes),
            bytes(sum.swap_bytes),
            sum.count,
            bytes(sum.size_bytes)
        ),
    );
    if map.is_cut {
        section.say_in(Tone::Warning, "", "Time ran out before all was read; m takes more time.");
    }
    let top = map.top.first.iter().take(MAPPINGS).take_while(|mapping| mapping.rss_bytes > 0 || mapping.swap_bytes > 0);
    for mapping in top {
        let times = if mapping.count > 1 { format!(" ×{}", mapping.count) } else { String::new() };
        let swap = if mapping.swap_bytes > 0 { format!("  swapped {}", bytes(mapping.swap_bytes)) } else { String::new() };
        section.say(format!("{:>8}", bytes(mapping.rss_bytes)), format!("{}{times}  PSS {}{swap}", mapping.name, bytes(mapping.pss_bytes)));
    }
    section
}

/// What is open.
pub(super) fn files(found: &Inspection) -> Section {
    let mut section = Section::new("Open files");
    let Fact::Known(files) = &found.files else {
        section.say_in(Tone::Dim, "", unknown(&found.files));
        return section;
    };
    section.say("all", count(files));
    for file in &files.list.first {
        let tone = if file.kind == FileKind::Deleted { Tone::Warning } else { Tone::Plain };
        section.say_in(tone, format!("{:>8}", file.fd), file.target.clone());
    }
    let left = files.looked_at.saturating_sub(files.list.first.len());
    if left > 0 {
        section.say_in(Tone::Dim, "", format!("and {left} more"));
    }
    section
}

fn count(files: &Files) -> String {
    let total = if files.list.is_cut { format!("more than {}", files.list.total) } else { files.list.total.to_string() };
    let kinds = FileKind::ALL.into_iter().zip(files.by_kind).filter(|(_, count)| *count > 0);
    let kinds: Vec<String> = kinds.map(|(kind, count)| format!("{} {count}", kind.name())).collect();
    match (kinds.is_empty(), files.looked_at < files.list.total) {
        (true, _) => total,
        (false, false) => format!("{total}: {}", kinds.join(", ")),
        (false, true) => format!("{total}; of the first {}: {}", files.looked_at, kinds.join(", ")),
    }
}

/// The environment, once somebody asked for it.
pub(super) fn environment(pane: &Pane, found: &Inspection) -> Section {
    let mut section = Section::new("Environment");
    match &found.environment {
        _ if !pane.environment => section.say_in(Tone::Dim, "", "hidden, since it may hold passwords; e shows it"),
        Some(Fact::Known(words)) if words.total == 0 => section.say_in(Tone::Dim, "", "empty"),
        Some(Fact::Known(words)) => {
            section.remark = "as the program was started".into();
            words.first.iter().for_each(|word| section.say("", word.clone()));
            if words.is_cut || words.total > words.first.len() {
                section.say_in(Tone::Dim, "", "and more");
            }
        }
        Some(fact) => section.say_in(Tone::Dim, "", unknown(fact)),
        None => section.say_in(Tone::Dim, "", "reading …"),
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::inspection::{Listing, OpenFile};

    fn with_open(open: usize, soft: u64) -> Inspection {
        let limit = Limit { name: "Max open files".into(), soft: Some(soft), hard: None, unit: "files".into() };
        let list = Listing { total: open, ..Listing::default() };
        Inspection { limits: Fact::Known(vec![limit]), files: Fact::Known(Files { list, ..Files::default() }), ..Inspection::default() }
    }

    #[test]
    fn a_limit_that_is_nearly_reached_stands_out() {
        let entry = |open| limits(&with_open(open, 100)).entries.remove(0);
        assert_eq!((entry(89).text.as_str(), entry(89).tone), ("open files        100, at most unlimited files; 89 are open", Tone::Plain));
        assert_eq!(entry(90).tone, Tone::Warning);
    }

    #[test]
    fn files_are_counted_by_kind() {
        let file = OpenFile { fd: 0, target: "/x".into(), kind: FileKind::Path };
        let mut files =
            Files { list: Listing { first: vec![file], total: 9, is_cut: false }, by_kind: [1, 0, 0, 0, 2, 0, 0], looked_at: 3 };
        assert_eq!(count(&files), "9; of the first 3: files 1, sockets 2");
        files.looked_at = 9;
        assert_eq!(count(&files), "9: files 1, sockets 2");
    }
}

//! The help of the screen it is opened on: its keys, its columns, and how ebtop is doing.

use unicode_width::UnicodeWidthStr;

use super::App;
use super::column::{Columns, Set};
use super::keys::{Binding, bindings};
use super::status;
use crate::sample::{Domain, Health};

/// Cells of the left column: keys, titles.
pub const LEFT: usize = 16;

/// The help that is open.
#[derive(Clone, Debug, Default)]
pub struct Help {
    /// First line on screen.
    pub offset: usize,
}

/// A line of the help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    /// Begins a part.
    Heading(String),
    /// A key, a column or a domain, and what it is; blank on the left where the text goes on.
    Entry {
        /// What it is about.
        what: String,
        /// What is said about it.
        text: String,
    },
    /// Nothing.
    Blank,
}

impl Help {
    /// Scrolls within `total` lines, `height` of them on screen.
    pub fn scroll(&mut self, lines: isize, total: usize, height: usize) {
        self.offset = self.offset.saturating_add_signed(lines).min(total.saturating_sub(height));
    }
}

/// All lines for a screen of that width.
pub fn lines(app: &App, width: usize) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    let room = width.saturating_sub(LEFT + 1).max(20);
    let mut part = |title: String, entries: Vec<(String, String)>| {
        lines.push(HelpLine::Heading(title));
        for (what, text) in entries {
            let mut what = Some(what);
            for text in wrap(&text, room) {
                lines.push(HelpLine::Entry { what: what.take().unwrap_or_default(), text });
            }
        }
        lines.push(HelpLine::Blank);
    };
    let view = app.view().title();
    part(format!("Keys of {view}"), bindings(app.places()).map(key_entry).collect());
    if let Some(table) = app.process_table() {
        part(format!("Columns of {view}"), column_entries(table.set, table.chosen.as_deref()));
    }
    if let Some(table) = app.socket_table() {
        part("Columns of sockets".into(), column_entries(table.set, None));
    }
    part("What works".into(), Domain::ALL.into_iter().filter_map(|d| domain_entry(app, d)).collect());
    lines
}

fn key_entry(binding: &Binding) -> (String, String) {
    let names: Vec<String> = binding.keys.iter().map(|k| k.name()).collect();
    (names.join(" "), binding.help.into())
}

fn column_entries<C: Columns>(set: Set<C>, chosen: Option<&[C]>) -> Vec<(String, String)> {
    let entry = |c: &C| (c.spec().title.into(), c.spec().help.into());
    match chosen {
        Some(chosen) => chosen.iter().map(entry).collect(),
        None => set.first.iter().chain(set.more).map(entry).collect(),
    }
}

fn domain_entry(app: &App, domain: Domain) -> Option<(String, String)> {
    let sample = &app.model().sample;
    let status = sample.status.iter().find(|s| s.domain == domain)?;
    let state = match status::health(sample, domain)? {
        Health::Live => "live".into(),
        Health::Standby => "ready; runs only while something on screen shows it".into(),
        Health::Loading => "being loaded into the kernel".into(),
        Health::Degraded { reason } => format!("degraded: {reason}"),
        Health::Off { reason } => format!("off: {reason}"),
    };
    let cost = status.cost.as_ref().map_or(String::new(), |cost| format!("; costs {cost}"));
    Some((domain.name().into(), format!("{state}{cost}; lost {} events", status.lost)))
}

/// Breaks a text between words so that no line is wider than `width`, where words are that short.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("incomprehensibilities no", 5), ["incomprehensibilities", "no"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn scrolling_stays_inside() {
        let mut help = Help::default();
        help.scroll(-5, 30, 10);
        assert_eq!(help.offset, 0);
        help.scroll(isize::MAX, 30, 10);
        assert_eq!(help.offset, 20);
        help.scroll(1, 5, 10);
        assert_eq!(help.offset, 0);
    }
}

//! The help of the screen it is opened on: its keys, its columns, and how ebtop is doing.

use unicode_width::UnicodeWidthStr;

use super::App;
use super::column::{Columns, Spec};
use super::devices::Figure;
use super::help_texts::{FILTERS, HEADER, MOUSE, TYPING};
use super::key_groups::KeyGroup;
use super::keys::{Action, Binding};
use super::stacks::StackAction;
use super::status;
use super::view::View;
use crate::sample::{Domain, Health};

/// Cells of the left column: keys, titles.
pub const LEFT: usize = 16;

/// The help that is open.
#[derive(Clone, Debug, Default)]
pub struct Help {
    /// First line on screen.
    pub offset: usize,
    /// It was asked for once more, and went to the columns.
    at_columns: bool,
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
    for (group, entries) in keys(app) {
        part(format!("Keys of {view}: {}", group.title()), entries);
    }
    part("Mouse".into(), told(&MOUSE));
    part("In lists, and where text is typed".into(), told(&TYPING));
    if let Some(table) = app.process_table() {
        part(format!("Columns of {view}"), table.all().into_iter().map(|c| column_entry(c.spec())).collect());
    }
    if app.view() == View::Disk {
        part("Devices of Disk".into(), Figure::ALL.into_iter().map(|figure| (figure.title().into(), figure.help().into())).collect());
    }
    if let Some(table) = app.socket_table() {
        part(format!("Columns of {}", app.net_table().name()), table.all().into_iter().map(|c| column_entry(c.spec())).collect());
    }
    if let Some(table) = app.remote_table() {
        part("Columns of remotes".into(), table.all().into_iter().map(|c| column_entry(c.spec())).collect());
    }
    if let Some(table) = app.interface_table() {
        part("Columns of interfaces".into(), table.all().into_iter().map(|c| column_entry(c.spec())).collect());
    }
    part("Filters".into(), told(&FILTERS));
    if let Some(table) = app.cgroup_table() {
        part(format!("Columns of {view}"), table.all().into_iter().map(|c| column_entry(c.spec())).collect());
    }
    part("Header".into(), told(&HEADER));
    part("What works".into(), Domain::ALL.into_iter().filter_map(|d| domain_entry(app, d)).collect());
    lines
}

fn told(texts: &[(&str, &str)]) -> Vec<(String, String)> {
    texts.iter().map(|(what, text)| (what.to_string(), text.to_string())).collect()
}

/// The keys that hold here, by what they are for, each once in whichever place it stands first; only those parts that have any.
fn keys(app: &App) -> impl Iterator<Item = (KeyGroup, Vec<(String, String)>)> {
    let of = |group: KeyGroup| app.keymap().bindings(app.places()).filter(move |b| KeyGroup::of(b.action) == group);
    let once = |mut entries: Vec<(String, String)>, entry| {
        if !entries.contains(&entry) {
            entries.push(entry);
        }
        entries
    };
    let parts = KeyGroup::ALL.into_iter().map(move |group| (group, of(group).filter_map(|b| key_entry(app, b)).fold(Vec::new(), once)));
    parts.filter(|(_, entries): &(_, Vec<_>)| !entries.is_empty())
}

/// `None` where no key does it: the palette does.
fn key_entry(app: &App, binding: &Binding) -> Option<(String, String)> {
    let names: Vec<String> = app.keymap().live_keys(binding, app.places()).map(|k| k.name()).collect();
    (!names.is_empty()).then(|| (names.join(" "), binding.help.into()))
}

fn column_entry(spec: &Spec) -> (String, String) {
    (spec.title.into(), spec.explained())
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

impl App {
    /// The line of the help about the column that the table is sorted by.
    fn line_of_sorted(&mut self, lines: &[HelpLine]) -> Option<usize> {
        let title = self.list()?.sorted_by();
        let columns = lines.iter().position(|line| matches!(line, HelpLine::Heading(heading) if heading.starts_with("Columns")))?;
        let is_it = |line: &HelpLine| matches!(line, HelpLine::Entry { what, .. } if what == title);
        Some(columns + lines[columns..].iter().position(is_it)?)
    }

    pub(super) fn act_in_help(&mut self, action: Action) {
        let Some(layout) = self.layout() else { return };
        let page = usize::from(layout.canvas().height).max(1);
        let all = lines(self, usize::from(layout.body.width));
        let lines = match action {
            Action::Move(lines) => lines,
            Action::Stack(StackAction::Up) => -1,
            Action::Stack(StackAction::Down) => 1,
            Action::Page(pages) => pages * page as isize,
            Action::Stack(StackAction::PageUp) => -(page as isize),
            Action::Stack(StackAction::PageDown) => page as isize,
            Action::Home | Action::Stack(StackAction::First) => isize::MIN,
            Action::End | Action::Stack(StackAction::Last) => isize::MAX,
            Action::Help => return self.next_part_of_help(&all, page),
            Action::Enter | Action::Stack(StackAction::ZoomIn) => return self.help = None,
            Action::View(_) | Action::NextView | Action::PreviousView => {
                self.help = None;
                return self.act(action, &mut Vec::new());
            }
            _ => return self.say("Esc closes the help".into()),
        };
        if let Some(help) = &mut self.help {
            help.scroll(lines, all.len(), page);
        }
    }

    /// Asked for once more: to the sorted column, then out of the help.
    fn next_part_of_help(&mut self, lines: &[HelpLine], page: usize) {
        let column = self.line_of_sorted(lines);
        match (&mut self.help, column) {
            (Some(help), Some(column)) if !help.at_columns => {
                *help = Help { offset: column.min(lines.len().saturating_sub(page)), at_columns: true };
            }
            _ => self.help = None,
        }
    }
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
    fn examples_of_filters_can_be_read() {
        for (example, _) in FILTERS {
            assert!(crate::app::filter::parse(example).is_ok_and(|filter| !filter.is_empty()), "{example}");
            assert!(example.len() < LEFT, "{example} has room");
        }
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

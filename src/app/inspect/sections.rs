//! What the details say, section by section, and how that is laid out: in one column, or in two where there is room.

use super::Pane;
use super::fold::fold;
use crate::app::App;

mod ended;
mod place;
mod process;
mod resources;

/// Cells of the left part of a line.
pub const WHAT: u16 = 14;
/// From this width on there are two columns.
const TWO_COLUMNS: u16 = 140;
/// Cells between them.
pub const GAP: u16 = 2;

/// How a line should catch the eye.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Plain.
    #[default]
    Plain,
    /// Not to be had, or of less weight.
    Dim,
    /// Worth a look.
    Warning,
}

/// A line of the details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaneLine {
    /// What it is about; blank where the text goes on.
    pub what: String,
    /// What is said about it.
    pub text: String,
    /// How.
    pub tone: Tone,
    /// It begins a section, named by `what`.
    pub is_heading: bool,
}

/// What is said about one thing; not yet folded.
struct Entry {
    what: String,
    text: String,
    tone: Tone,
}

/// What belongs together.
struct Section {
    title: &'static str,
    /// Said beside the title.
    remark: String,
    entries: Vec<Entry>,
}

impl Section {
    fn new(title: &'static str) -> Section {
        Section { title, remark: String::new(), entries: Vec::new() }
    }

    fn say(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.say_in(Tone::Plain, what, text);
    }

    fn say_in(&mut self, tone: Tone, what: impl Into<String>, text: impl Into<String>) {
        self.entries.push(Entry { what: what.into(), text: text.into(), tone });
    }

    /// Its lines in so many cells; none where it has nothing to say.
    fn lines(&self, width: u16) -> Vec<PaneLine> {
        if self.entries.is_empty() {
            return Vec::new();
        }
        let room = usize::from(width.saturating_sub(WHAT + 1));
        let heading = PaneLine { what: self.title.into(), text: self.remark.clone(), is_heading: true, ..PaneLine::default() };
        let mut lines = vec![heading];
        for entry in &self.entries {
            let mut what = Some(entry.what.clone());
            let line = |text| PaneLine { what: what.take().unwrap_or_default(), text, tone: entry.tone, is_heading: false };
            lines.extend(fold(&entry.text, room).into_iter().map(line));
        }
        lines.push(PaneLine::default());
        lines
    }
}

/// What a fact says where there is none.
fn unknown<T>(fact: &crate::sample::inspection::Fact<T>) -> String {
    use crate::sample::inspection::Fact;
    match fact {
        Fact::Refused(why) => why.to_string(),
        _ => "reading …".into(),
    }
}

/// The lines for a screen of that width, column by column.
pub fn columns(app: &App, pane: &Pane, width: u16) -> Vec<Vec<PaneLine>> {
    let facts = match &pane.exit {
        Some(exit) => vec![ended::process(app, pane, exit)],
        None => vec![process::process(app, pane)],
    };
    let found = pane.found.as_deref();
    let mut first = facts;
    first.extend(place::place(app, pane));
    first.extend(found.map(process::rights));
    first.extend(found.map(process::scheduling));
    first.extend(found.map(place::namespaces));
    first.extend(found.map(resources::limits));
    let mut second: Vec<Section> = Vec::new();
    second.extend(found.map(|found| resources::environment(pane, found)));
    second.extend(found.map(|found| resources::memory(app, found)));
    second.extend(found.map(resources::files));
    let lines = |sections: &[Section], width| sections.iter().flat_map(|section| section.lines(width)).collect::<Vec<_>>();
    if width < TWO_COLUMNS {
        first.extend(second);
        return vec![lines(&first, width)];
    }
    let half = (width - GAP) / 2;
    vec![lines(&first, half), lines(&second, half)]
}

//! What goes into an [`App`](super::App) and what comes out of it.

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::tz::TimeZone;

use super::copy::Clipboard;
use super::filter::Filter;
use super::keymap::KeyMap;
use super::look::Look;
use super::net::NetTable;
use super::recording::Recorded;
use super::user_names::UserNames;
use super::view::View;
use crate::control::{Errand, Outcome};
use crate::export::profile::Profile;
use crate::sample::{Command, Update};
use crate::symbols::{Answer, Request};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A key went down.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The left button went down a second time in the same place, soon after the first.
    DoubleClick(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The screen has so many columns and rows now.
    Resize(u16, u16),
    /// The collector has news.
    Update(Update),
    /// The symbol thread has names.
    Names(Answer),
    /// A request for names found no room in the channel.
    NamesNotSent(Request),
    /// An errand was run.
    Outcome(Outcome),
    /// Choices were saved, or not, in words.
    Saved(String),
    /// What came of a file that was to be written, in one line; if it was not, its name comes first.
    Written(Result<String, (PathBuf, String)>),
    /// What became of a recording.
    Recorded(Recorded),
    /// Somebody asked for the job to be stopped.
    Suspend,
    /// Somebody asked for an end.
    End,
}

/// What to do about it.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Tell the collector.
    Command(Command),
    /// Ask the symbol thread.
    Request(Request),
    /// Keep what somebody chose about the looks.
    Save(Look),
    /// Change a process, or look how it is set.
    Errand(Errand),
    /// Write a file.
    Write(Box<Writing>),
    /// Put a text into the clipboard of the terminal.
    Copy(String),
    /// Record from now on to a file of that name, its end not included; `None` ends it.
    Record(Option<String>),
    /// Forget what is on the terminal and draw everything.
    Redraw,
    /// Stop the job.
    Suspend,
    /// Leave.
    Quit,
}

/// A file to be written.
#[derive(Debug, PartialEq)]
pub struct Writing {
    /// Its name; the form is told by its end.
    pub path: PathBuf,
    /// What is in it.
    pub content: Content,
}

/// What is written to a file.
#[derive(Debug, PartialEq)]
pub enum Content {
    /// Stacks, in the form that the name says.
    Stacks(Profile),
    /// A table, as it is.
    Table(Vec<u8>),
}

impl Content {
    /// There is nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Content::Stacks(profile) => profile.stacks.is_empty(),
            Content::Table(table) => table.is_empty(),
        }
    }
}

/// How the screen begins.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Time between two samples.
    pub interval: Duration,
    /// View to begin with.
    pub view: View,
    /// What the network view shows.
    pub net: NetTable,
    /// Children below their parents.
    pub tree: bool,
    /// Threads one by one.
    pub threads: bool,
    /// Sort the table of that view by the column of this name.
    pub sort: Option<String>,
    /// Filter to begin with.
    pub filter: Filter,
    /// Who runs ebtop, in a word for the header: `root`, a user's name, `replay`.
    pub who: String,
    /// What is shown is a recording.
    pub replay: bool,
    /// Refuse everything that changes the system.
    pub readonly: bool,
    /// Colours, units, columns.
    pub look: Look,
    /// The keys.
    pub keys: KeyMap,
    /// Users whose names are known at once.
    pub users: UserNames,
    /// Said at first.
    pub notice: Option<String>,
    /// How text gets to a clipboard.
    pub clipboard: Clipboard,
    /// How far back samples are kept; zero keeps none.
    pub history: Duration,
    /// Where clocks are; `None` is UTC.
    pub zone: Option<TimeZone>,
}

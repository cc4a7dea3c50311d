//! What there is to be drawn, for those who only look.

use std::time::Duration;

use super::filter::Filter;
use super::help::Help;
use super::keymap::KeyMap;
use super::keys::Place;
use super::layout::Layout;
use super::menu::Menu;
use super::net::NetTable;
use super::prompt::Prompt;
use super::stacks::StacksView;
use super::trends::Trends;
use super::view::View;
use super::{App, ProcessTable};
use crate::model::Model;
use crate::sample::Machine;

impl App {
    /// The table of processes on screen.
    pub fn process_table(&self) -> Option<&ProcessTable> {
        if self.net_table() == NetTable::Processes { self.processes.get(self.view as usize) } else { None }
    }

    /// The places whose keys hold now.
    pub fn places(&self) -> &'static [Place] {
        if self.pane.is_some() {
            return self.places_in_pane();
        }
        let places = self.net_places().unwrap_or_else(|| Place::in_the_past(self.view, self.shows_sockets(), self.search.is_some()));
        if self.is_past() { places } else { &places[1..] }
    }

    /// Where things stand; `None` = too small for anything.
    pub fn layout(&self) -> Option<Layout> {
        let layout = Layout::of(self.size.0, self.size.1, self.machine().cpus.len(), self.look.header)?;
        Some(layout.with_strip(self.strip_rows(&layout)))
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// What is shown.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What is shown is a recording.
    pub fn is_replay(&self) -> bool {
        self.replay
    }

    /// What belongs to no process.
    pub fn machine(&self) -> &Machine {
        &self.model.sample.machine
    }

    /// What the machine and its processes did over the last ticks.
    pub fn trends(&self) -> &Trends {
        &self.trends
    }

    /// The view on screen.
    pub fn view(&self) -> View {
        self.view
    }

    /// The Stacks view.
    pub fn stacks(&self) -> &StacksView {
        &self.stacks
    }

    /// The keys that are live.
    pub fn keymap(&self) -> &KeyMap {
        &self.keymap
    }

    /// Time between samples.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Who runs ebtop.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Whatever would change the system (a signal, a nice value) is to be refused.
    pub fn readonly(&self) -> bool {
        self.readonly
    }

    /// The screen holds still.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// No more samples will come: the inner one says why, where that is an error.
    pub fn end(&self) -> Option<&Option<String>> {
        self.end.as_ref()
    }

    /// The prompt that is open.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.prompt.as_ref()
    }

    /// The help that is open.
    pub fn help(&self) -> Option<&Help> {
        self.help.as_ref()
    }

    /// The list that is open.
    pub fn menu(&self) -> Option<&Menu> {
        self.menu.as_ref()
    }

    /// A line for the user.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(|m| m.text.as_str())
    }

    /// The filter in force.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The same as it was written; empty = none.
    pub fn filter_text(&self) -> &str {
        &self.filter_text
    }

    /// The views that Esc goes back through, outermost first.
    pub fn trail(&self) -> &[View] {
        &self.trail
    }
}

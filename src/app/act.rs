//! What each action does.

use super::column::{Column, Columns};
use super::help::Help;
use super::keys::Action;
use super::lines::{Line, LineKey};
use super::net::{NetTable, SocketScope};
use super::prompt::{Prompt, Purpose};
use super::shape::Shape;
use super::stacks::{After, StackAction};
use super::view::View;
use super::{App, Effect, title};
use crate::model::stacks::{Measure, Scope};

impl App {
    /// Does what a key, a click or a hint asks for.
    pub(super) fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(action) = self.take_in_pane(action) else { return };
        match action {
            Action::Quit => effects.push(Effect::Quit),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Back => self.back(),
            _ if self.help.is_some() => self.act_in_help(action),
            Action::Details if self.is_past() => self.say("Details are read from the living process: End leads back to now".into()),
            Action::Details => self.toggle_pane(),
            Action::Help => self.help = Some(Help::default()),
            Action::Palette => self.ask_action(),
            Action::View(view) => self.go_to(view),
            Action::NextView => self.go_to(self.view.step(true)),
            Action::PreviousView => self.go_to(self.view.step(false)),
            Action::Move(lines) => self.with_list(|list, _| list.move_by(lines)),
            Action::Page(pages) => self.with_list(|list, height| list.move_by(pages * height as isize)),
            Action::Home => self.with_list(|list, _| list.home()),
            Action::End => self.with_list(|list, _| list.end()),
            Action::Enter => self.enter(),
            Action::Tree if self.view == View::Cgroups => self.toggle_cgroup_tree(),
            Action::Fold if self.view == View::Cgroups => self.fold_cgroup(),
            Action::FoldAll if self.view == View::Cgroups => self.fold_all_cgroups(),
            Action::Tree => self.set_shape(if self.shape == Shape::Tree { Shape::Flat } else { Shape::Tree }),
            Action::Group => self.ask_group(),
            Action::Fold => self.fold(),
            Action::FoldAll => self.fold_all(),
            Action::KernelThreads => {
                self.hides_kernel_threads = !self.hides_kernel_threads;
                self.rearrange();
            }
            Action::Threads => self.toggle_threads(),
            Action::Follow => self.follow_selected(),
            Action::Environment | Action::MemoryMap => self.say("i shows details first".into()),
            Action::Tag => self.tag(),
            Action::TagChildren => self.tag_children(),
            Action::Untag => self.tags.clear(),
            Action::Why(measure) => self.why(measure),
            Action::Export => self.ask(Purpose::Export),
            Action::Sockets => self.toggle_sockets(),
            Action::Net(table) => self.show_net(table),
            Action::Sort(column) => self.sort(column),
            Action::SortMenu => self.ask_sort(),
            Action::Shift(right) => self.with_list(|list, _| list.shift_by(right)),
            Action::Users => self.ask_user(),
            Action::Invert => {
                self.with_list(|list, _| list.invert());
                self.rearrange();
            }
            Action::Search => self.ask(Purpose::Search),
            Action::FindNext(forward) => self.find_next(forward),
            Action::Filter => self.ask(Purpose::Filter),
            Action::Paths => self.program_paths = !self.program_paths,
            Action::Pause => self.pause(),
            Action::Copy => self.copy(effects),
            Action::Record => self.toggle_recording(effects),
            Action::Earlier => self.show_earlier(),
            Action::Later => self.show_later(effects),
            Action::GoToTime => self.ask_time(),
            Action::Live => self.go_live(),
            Action::Delay => self.ask(Purpose::Delay),
            Action::Header => self.next_header(),
            Action::Setup => self.ask_setup(),
            Action::Signal => self.ask_signal(),
            Action::Nice(step) => self.ask_nice(step),
            Action::Setting(question) => self.ask_setting(question, effects),
            Action::Stack(action) => self.act_in_stacks(action),
        }
    }

    fn act_in_stacks(&mut self, action: StackAction) {
        if self.stacks.act(action) == After::Leave {
            self.leave_view();
        }
    }

    /// One step back: help, search, filter, view. Never out of ebtop.
    fn back(&mut self) {
        if self.help.take().is_some() {
            return;
        }
        if self.pane.is_some() {
            return if self.search.is_some() { self.end_search() } else { self.pane = None };
        }
        if self.search.take().is_some() {
            if self.view == View::Stacks {
                self.stacks.set_search("");
            }
            return;
        }
        if self.is_past() {
            return self.go_live();
        }
        if self.view == View::Stacks {
            return self.act_in_stacks(StackAction::ZoomOut);
        }
        if self.shows_sockets() && self.net.scope.origin() != NetTable::Processes {
            return self.leave_net();
        }
        if self.leave_cgroup() {
            return;
        }
        if !self.trail.is_empty() {
            return self.leave_view();
        }
        if !self.filter_text.is_empty() {
            return self.clear_filter();
        }
        match self.net_table() {
            NetTable::Processes => self.say("Nothing to go back to; q quits".into()),
            _ => self.leave_net(),
        }
    }

    /// Shows a view that one step back leads out of again.
    pub(super) fn enter_view(&mut self, view: View) {
        let from = self.view;
        self.change_view(view);
        self.trail.push(from);
    }

    fn leave_view(&mut self) {
        let to = self.trail.pop().unwrap_or_default();
        self.change_view(to);
    }

    /// Shows a view; leaves the breadcrumbs behind.
    pub(super) fn go_to(&mut self, view: View) {
        self.trail.clear();
        if view == View::Cgroups {
            self.forget_within();
        }
        if view == View::Stacks {
            self.stacks.open(Scope::Machine, "");
            self.stacks.set_measure(Measure::OnCpu);
        }
        self.change_view(view);
    }

    pub(super) fn change_view(&mut self, view: View) {
        let chosen = self.processes.get(self.view as usize).and_then(|t| t.selected());
        if self.view != view {
            self.net.scope = SocketScope::All;
        }
        if view != View::Stacks {
            self.stacks.set_search("");
        }
        self.search = None;
        let from_table = self.processes.get(self.view as usize).is_some();
        self.view = view;
        if let Some(table) = self.processes.get_mut(view as usize).filter(|_| from_table) {
            table.select(chosen);
        }
        self.arrange();
    }

    /// From a row to its cause.
    fn enter(&mut self) {
        match self.current_line() {
            _ if self.view == View::Cgroups => self.enter_cgroup(),
            Some((LineKey::Process(key) | LineKey::Thread(key, _), _)) if self.view == View::Network => {
                self.show_sockets(SocketScope::Of(key));
            }
            Some((LineKey::Process(key) | LineKey::Thread(key, _), _)) if !self.is_tagged(key) => self.show_stacks(key, Measure::OnCpu),
            Some((LineKey::Exited, _)) => self.fold(),
            Some(_) => self.why(Measure::OnCpu),
            None => self.enter_net(),
        }
    }

    pub(super) fn current_line(&self) -> Option<(LineKey, Line)> {
        self.process_table().and_then(|t| t.current())
    }

    fn sort(&mut self, column: Column) {
        if self.view == View::Cgroups {
            return self.sort_cgroups(column);
        }
        let Some(table) = self.processes.get_mut(self.view as usize) else { return };
        if !table.has(column) {
            return self.say(format!("This view has no column {}", title(column)));
        }
        match table.sort == column {
            true => table.descending = column.descends(),
            false => table.sort_by(column),
        }
        self.rearrange();
    }

    /// After the order was asked to be another one: back to the top, unless a line was chosen.
    pub(super) fn rearrange(&mut self) {
        self.arrange();
        self.follow();
    }

    pub(super) fn ask(&mut self, purpose: Purpose) {
        let text = match purpose {
            Purpose::Filter => self.filter_text.clone(),
            Purpose::Search | Purpose::Delay | Purpose::Time => String::new(),
            Purpose::Export => self.file_to_write(),
        };
        self.begin_search_if(purpose);
        self.prompt = Some(Prompt::new(purpose, &text));
    }

    fn pause(&mut self) {
        if self.paused { self.go_live() } else { self.hold_still() }
    }

    /// Does something to the table on screen; it learns how many lines are visible.
    pub(super) fn with_list(&mut self, change: impl FnOnce(&mut dyn super::List, usize)) {
        let height = self.layout().map_or(1, |l| usize::from(l.body.height.max(1)));
        if let Some(list) = self.list() {
            change(list, height);
        }
    }
}

/// A title as a file name: no spaces, no path.
pub(super) fn file_name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c)).filter(|word| !word.is_empty());
    let name = words.fold("ebtop".to_owned(), |name, word| name + "-" + word);
    name.chars().take(100).collect()
}

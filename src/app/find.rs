//! Search: finds lines, hides nothing.

use super::App;
use super::column::{Columns, RowView, SocketColumn, SocketView};
use super::prompt::Purpose;
use super::stacks::StackAction;
use super::view::View;

/// A search that is on.
#[derive(Clone, Debug, Default)]
pub struct Search {
    text: String,
    /// Line from where it looks.
    origin: usize,
    /// Nothing was found yet, and nobody went elsewhere since: command lines that come late may still hold it.
    missed: bool,
}

impl Search {
    /// It has something to find.
    pub fn is_on(&self) -> bool {
        !self.text.is_empty()
    }

    /// Capitals matter only if the text has some.
    fn finds(&self, text: &str) -> bool {
        match self.text.chars().any(char::is_uppercase) {
            true => text.contains(&self.text),
            false => text.to_lowercase().contains(&self.text),
        }
    }

    fn finds_process(&self, row: &RowView<'_>) -> bool {
        let pid = row.task().is_some_and(|t| t.key.pid.to_string() == self.text);
        pid || self.finds(&row.command()) || row.user().is_some_and(|user| self.finds(&user))
    }

    fn finds_socket(&self, row: &SocketView<'_>) -> bool {
        [SocketColumn::Local, SocketColumn::Remote, SocketColumn::Pid, SocketColumn::Command]
            .into_iter()
            .any(|column| self.finds(&column.cell(row, 32).text))
    }
}

impl App {
    /// The text that is searched for.
    pub fn search_text(&self) -> Option<&str> {
        self.search.as_ref().map(|s| s.text.as_str()).filter(|text| !text.is_empty())
    }

    pub(super) fn begin_search_if(&mut self, purpose: Purpose) {
        if purpose == Purpose::Search {
            self.search = Some(Search { origin: self.cursor(), ..Search::default() });
            self.with_list(|list, _| list.set_mark());
        }
    }

    /// The text of the search changed: to the first line found, from where it began.
    pub(super) fn search_for(&mut self, text: &str) -> Result<(), String> {
        if self.pane.is_some() {
            if let Some(search) = &mut self.search {
                search.text = text.into();
            }
            return self.search_in_pane(text);
        }
        if self.view == View::Stacks {
            self.stacks.set_search(text);
            return match self.stacks.matched() {
                0 if !text.is_empty() => Err("nothing found".into()),
                _ => Ok(()),
            };
        }
        let Some(search) = &mut self.search else { return Ok(()) };
        search.text = text.into();
        let found = self.find_from_origin();
        if found || text.is_empty() { Ok(()) } else { Err("nothing found".into()) }
    }

    /// Goes to the first line found from where the search began.
    fn find_from_origin(&mut self) -> bool {
        let line = self.search.as_ref().and_then(|search| self.find_from(search.origin, true));
        if let Some(line) = line {
            self.go_to_line(line);
        }
        if let Some(search) = &mut self.search {
            search.missed = line.is_none() && search.is_on();
        }
        line.is_some()
    }

    /// Command lines came that the search may have been for.
    pub(super) fn find_late(&mut self) {
        if self.search.as_ref().is_some_and(|search| search.missed) && self.find_from_origin() {
            self.prompt.as_mut().filter(|prompt| prompt.purpose == Purpose::Search).map(|prompt| prompt.error.take());
        }
    }

    /// The user goes elsewhere: what is found from now on does not take him back.
    pub(super) fn give_up_late_finds(&mut self) {
        if let Some(search) = &mut self.search {
            search.missed = false;
        }
    }

    /// Gives the search up and goes back to what was selected when it began.
    pub(super) fn end_search(&mut self) {
        if self.pane.is_some() {
            self.search = None;
            return drop(self.search_in_pane(""));
        }
        if self.view == View::Stacks {
            self.stacks.set_search("");
        }
        if self.search.take().is_some() {
            self.with_list(|list, height| {
                list.return_to_mark();
                list.follow(height);
            });
        }
    }

    /// To the next line found, or the one before; round the end.
    pub(super) fn find_next(&mut self, forward: bool) {
        if self.search_text().is_none() {
            return self.say("No search is on; / begins one".into());
        }
        if self.pane.is_some() {
            return self.find_next_in_pane(forward);
        }
        if self.view == View::Stacks {
            let step = if forward { StackAction::NextMatch } else { StackAction::PreviousMatch };
            let _ = self.stacks.act(step);
            return;
        }
        let count = self.line_count();
        let from = self.cursor() + if forward { 1 } else { count.saturating_sub(1) };
        match self.find_from(from, forward) {
            Some(line) => self.go_to_line(line),
            None => self.say("Nothing found".into()),
        }
    }

    /// The first line found, from one on, round the end.
    fn find_from(&self, from: usize, forward: bool) -> Option<usize> {
        let search = self.search.as_ref().filter(|s| s.is_on())?;
        let count = self.line_count();
        let at = |step: usize| (from + if forward { step } else { count - step }) % count;
        (0..count).map(at).find(|&line| match (self.process_table(), self.socket_table(), self.cgroup_table()) {
            (Some(table), ..) => self.row(table.lines[line].1).is_some_and(|row| search.finds_process(&row)),
            (_, Some(table), _) => self.socket(table.lines[line].1).is_some_and(|row| search.finds_socket(&row)),
            (.., Some(table)) => self.cgroup(table.lines[line].1).is_some_and(|row| search.finds(row.name())),
            _ => self.net_names(line).iter().any(|name| search.finds(name)),
        })
    }

    fn cursor(&self) -> usize {
        let cursor = self.process_table().map(|t| t.cursor()).or(self.cgroup_table().map(|t| t.cursor()));
        cursor.or(self.net_lines().map(|(_, cursor)| cursor)).unwrap_or(0)
    }

    fn go_to_line(&mut self, line: usize) {
        let from = self.cursor();
        self.with_list(|list, _| list.move_by(line as isize - from as isize));
    }
}

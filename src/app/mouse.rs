//! What clicks and the wheel do.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::keys::{Action, Key};
use super::layout::{Layout, hints};
use super::stacks::StackAction;
use super::view::View;
use super::{App, Effect, List, table_width};

/// Lines that one notch of the wheel moves.
const NOTCH: isize = 3;

impl App {
    pub(super) fn mouse(&mut self, event: MouseEvent, effects: &mut Vec<Effect>) {
        let Some(layout) = self.layout() else { return };
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.message = None;
                match self.menu {
                    Some(_) => self.click_in_menu(&layout, at),
                    None => self.click(&layout, at, effects),
                }
            }
            MouseEventKind::Down(MouseButton::Right) if self.menu.is_none() && !self.is_covered() && layout.headings.contains(at) => {
                let mut column = None;
                self.with_list(|list, _| column = at.x.checked_sub(1).and_then(|x| list.column_at(x, table_width(&layout))));
                if column.is_some() {
                    self.ask_sort_at(column);
                }
            }
            MouseEventKind::Drag(MouseButton::Left) if !self.is_covered() && self.view() == View::Stacks => {
                self.stacks.drag(layout.canvas(), at);
            }
            MouseEventKind::Up(MouseButton::Left) => self.stacks.release(),
            MouseEventKind::ScrollUp => self.wheel(-NOTCH, effects),
            MouseEventKind::ScrollDown => self.wheel(NOTCH, effects),
            _ => {}
        }
    }

    /// On a line, what Enter does; elsewhere a click like any other. The first of the two selected the line, which may stand elsewhere by
    /// now: the selection is what counts.
    pub(super) fn double_click(&mut self, event: MouseEvent, effects: &mut Vec<Effect>) {
        let Some(layout) = self.layout() else { return };
        let at = Position::new(event.column, event.row);
        let is_free = self.menu.is_none() && self.prompt().is_none() && !self.is_covered();
        // The flame graph zooms by a click on the frame that is chosen.
        let is_table = self.view() != View::Stacks && layout.body.contains(at);
        let is_line = is_table && self.has_line_at(usize::from(at.y - layout.body.y));
        let enter = self.keymap.action(Key::ENTER, self.places());
        match enter.filter(|_| is_free && is_line) {
            Some(action) => {
                self.message = None;
                self.act(action, effects);
            }
            None => self.mouse(event, effects),
        }
    }

    /// A line of the table stands on that row of its body.
    fn has_line_at(&mut self, row: usize) -> bool {
        let lines = self.line_count();
        self.list().is_some_and(|list| list.first_shown() + row < lines)
    }

    fn click(&mut self, layout: &Layout, at: Position, effects: &mut Vec<Effect>) {
        if layout.footer.contains(at) && self.prompt().is_none() {
            let hint = hints(&self.keymap, self.places(), layout.footer.width).into_iter().find(|h| h.is_at(at.x));
            if let Some(hint) = hint {
                self.act(hint.action, effects);
            }
        } else if layout.tabs.contains(at) {
            match self.tabs(layout).into_iter().find(|t| t.is_at(at.x)) {
                Some(tab) => self.act(tab.action, effects),
                None if self.chip(layout).is_some_and(|(chip, _)| chip.contains(at)) => self.close_chip(effects),
                None => {}
            }
        } else if !self.is_covered() && self.view() == View::Stacks && layout.canvas().contains(at) {
            self.stacks.press(layout.canvas(), at);
        } else if !self.is_covered() && layout.headings.contains(at) {
            let mut sorted = false;
            self.with_list(|list, _| sorted = at.x > 0 && list.sort_at(at.x - 1, table_width(layout)));
            if sorted {
                self.arrange();
            }
        } else if !self.is_covered() && layout.body.contains(at) {
            let line = usize::from(at.y - layout.body.y);
            self.with_list(|list, _| {
                list.click(line);
            });
        }
    }

    /// A click chooses; only a key accepts, so that none too many changes a process. Outside it closes the list.
    fn click_in_menu(&mut self, layout: &Layout, at: Position) {
        let Some(menu) = &mut self.menu else { return };
        let placed = menu.place(layout.canvas());
        if placed.list.contains(at) {
            menu.click(placed.offset + usize::from(at.y - placed.list.y));
        } else if !placed.frame.contains(at) {
            self.close_menu();
        }
        self.preview();
    }

    fn close_chip(&mut self, effects: &mut Vec<Effect>) {
        match self.filter_text().is_empty() {
            true => self.act(Action::Back, effects),
            false => self.clear_filter(),
        }
    }

    fn wheel(&mut self, lines: isize, effects: &mut Vec<Effect>) {
        if let Some(menu) = &mut self.menu {
            menu.move_by(lines);
            self.preview();
        } else if self.is_covered() {
            self.act(Action::Move(lines), effects);
        } else if self.view() == View::Stacks {
            self.act(Action::Stack(if lines < 0 { StackAction::Up } else { StackAction::Down }), effects);
        } else {
            self.with_list(|list, height| List::scroll(list, lines, height));
        }
    }
}

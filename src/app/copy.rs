//! What is selected as text, for the clipboard of the terminal.

use super::column::{Column, Columns};
use super::lines::LineKey;
use super::stacks::StackMode;
use super::view::View;
use super::{App, Effect};
use crate::format::NOTHING;
use crate::model::stacks::StackTree;
use crate::sample::{ProcKey, Protocol};

/// Bytes that are copied at most: terminals drop what is too long for them, and a slow line has to carry it.
pub const COPY_MAX: usize = 4096;

/// How text gets to a clipboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clipboard {
    /// The terminal has one.
    #[default]
    Terminal,
    /// The terminal has one behind tmux, which passes text on where it is told to.
    Tmux,
    /// There is none.
    Nowhere,
}

impl App {
    /// Copies what is selected.
    pub(super) fn copy(&mut self, effects: &mut Vec<Effect>) {
        if self.clipboard == Clipboard::Nowhere {
            return self.say("Nothing was copied: this terminal has no clipboard (the Linux console, --ascii, --low-bandwidth)".into());
        }
        let Some(text) = self.selected_text().map(|text| clean(&text)).filter(|text| !text.is_empty()) else {
            return self.say("Nothing is selected that could be copied".into());
        };
        let how = if self.clipboard == Clipboard::Tmux { " (by tmux, if it has set-clipboard on)" } else { "" };
        self.say(format!("Copied{how}: {text}"));
        effects.push(Effect::Copy(text));
    }

    /// A line about it: pid and command line, function and where it stands, addresses.
    fn selected_text(&self) -> Option<String> {
        if let Some(pane) = self.pane() {
            return Some(self.process_text(pane.key, &pane.name));
        }
        if self.view() == View::Stacks {
            return self.frame_text();
        }
        if let Some((key, line)) = self.current_line() {
            let row = self.row(line)?;
            return Some(match key {
                LineKey::Process(key) | LineKey::Thread(key, _) => self.process_text(key, &row.task()?.comm.to_string()),
                LineKey::Exited | LineKey::Command(_) | LineKey::Group(_) => Column::Command.cell(&row, Column::Command.spec().width).text,
            });
        }
        if let Some((_, line)) = self.socket_table().and_then(|table| table.current()) {
            return self.socket_text(line);
        }
        if let Some((_, line)) = self.cgroup_table().and_then(|table| table.current()) {
            return Some(self.cgroup(line)?.group.path.clone());
        }
        let address = || self.remote(self.remote_table()?.current()?.1).map(|view| view.remote.address.to_string());
        address().or_else(|| self.interface(self.interface_table()?.current()?.1).map(|view| view.interface.name.clone()))
    }

    fn process_text(&self, key: ProcKey, name: &str) -> String {
        let cmdline = self.details.get(key).map(|details| details.cmdline.as_str()).filter(|cmdline| !cmdline.is_empty());
        format!("{} {}", key.pid, cmdline.unwrap_or(name))
    }

    fn socket_text(&self, line: u32) -> Option<String> {
        let view = self.socket(line)?;
        let socket = view.socket;
        let protocol = if socket.protocol == Protocol::Tcp { "tcp" } else { "udp" };
        let owner = socket.owner.zip(view.task).map(|(key, task)| self.process_text(key, &task.comm.to_string()));
        Some(format!("{protocol} {} {} {}", socket.local, socket.remote, owner.unwrap_or_default()))
    }

    /// `deflate_slow libz.so.1.2.13 deflate.c:1886`.
    fn frame_text(&self) -> Option<String> {
        let (stacks, functions) = (self.stacks(), self.stacks().functions());
        let label = match stacks.mode() {
            StackMode::Table => &functions.get(stacks.function_index())?.label,
            _ => stacks.tree().label(stacks.chosen().filter(|node| *node != StackTree::ROOT)?),
        };
        let source = functions.iter().find(|function| function.label == *label).and_then(|function| function.source.as_deref());
        Some(format!("{} {} {}", label.name, label.module, source.unwrap_or_default()))
    }
}

/// One line without control characters, and no longer than it may be.
fn clean(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    let end = (0..=COPY_MAX.min(line.len())).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    if line == NOTHING { String::new() } else { line[..end].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_is_one_short_line_without_controls() {
        assert_eq!(clean(" 7 sh\x1b]52;c;x\x07\n-c\u{9b}31m "), "7 sh ]52;c;x  -c 31m");
        let long = clean(&"é".repeat(COPY_MAX));
        assert_eq!((long.len(), long.chars().all(|c| c == 'é')), (COPY_MAX, true));
        assert_eq!((clean("·"), clean("\x07")), (String::new(), String::new()));
    }
}

//! What actions are called: in the palette, and in `[keys]` of the configuration. A name once given stays.

use std::borrow::Cow;

use super::column::Columns;
use super::keys::Action;
use super::net::NetTable;
use super::stacks::StackAction;
use crate::control::Question;
use crate::model::stacks::Measure;

impl Action {
    /// Its name, the same wherever it is bound.
    pub fn name(self) -> Cow<'static, str> {
        let name = match self {
            Action::Sort(column) => return format!("sort-by-{}", column.spec().name).into(),
            Action::View(view) => return format!("view-{}", view.name()).into(),
            Action::Stack(action) => action.name(),
            Action::Quit => "quit",
            Action::Suspend => "suspend",
            Action::Redraw => "redraw",
            Action::Help => "help",
            Action::Palette => "palette",
            Action::NextView => "next-view",
            Action::PreviousView => "previous-view",
            Action::Move(lines) if lines < 0 => "up",
            Action::Move(_) => "down",
            Action::Page(pages) if pages < 0 => "page-up",
            Action::Page(_) => "page-down",
            Action::Home => "first",
            Action::End => "last",
            Action::Enter => "why",
            Action::Fold => "fold",
            Action::FoldAll => "fold-all",
            Action::Tree => "tree",
            Action::Group => "group",
            Action::Threads => "threads",
            Action::KernelThreads => "kernel-threads",
            Action::Follow => "follow",
            Action::Details => "details",
            Action::Environment => "environment",
            Action::MemoryMap => "memory-map",
            Action::Tag => "tag",
            Action::TagChildren => "tag-children",
            Action::Untag => "untag",
            Action::Back => "back",
            Action::Why(Measure::OnCpu) => "stacks",
            Action::Why(Measure::OffCpu) => "off-cpu",
            Action::Why(Measure::Faults) => "faults",
            Action::Why(Measure::Allocs) => "allocations",
            Action::Why(Measure::Net) => "network-bytes",
            Action::Export => "export",
            Action::Sockets | Action::Net(NetTable::Sockets) => "sockets",
            Action::Net(NetTable::Processes) => "talkers",
            Action::Net(NetTable::Listeners) => "listeners",
            Action::Net(NetTable::Remotes) => "remotes",
            Action::Net(NetTable::Interfaces) => "interfaces",
            Action::SortMenu => "sort",
            Action::Shift(false) => "shift-left",
            Action::Shift(true) => "shift-right",
            Action::Users => "users",
            Action::Invert => "invert",
            Action::Search => "search",
            Action::FindNext(true) => "find-next",
            Action::FindNext(false) => "find-previous",
            Action::Filter => "filter",
            Action::Paths => "paths",
            Action::Pause => "pause",
            Action::Copy => "copy",
            Action::Record => "record",
            Action::Earlier => "earlier",
            Action::Later => "later",
            Action::GoToTime => "go-to-time",
            Action::Live => "live",
            Action::Delay => "delay",
            Action::Header => "header",
            Action::Setup => "setup",
            Action::Signal => "signal",
            Action::Nice(step) if step < 0 => "nice-lower",
            Action::Nice(_) => "nice-higher",
            Action::Setting(Question::Io) => "io-priority",
            Action::Setting(Question::Cpus) => "cpus",
        };
        name.into()
    }
}

impl StackAction {
    fn name(self) -> &'static str {
        match self {
            StackAction::Up => "stacks-up",
            StackAction::Down => "stacks-down",
            StackAction::Left => "stacks-left",
            StackAction::Right => "stacks-right",
            StackAction::PageUp => "stacks-page-up",
            StackAction::PageDown => "stacks-page-down",
            StackAction::First => "stacks-first",
            StackAction::Last => "stacks-last",
            StackAction::ZoomIn => "stacks-zoom",
            StackAction::ZoomOut => "stacks-zoom-out",
            StackAction::NextMode => "stacks-form",
            StackAction::Span(true) => "stacks-span",
            StackAction::Span(false) => "stacks-shorter-span",
            StackAction::Callers => "stacks-callers",
            StackAction::Threads => "stacks-threads",
            StackAction::Wakers => "stacks-wakers",
            StackAction::Compare => "stacks-compare",
            StackAction::Mark => "stacks-mark",
            StackAction::Processes => "stacks-processes",
            StackAction::Weigh(Measure::OnCpu) => "stacks-on-cpu",
            StackAction::Weigh(Measure::OffCpu) => "stacks-off-cpu",
            StackAction::Weigh(Measure::Faults) => "stacks-faults",
            StackAction::Weigh(Measure::Allocs) => "stacks-allocations",
            StackAction::Weigh(Measure::Net) => "stacks-network-bytes",
            StackAction::Memory => "stacks-memory",
            StackAction::UnfoldAll => "stacks-unfold",
            StackAction::FoldBelow => "stacks-fold",
            StackAction::NextMatch => "stacks-next-match",
            StackAction::PreviousMatch => "stacks-previous-match",
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::app::bindings::BINDINGS;

    #[test]
    fn a_name_means_one_action() {
        for (index, binding) in BINDINGS.iter().enumerate() {
            let name = binding.action.name();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
            for other in &BINDINGS[..index] {
                assert_eq!(other.action.name() == name, other.action == binding.action, "{name}");
            }
        }
    }
}

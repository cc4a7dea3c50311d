//! The parts that the keys of a screen are told in: what one wants to do, not which key comes first.

use super::keys::Action;
use super::stacks::StackAction as S;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyGroup {
    /// From a number to its cause.
    Why,
    /// Fewer lines, or the right one.
    Find,
    /// Which lines there are, in which order, with what in them.
    Arrange,
    /// Choosing processes, and changing them.
    Change,
    /// Up and down, left and right.
    Move,
    /// Other views.
    Views,
    /// What was before.
    Past,
    /// ebtop itself.
    Screen,
}

impl KeyGroup {
    /// All there are, in the order of the help.
    pub(super) const ALL: [KeyGroup; 8] = [
        KeyGroup::Why,
        KeyGroup::Find,
        KeyGroup::Arrange,
        KeyGroup::Change,
        KeyGroup::Move,
        KeyGroup::Views,
        KeyGroup::Past,
        KeyGroup::Screen,
    ];

    /// Its heading.
    pub(super) fn title(self) -> &'static str {
        ["why", "search and filter", "order and form", "tag and change", "move", "views", "look back", "screen"][self as usize]
    }

    /// The one that an action belongs to.
    pub(super) fn of(action: Action) -> KeyGroup {
        match action {
            Action::Enter | Action::Why(_) | Action::Sockets | Action::Details | Action::Environment | Action::MemoryMap => KeyGroup::Why,
            Action::Stack(S::ZoomIn | S::ZoomOut | S::Weigh(_) | S::Memory | S::Wakers | S::Callers) => KeyGroup::Why,
            Action::Search | Action::FindNext(_) | Action::Filter | Action::Users => KeyGroup::Find,
            Action::Stack(S::NextMatch | S::PreviousMatch) => KeyGroup::Find,
            Action::Sort(_) | Action::SortMenu | Action::Invert | Action::Tree | Action::Fold | Action::FoldAll => KeyGroup::Arrange,
            Action::Group | Action::Threads | Action::KernelThreads | Action::Paths => KeyGroup::Arrange,
            Action::Stack(S::NextMode | S::Span(_) | S::Threads | S::Compare | S::Mark | S::UnfoldAll | S::FoldBelow) => KeyGroup::Arrange,
            Action::Tag | Action::TagChildren | Action::Untag | Action::Signal | Action::Nice(_) | Action::Setting(_) => KeyGroup::Change,
            Action::Move(_) | Action::Page(_) | Action::Home | Action::End | Action::Shift(_) | Action::Follow => KeyGroup::Move,
            Action::Back => KeyGroup::Move,
            Action::Stack(S::Up | S::Down | S::Left | S::Right | S::PageUp | S::PageDown | S::First | S::Last) => KeyGroup::Move,
            Action::View(_) | Action::NextView | Action::PreviousView | Action::Net(_) | Action::Stack(S::Processes) => KeyGroup::Views,
            Action::Earlier | Action::Later | Action::GoToTime | Action::Live => KeyGroup::Past,
            _ => KeyGroup::Screen,
        }
    }
}

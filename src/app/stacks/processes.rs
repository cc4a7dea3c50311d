//! The list of processes that have samples: the living, and those that have exited since.

use super::StacksView;
use crate::model::stacks::{Sampled, Scope};
use crate::sample::ProcKey;

/// The list, while it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) chosen: Option<ProcKey>,
    pub(super) processes: Vec<Sampled>,
}

impl StacksView {
    /// The processes that have samples, if they are listed; and the index of the chosen one.
    pub fn listing(&self) -> Option<(&[Sampled], usize)> {
        let listing = self.listing.as_ref()?;
        let chosen = listing.processes.iter().position(|process| Some(process.key) == listing.chosen);
        Some((&listing.processes, chosen.unwrap_or(0)))
    }

    /// Opens or closes the list.
    pub(super) fn toggle_listing(&mut self) {
        self.listing = match self.listing {
            Some(_) => None,
            None => Some(Listing { chosen: self.whose(), processes: Vec::new() }),
        };
        self.stale = true;
    }

    /// Chooses a line of the list.
    pub(super) fn choose_process(&mut self, at: usize) {
        if let Some(listing) = &mut self.listing {
            listing.chosen = listing.processes.get(at).map(|process| process.key);
        }
    }

    /// The stacks of the chosen process; one step back leads to the list again.
    pub(super) fn open_process(&mut self) {
        let Some((processes, at)) = self.listing() else { return };
        let Some(&Sampled { key, name, .. }) = processes.get(at) else { return };
        let mut trail = std::mem::take(&mut self.trail);
        trail.push((self.scope.clone(), self.title.clone()));
        self.listing = None;
        self.open(Scope::Process(key), &name.to_string());
        self.trail = trail;
    }

    /// Back to the list that this process was opened from. False if it was not.
    pub(super) fn go_back_to_listing(&mut self) -> bool {
        let Some((scope, title)) = self.trail.pop() else { return false };
        let trail = std::mem::take(&mut self.trail);
        let chosen = self.whose();
        self.reset(scope, title);
        self.trail = trail;
        self.listing = Some(Listing { chosen, processes: Vec::new() });
        true
    }
}

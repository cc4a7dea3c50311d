//! Where keys mean something.

use super::net::NetTable;
use super::view::View;

/// Where a key means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Wherever something that has passed is shown, before all others.
    Past,
    /// Everywhere.
    Anywhere,
    /// In every table.
    Tables,
    /// While a search is on.
    Searching,
    /// In tables of processes.
    Processes,
    /// In the Network view, whatever it shows.
    Network,
    /// In the table of sockets.
    Sockets,
    /// In the table of listeners.
    Listeners,
    /// In the table of remote addresses.
    Remotes,
    /// In the table of interfaces.
    Interfaces,
    /// In the table of control groups.
    Cgroups,
    /// In the stacks.
    Stacks,
    /// In the details of a process.
    Details,
}

impl Place {
    /// A key of a binding in this place takes that key from a binding in the other one, on some screen.
    pub fn hides(self, other: Place) -> bool {
        match other {
            _ if self == Place::Past => true,
            Place::Past => false,
            Place::Anywhere => true,
            Place::Tables => !matches!(self, Place::Stacks | Place::Details | Place::Anywhere),
            Place::Network => {
                matches!(self, Place::Network | Place::Searching | Place::Sockets | Place::Listeners | Place::Remotes | Place::Interfaces)
            }
            Place::Processes => matches!(self, Place::Processes | Place::Network | Place::Searching),
            _ => self == other || self == Place::Searching,
        }
    }

    /// The places that hold, for a screen: most specific first.
    pub fn of(view: View, sockets: bool, searching: bool) -> &'static [Place] {
        &Place::in_the_past(view, sockets, searching)[1..]
    }

    /// The same while something that has passed is shown: [`Place::Past`], and then those of now.
    pub fn in_the_past(view: View, sockets: bool, searching: bool) -> &'static [Place] {
        use Place::*;
        match (view, sockets, searching) {
            (View::Stacks, _, false) => &[Past, Stacks, Anywhere],
            (View::Stacks, _, true) => &[Past, Searching, Stacks, Anywhere],
            (View::Cgroups, _, false) => &[Past, Cgroups, Tables, Anywhere],
            (View::Cgroups, _, true) => &[Past, Searching, Cgroups, Tables, Anywhere],
            (View::Network, false, false) => &[Past, Network, Processes, Tables, Anywhere],
            (View::Network, false, true) => &[Past, Searching, Network, Processes, Tables, Anywhere],
            (_, false, false) => &[Past, Processes, Tables, Anywhere],
            (_, false, true) => &[Past, Searching, Processes, Tables, Anywhere],
            (_, true, false) => &[Past, Sockets, Network, Tables, Anywhere],
            (_, true, true) => &[Past, Searching, Sockets, Network, Tables, Anywhere],
        }
    }

    /// The places that hold together on each screen without a search.
    pub fn screens() -> Vec<&'static [Place]> {
        let views = View::ALL.into_iter().map(|view| Place::in_the_past(view, false, false));
        let tables = [NetTable::Sockets, NetTable::Listeners, NetTable::Remotes, NetTable::Interfaces];
        let tables = tables.into_iter().map(|table| table.places(false).unwrap_or(Place::in_the_past(View::Network, true, false)));
        let past: Vec<&'static [Place]> = views.chain(tables).collect();
        let now: Vec<_> = past.iter().map(|places| &places[1..]).collect();
        now.into_iter().chain(past).chain([&[Place::Details, Place::Anywhere][..]]).collect()
    }
}

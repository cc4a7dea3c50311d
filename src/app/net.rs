//! What the Network view shows in place of processes: sockets, listeners, remote addresses, interfaces.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::column::socket::TCP_LISTEN;
use super::column::{Columns, InterfaceColumn, InterfaceView, RemoteColumn, RemoteView, SocketColumn, SocketView, sets};
use super::keys::Place;
use super::lines::{LineKey, SocketKey};
use super::order::Entry;
use super::table::{List, Table};
use super::view::View;
use super::{App, SocketTable};
use crate::model::remotes::{self, Remote};
use crate::model::sockets::connections;
use crate::sample::{Comm, ProcKey, Socket, Wants};

/// A table of remote addresses.
pub type RemoteTable = Table<IpAddr, u32, RemoteColumn>;
/// A table of network interfaces.
pub type InterfaceTable = Table<Comm, u32, InterfaceColumn>;

/// The tables of the Network view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NetTable {
    /// Who talks.
    #[default]
    Processes,
    /// Over which connections.
    Sockets,
    /// Who waits to be accepted.
    Listeners,
    /// Who is at the other end.
    Remotes,
    /// By which wires.
    Interfaces,
}

impl NetTable {
    /// Its name.
    pub fn name(self) -> &'static str {
        ["processes", "sockets", "listeners", "remotes", "interfaces"][self as usize]
    }

    /// What must be collected for it.
    pub fn wants(self) -> Wants {
        Wants {
            sockets: matches!(self, NetTable::Sockets | NetTable::Listeners | NetTable::Remotes),
            interfaces: self == NetTable::Interfaces,
            ..Wants::NONE
        }
    }

    /// As [`Place::in_the_past`], where the places of processes and sockets do not hold.
    pub(super) fn places(self, searching: bool) -> Option<&'static [Place]> {
        use Place::*;
        Some(match (self, searching) {
            (NetTable::Processes | NetTable::Sockets, _) => return None,
            (NetTable::Listeners, false) => &[Past, Listeners, Network, Tables, Anywhere],
            (NetTable::Listeners, true) => &[Past, Searching, Listeners, Network, Tables, Anywhere],
            (NetTable::Remotes, false) => &[Past, Remotes, Network, Tables, Anywhere],
            (NetTable::Remotes, true) => &[Past, Searching, Remotes, Network, Tables, Anywhere],
            (NetTable::Interfaces, false) => &[Past, Interfaces, Network, Tables, Anywhere],
            (NetTable::Interfaces, true) => &[Past, Searching, Interfaces, Network, Tables, Anywhere],
        })
    }
}

/// Which sockets are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketScope {
    /// All.
    #[default]
    All,
    /// Those of a process.
    Of(ProcKey),
    /// Those that are connected to an address.
    With(IpAddr),
    /// The connections to a listener: its port, and its network namespace.
    To(u16, u32),
}

impl SocketScope {
    fn includes(self, socket: &Socket) -> bool {
        match self {
            SocketScope::All => true,
            SocketScope::Of(key) => socket.owner == Some(key),
            SocketScope::With(address) => socket.remote.ip() == address,
            SocketScope::To(port, netns) => socket.local.port() == port && socket.netns == netns && !is_listener(socket),
        }
    }

    /// Where one step back leads.
    pub(super) fn origin(self) -> NetTable {
        match self {
            SocketScope::All | SocketScope::Of(_) => NetTable::Processes,
            SocketScope::With(_) => NetTable::Remotes,
            SocketScope::To(..) => NetTable::Listeners,
        }
    }
}

/// Waits for connections.
pub fn is_listener(socket: &Socket) -> bool {
    socket.state == TCP_LISTEN && !socket.closed
}

/// The tables beside that of processes, and what they are made from.
#[derive(Clone, Debug)]
pub(super) struct NetView {
    pub(super) shows: NetTable,
    pub(super) scope: SocketScope,
    pub(super) sockets: SocketTable,
    pub(super) listeners: SocketTable,
    remotes: RemoteTable,
    interfaces: InterfaceTable,
    /// The lines of the remotes.
    found: Vec<Remote>,
    /// Connections by network namespace and port, where listeners are shown.
    connections: FxHashMap<(u32, u16), u32>,
}

impl NetView {
    pub(super) fn new(shows: NetTable) -> NetView {
        NetView {
            shows,
            scope: SocketScope::default(),
            sockets: SocketTable::new(sets::SOCKETS, SocketColumn::Rx),
            listeners: SocketTable::new(sets::LISTENERS, SocketColumn::BacklogUse),
            remotes: RemoteTable::new(sets::REMOTES, RemoteColumn::Rx),
            interfaces: InterfaceTable::new(sets::INTERFACES, InterfaceColumn::Rx),
            found: Vec::new(),
            connections: FxHashMap::default(),
        }
    }

    /// One of its tables; `None` for processes.
    pub(super) fn table(&mut self, table: NetTable) -> Option<&mut dyn List> {
        match table {
            NetTable::Processes => None,
            NetTable::Sockets => Some(&mut self.sockets),
            NetTable::Listeners => Some(&mut self.listeners),
            NetTable::Remotes => Some(&mut self.remotes),
            NetTable::Interfaces => Some(&mut self.interfaces),
        }
    }
}

impl App {
    /// What the Network view shows; [`NetTable::Processes`] in every other view.
    pub fn net_table(&self) -> NetTable {
        if self.view == View::Network { self.net.shows } else { NetTable::Processes }
    }

    /// Sockets stand in place of processes.
    pub fn shows_sockets(&self) -> bool {
        self.net_table() == NetTable::Sockets
    }

    /// Which sockets are listed.
    pub fn socket_scope(&self) -> SocketScope {
        self.net.scope
    }

    /// The table of sockets or listeners, if it is on screen.
    pub fn socket_table(&self) -> Option<&SocketTable> {
        match self.net_table() {
            NetTable::Sockets => Some(&self.net.sockets),
            NetTable::Listeners => Some(&self.net.listeners),
            _ => None,
        }
    }

    /// The table of remote addresses, if it is on screen.
    pub fn remote_table(&self) -> Option<&RemoteTable> {
        (self.net_table() == NetTable::Remotes).then_some(&self.net.remotes)
    }

    /// The table of network interfaces, if it is on screen.
    pub fn interface_table(&self) -> Option<&InterfaceTable> {
        (self.net_table() == NetTable::Interfaces).then_some(&self.net.interfaces)
    }

    /// Lines and selected line of the table on screen, if it is one of these.
    pub(super) fn net_lines(&self) -> Option<(usize, usize)> {
        let of_sockets = self.socket_table().map(|t| (t.lines.len(), t.cursor()));
        let of_remotes = || self.remote_table().map(|t| (t.lines.len(), t.cursor()));
        let of_interfaces = || self.interface_table().map(|t| (t.lines.len(), t.cursor()));
        of_sockets.or_else(of_remotes).or_else(of_interfaces)
    }

    /// What a line of the table of sockets or listeners shows.
    pub fn socket(&self, line: u32) -> Option<SocketView<'_>> {
        let row = self.model.sockets.get(line as usize)?;
        let socket = self.model.sample.sockets.get(row.socket as usize)?;
        let details = socket.owner.and_then(|key| self.details.get(key));
        let connections = is_listener(socket).then(|| self.net.connections.get(&(socket.netns, socket.local.port())).copied().unwrap_or(0));
        let users = Some(self.details.users());
        Some(SocketView { connections, users, ..SocketView::new(&self.model, row, details).with_paths(self.program_paths) })
    }

    /// What a line of the table of remotes shows.
    pub fn remote(&self, line: u32) -> Option<RemoteView<'_>> {
        self.net.found.get(line as usize).map(|remote| RemoteView::new(&self.model, *remote))
    }

    /// What a line of the table of interfaces shows.
    pub fn interface(&self, line: u32) -> Option<InterfaceView<'_>> {
        InterfaceView::new(&self.model, line as usize)
    }

    /// The words of a line of remotes or interfaces that a search may find.
    pub(super) fn net_names(&self, line: usize) -> Vec<String> {
        if let Some(table) = self.remote_table() {
            let remote = table.lines.get(line).and_then(|(_, line)| self.remote(*line));
            let by = |view: &RemoteView<'_>| view.task.map(|task| task.comm.to_string());
            return remote.map_or_else(Vec::new, |view| [Some(view.remote.address.to_string()), by(&view)].into_iter().flatten().collect());
        }
        let interface = self.interface_table().and_then(|table| table.lines.get(line)).and_then(|(_, line)| self.interface(*line));
        interface.map(|view| view.interface.name.clone()).into_iter().collect()
    }

    /// What was asked for has come.
    pub fn knows_net(&self) -> bool {
        match self.net_table() {
            NetTable::Interfaces => !self.model.sample.machine.interfaces.is_empty(),
            _ => !self.model.sample.sockets.is_empty(),
        }
    }

    /// The places whose keys hold in the table on screen, where those of processes and sockets do not.
    pub(super) fn net_places(&self) -> Option<&'static [Place]> {
        self.net_table().places(self.search.is_some())
    }

    /// Sorts and filters the table on screen anew, if it is one of these.
    pub(super) fn arrange_net(&mut self) {
        match self.net_table() {
            NetTable::Processes => {}
            NetTable::Sockets | NetTable::Listeners => self.arrange_sockets(),
            NetTable::Remotes => self.arrange_remotes(),
            NetTable::Interfaces => self.arrange_interfaces(),
        }
    }

    fn arrange_sockets(&mut self) {
        let listeners = self.net.shows == NetTable::Listeners;
        let scope = self.net.scope;
        let shown = |socket: &Socket| if listeners { is_listener(socket) } else { scope.includes(socket) };
        if listeners {
            self.net.connections = connections(&self.model.sample.sockets);
        }
        let sockets = &self.model.sample.sockets;
        let mut found: Vec<(SocketKey, u32)> = self
            .model
            .sockets
            .iter()
            .enumerate()
            .filter_map(|(i, row)| sockets.get(row.socket as usize).map(|socket| (socket, i as u32)))
            .filter(|(socket, _)| shown(socket) && self.cgroups.holds(socket))
            .map(|(socket, i)| (SocketKey { cookie: socket.cookie, owner: socket.owner }, i))
            .collect();
        found.sort_unstable_by_key(|(key, _)| *key);
        found.dedup_by_key(|(key, _)| *key);
        self.unfiltered = found.len();
        let table = if listeners { &mut self.net.listeners } else { &mut self.net.sockets };
        table.follow_owner(&found);
        let sort = table.sort;
        let views = found.into_iter().filter_map(|(key, line)| Some((key, line, self.socket(line)?)));
        let passing = views.filter(|(_, _, view)| self.filter.matches_socket(view));
        let entries: Vec<_> = passing.map(|(key, line, view)| Entry { key, line, value: sort.value(&view).into_owned() }).collect();
        let table = if listeners { &mut self.net.listeners } else { &mut self.net.sockets };
        table.arrange(&entries);
    }

    fn arrange_remotes(&mut self) {
        self.net.found = remotes::remotes(&self.model, |socket| self.cgroups.holds(socket));
        self.unfiltered = self.net.found.len();
        let sort = self.net.remotes.sort;
        let views = (0..).zip(&self.net.found).map(|(line, remote)| (line, RemoteView::new(&self.model, *remote)));
        let passing = views.filter(|(_, view)| self.filter.matches_remote(view));
        let entries: Vec<_> =
            passing.map(|(line, view)| Entry { key: view.remote.address, line, value: sort.value(&view).into_owned() }).collect();
        self.net.remotes.arrange(&entries);
    }

    fn arrange_interfaces(&mut self) {
        let count = self.model.sample.machine.interfaces.len();
        self.unfiltered = count;
        let sort = self.net.interfaces.sort;
        let views = (0..count).filter_map(|index| Some((index as u32, InterfaceView::new(&self.model, index)?)));
        let passing = views.filter(|(_, view)| self.filter.matches_interface(view));
        let mut entries: Vec<_> = passing
            .map(|(line, view)| Entry { key: Comm::new(view.interface.name.as_bytes()), line, value: sort.value(&view).into_owned() })
            .collect();
        entries.sort_by_key(|entry| entry.key);
        self.net.interfaces.arrange(&entries);
    }

    /// Shows a table of the Network view in place of what it shows now; the same once more goes back to processes.
    pub(super) fn show_net(&mut self, table: NetTable) {
        if self.net_table() == table {
            return self.leave_net();
        }
        if self.view != View::Network {
            self.enter_view(View::Network);
        }
        (self.net.shows, self.net.scope) = (table, SocketScope::All);
        self.begin_net_table();
    }

    /// One step back from a table of the Network view: to where its lines were chosen from, else to processes.
    pub(super) fn leave_net(&mut self) {
        let to = if self.shows_sockets() { self.net.scope.origin() } else { NetTable::Processes };
        let owner = match (self.socket_table().and_then(|t| t.current()), self.net.scope) {
            (Some((SocketKey { owner: Some(owner), .. }, _)), _) | (_, SocketScope::Of(owner)) => Some(owner),
            _ => None,
        };
        (self.net.shows, self.net.scope) = (to, SocketScope::All);
        self.search = None;
        if let (NetTable::Processes, Some(owner), Some(table)) = (to, owner, self.processes.get_mut(View::Network as usize)) {
            table.select(Some(LineKey::Process(owner)));
        }
        self.arrange();
    }

    /// From processes to sockets and back, keeping to the selected process; in Network to those of all.
    pub(super) fn toggle_sockets(&mut self) {
        if self.shows_sockets() {
            return self.leave_net();
        }
        let owner = match self.current_line() {
            _ if self.view == View::Network => None,
            Some((LineKey::Process(key), _)) => Some(key),
            _ if self.view == View::Stacks => self.stacks.whose(),
            _ => None,
        };
        self.show_sockets(owner.map_or(SocketScope::All, SocketScope::Of));
    }

    /// Some sockets.
    pub(super) fn show_sockets(&mut self, scope: SocketScope) {
        if self.view != View::Network {
            self.enter_view(View::Network);
        }
        (self.net.shows, self.net.scope) = (NetTable::Sockets, scope);
        self.net.sockets.select(None);
        self.net.sockets.offset = 0;
        self.begin_net_table();
    }

    fn begin_net_table(&mut self) {
        self.search = None;
        self.arrange();
    }

    /// Enter in one of these tables: what the line is made of.
    pub(super) fn enter_net(&mut self) {
        match self.net_table() {
            NetTable::Listeners => {
                let listener = self.net.listeners.current().and_then(|(_, line)| self.socket(line)).map(|view| view.socket);
                if let Some(scope) = listener.map(|socket| SocketScope::To(socket.local.port(), socket.netns)) {
                    self.show_sockets(scope);
                }
            }
            NetTable::Remotes => {
                if let Some((address, _)) = self.net.remotes.current() {
                    self.show_sockets(SocketScope::With(address));
                }
            }
            NetTable::Processes | NetTable::Sockets | NetTable::Interfaces => {}
        }
    }

    /// What the table shows, in words, for the breadcrumb; `None` for processes.
    pub(super) fn net_title(&self) -> Option<String> {
        let group = self.within().map(|path| format!(" of cgroup {path}"));
        let of = group.as_deref().unwrap_or_default();
        Some(match (self.net_table(), self.net.scope) {
            (NetTable::Processes, _) => return None,
            (NetTable::Sockets, SocketScope::All) => format!("sockets{}", group.as_deref().unwrap_or(" of all")),
            (NetTable::Sockets, SocketScope::Of(key)) => match self.model.find(key) {
                Some(row) => format!("sockets of {} ({})", self.model.task(row).comm, key.pid),
                None => format!("sockets of {}", key.pid),
            },
            (NetTable::Sockets, SocketScope::With(address)) => format!("remotes › sockets to {address}{of}"),
            (NetTable::Sockets, SocketScope::To(port, _)) => format!("listeners › connections to :{port}{of}"),
            (NetTable::Interfaces, _) => NetTable::Interfaces.name().into(),
            (table, _) => format!("{}{of}", table.name()),
        })
    }
}

//! Batch output of what the network consists of: sockets, listeners, remote addresses, interfaces.

use super::Batch;
use super::options::{OptionsError, column};
use crate::app::column::{self, Columns, InterfaceColumn, InterfaceView, RemoteColumn, RemoteView, SocketColumn, SocketView};
use crate::app::net::{NetTable, is_listener};
use crate::export::Report;
use crate::model::Model;
use crate::model::remotes::remotes;
use crate::model::sockets::{SocketRow, connections};

/// What each table is sorted by, and whether the largest come first.
#[derive(Clone, Copy, Debug)]
pub struct NetSort {
    /// Sockets and listeners.
    pub socket: (SocketColumn, bool),
    /// Remote addresses.
    pub remote: (RemoteColumn, bool),
    /// Interfaces.
    pub interface: (InterfaceColumn, bool),
}

impl NetSort {
    /// By the column of that name in the table, or by what it is sorted by unless told otherwise.
    pub(super) fn new(table: NetTable, name: Option<&str>) -> Result<NetSort, OptionsError> {
        let mut socket = if table == NetTable::Listeners { SocketColumn::BacklogUse } else { SocketColumn::Rx };
        let (mut remote, mut interface) = (RemoteColumn::Rx, InterfaceColumn::Rx);
        match (name, table) {
            (Some(name), NetTable::Sockets | NetTable::Listeners) => socket = column(name)?,
            (Some(name), NetTable::Remotes) => remote = column(name)?,
            (Some(name), NetTable::Interfaces) => interface = column(name)?,
            (_, NetTable::Processes) | (None, _) => {}
        }
        Ok(NetSort {
            socket: (socket, socket.descends()),
            remote: (remote, remote.descends()),
            interface: (interface, interface.descends()),
        })
    }
}

impl Batch<'_> {
    /// Puts what the view shows of the network into a report.
    pub(super) fn add_net<'m>(&'m self, model: &'m Model, report: &mut Report<'m>) {
        match self.options.shown.net {
            NetTable::Processes => {}
            NetTable::Sockets => report.sockets = Some(self.sockets(model, false)),
            NetTable::Listeners => report.listeners = Some(self.sockets(model, true)),
            NetTable::Remotes => report.remotes = Some(self.remotes(model)),
            NetTable::Interfaces => report.interfaces = Some(self.interfaces(model)),
        }
    }

    fn sockets<'m>(&'m self, model: &'m Model, listeners: bool) -> Vec<SocketView<'m>> {
        let connections = if listeners { connections(&model.sample.sockets) } else { Default::default() };
        let view = |row: &'m SocketRow| {
            let owner = model.sample.sockets.get(row.socket as usize).and_then(|s| s.owner);
            let view = SocketView::new(model, row, owner.and_then(|key| self.details_of(key)));
            let counted = connections.get(&(view.socket.netns, view.socket.local.port())).copied();
            SocketView { connections: listeners.then(|| counted.unwrap_or(0)), users: Some(&self.users), ..view }
        };
        let shown = model.sockets.iter().map(view).filter(|view| !listeners || is_listener(view.socket));
        let mut views: Vec<_> = shown.filter(|view| self.options.filter.matches_socket(view)).collect();
        let (by, descending) = self.options.net_sort.socket;
        column::sort(&mut views, by, descending);
        views
    }

    fn remotes<'m>(&'m self, model: &'m Model) -> Vec<RemoteView<'m>> {
        let views = remotes(model, |_| true).into_iter().map(|remote| RemoteView::new(model, remote));
        let mut views: Vec<_> = views.filter(|view| self.options.filter.matches_remote(view)).collect();
        let (by, descending) = self.options.net_sort.remote;
        column::sort(&mut views, by, descending);
        views
    }

    fn interfaces<'m>(&'m self, model: &'m Model) -> Vec<InterfaceView<'m>> {
        let views = (0..model.sample.machine.interfaces.len()).filter_map(|index| InterfaceView::new(model, index));
        let mut views: Vec<_> = views.filter(|view| self.options.filter.matches_interface(view)).collect();
        let (by, descending) = self.options.net_sort.interface;
        column::sort(&mut views, by, descending);
        views
    }
}

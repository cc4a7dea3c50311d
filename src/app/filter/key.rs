//! The names before the sign of a comparison: what each table calls so.

use super::complete::FilterOf;
use crate::app::column::{CgroupColumn, Column, Columns, InterfaceColumn, Kind, RemoteColumn, SocketColumn, Spec};
use crate::app::net::NetTable;

/// A column by name, in every table that has one of that name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Key {
    /// A name that means the same in all tables.
    pub(super) name: &'static str,
    pub(super) process: Option<Column>,
    pub(super) socket: Option<SocketColumn>,
    pub(super) remote: Option<RemoteColumn>,
    pub(super) interface: Option<InterfaceColumn>,
    pub(super) cgroup: Option<CgroupColumn>,
}

impl Key {
    /// What tables call so. It goes by the name of one of those columns if that is read back as the same; where another table calls
    /// something else so, by the name that was typed, as the column has it.
    pub(super) fn named(typed: &str) -> Option<Key> {
        let key = Key::nameless(typed);
        let first = key.spec()?.name;
        let means_the_same = |name: &&'static str| Key::nameless(name) == key;
        let of_columns = key.specs().map(|spec| spec.name).find(means_the_same);
        let name = of_columns.or_else(|| key.specs().flat_map(names).filter(|name| name.eq_ignore_ascii_case(typed)).find(means_the_same));
        Some(Key { name: name.unwrap_or(first), ..key })
    }

    fn nameless(name: &str) -> Key {
        let (process, socket) = (Column::named(name), SocketColumn::named(name));
        // By the name that is written, so that all names of a column mean the same.
        let written = process.map(|c| c.spec().name).or(socket.map(|c| c.spec().name)).unwrap_or(name);
        Key {
            name: "",
            process,
            socket,
            remote: RemoteColumn::named(name),
            interface: InterfaceColumn::named(name),
            cgroup: CgroupColumn::named(written),
        }
    }

    /// As a table has it.
    pub(super) fn spec_of(self, of: FilterOf) -> Option<&'static Spec> {
        match of {
            FilterOf::Net(NetTable::Processes) => self.process.map(Columns::spec),
            FilterOf::Net(NetTable::Sockets | NetTable::Listeners) => self.socket.map(Columns::spec),
            FilterOf::Net(NetTable::Remotes) => self.remote.map(Columns::spec),
            FilterOf::Net(NetTable::Interfaces) => self.interface.map(Columns::spec),
            FilterOf::Cgroups => self.cgroup.map(Columns::spec),
        }
    }

    /// Whether a table has it; sockets also tell where their owner runs.
    pub(super) fn is_of(self, of: FilterOf) -> bool {
        let of_owner = matches!(of, FilterOf::Net(NetTable::Sockets | NetTable::Listeners)) && self.process.is_some();
        of_owner || self.spec_of(of).is_some()
    }

    pub(super) fn is_number(self) -> bool {
        self.spec().is_some_and(|spec| spec.kind != Kind::Words)
    }

    /// Which end of a socket it is the address of.
    pub(super) fn side(self) -> Option<Side> {
        match self.socket {
            Some(SocketColumn::Local) => Some(Side::Local),
            Some(SocketColumn::Remote) => Some(Side::Remote),
            _ => None,
        }
    }

    pub(super) fn is_command(self) -> bool {
        self.process == Some(Column::Command)
    }

    pub(super) fn is_container(self) -> bool {
        self.process == Some(Column::Container)
    }

    /// Of each table that has it.
    fn specs(self) -> impl Iterator<Item = &'static Spec> {
        let of_processes = [self.process.map(Columns::spec), self.socket.map(Columns::spec)];
        let of_others = [self.remote.map(Columns::spec), self.interface.map(Columns::spec), self.cgroup.map(Columns::spec)];
        of_processes.into_iter().chain(of_others).flatten()
    }

    fn spec(self) -> Option<&'static Spec> {
        self.specs().next()
    }

    /// What it holds in each table that has it.
    pub(super) fn kinds(self) -> Vec<Kind> {
        self.specs().map(|spec| spec.kind).collect()
    }
}

/// Everything that a column can be called.
fn names(spec: &'static Spec) -> impl Iterator<Item = &'static str> {
    [spec.name, spec.title].into_iter().chain(spec.aliases.iter().chain(spec.fields).copied())
}

/// An end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Local,
    Remote,
}

impl Side {
    pub(super) fn name(self) -> &'static str {
        ["local", "remote"][self as usize]
    }
}

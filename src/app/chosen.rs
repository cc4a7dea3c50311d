//! Columns that somebody chose for a table. Tables of all kinds are chosen in, saved and read alike, so columns go by their names here.

use super::App;
use super::column::{CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, SocketColumn};
use super::look::Look;
use super::net::NetTable;
use super::table::List;
use super::view::{Shown, View};

/// The columns of one table, by their names, in order; the one that takes the rest of the width is not among them.
pub type Names = Vec<&'static str>;

impl Look {
    /// The columns that somebody chose for a table.
    pub fn columns_of(&self, shown: Shown) -> Option<&[&'static str]> {
        self.columns.iter().find(|(of, _)| *of == shown).map(|(_, names)| names.as_slice())
    }

    /// Chooses others.
    pub fn choose_columns(&mut self, shown: Shown, names: Names) {
        self.columns.retain(|(of, _)| *of != shown);
        self.columns.push((shown, names));
    }
}

impl Shown {
    /// The tables whose columns can be chosen, in the order of their tabs.
    pub fn with_columns() -> impl Iterator<Item = Shown> {
        Shown::ALL.into_iter().filter(|shown| shown.view != View::Stacks)
    }

    /// How a column of its table is called, by any of its names; the inner one is `None` for the column that always stands last.
    pub fn column(self, name: &str) -> Option<Option<&'static str>> {
        fn find<C: Columns>(name: &str) -> Option<Option<&'static str>> {
            C::named(name).map(|column| (!column.takes_the_rest()).then_some(column.spec().name))
        }
        match (self.view, self.net) {
            (View::Stacks, _) => None,
            (View::Cgroups, _) => find::<CgroupColumn>(name),
            (_, NetTable::Processes) => find::<Column>(name),
            (_, NetTable::Sockets | NetTable::Listeners) => find::<SocketColumn>(name),
            (_, NetTable::Remotes) => find::<RemoteColumn>(name),
            (_, NetTable::Interfaces) => find::<InterfaceColumn>(name),
        }
    }
}

impl App {
    /// The view on screen, with its table.
    pub fn shown(&self) -> Shown {
        Shown { view: self.view(), net: self.net_table() }
    }

    /// A table, whatever its lines are; Stacks has none.
    pub(super) fn table(&mut self, shown: Shown) -> Option<&mut dyn List> {
        match (shown.view, shown.net) {
            (View::Stacks, _) => None,
            (View::Cgroups, _) => Some(&mut self.cgroups.table),
            (view, NetTable::Processes) => self.processes.get_mut(view as usize).map(|table| table as &mut dyn List),
            (_, net) => self.net.table(net),
        }
    }

    /// Gives the tables the columns that were chosen.
    pub(super) fn apply_columns(&mut self) {
        for shown in Shown::with_columns() {
            let names = self.look.columns_of(shown).map(<[_]>::to_vec);
            if let Some(table) = self.table(shown) {
                table.choose(names.as_deref());
            }
        }
    }
}

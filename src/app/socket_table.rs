//! The selection in a table of sockets stays with its socket.

use super::SocketTable;
use super::lines::SocketKey;

impl SocketTable {
    /// Whose an idle socket is, is a guess: where somebody else turned out to be, that line is selected. `found` are all lines there are
    /// before the filter, ascending by key.
    pub(super) fn follow_owner(&mut self, found: &[(SocketKey, u32)]) {
        let Some(selected) = self.selected() else { return };
        if found.binary_search_by_key(&selected, |(key, _)| *key).is_ok() {
            return;
        }
        let first = found.partition_point(|(key, _)| key.cookie < selected.cookie);
        if let Some((heir, _)) = found.get(first).filter(|(key, _)| key.cookie == selected.cookie) {
            self.select(Some(*heir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::column::{SocketColumn, Value, sets};
    use crate::app::order::Entry;
    use crate::app::table::Table;
    use crate::sample::ProcKey;

    fn key(cookie: u64, pid: u32) -> SocketKey {
        SocketKey { cookie, owner: (pid > 0).then_some(ProcKey { pid, start_ns: 1 }) }
    }

    #[test]
    fn the_selection_follows_the_socket_to_its_next_owner() {
        let mut table: SocketTable = Table::new(sets::SOCKETS, SocketColumn::Local);
        let mut show = |found: &[SocketKey], choose: Option<SocketKey>| {
            let found: Vec<_> = found.iter().map(|key| (*key, 0)).collect();
            if choose.is_some() {
                table.select(choose);
            }
            table.follow_owner(&found);
            let entries: Vec<_> = found.iter().map(|&(key, line)| Entry { key, line, value: Value::Exact(0) }).collect();
            table.arrange(&entries);
            table.selected()
        };
        assert_eq!(show(&[key(1, 0), key(2, 0), key(3, 7)], Some(key(2, 0))), Some(key(2, 0)));
        assert_eq!(show(&[key(1, 0), key(2, 8), key(3, 7)], None), Some(key(2, 8)), "somebody moved the first bytes");
        assert_eq!(show(&[key(1, 0), key(2, 7), key(2, 8), key(3, 7)], None), Some(key(2, 8)), "its own line is there");
        assert_eq!(show(&[key(1, 0), key(3, 7)], None), Some(key(3, 7)), "closed: the neighbour");
    }
}

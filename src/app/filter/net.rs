//! What a filter can ask of lines without a process of their own: remote addresses and network interfaces.

use std::net::SocketAddr;

use super::key::Key;
use super::operand::Pattern;
use super::term::Subject;
use crate::app::column::{Columns, InterfaceColumn, InterfaceView, RemoteColumn, RemoteView, Value};

impl Subject for RemoteView<'_> {
    fn has_text(&self, pattern: &Pattern) -> bool {
        matches!(RemoteColumn::Command.value(self), Value::Text(address) if pattern.is_in(&address)) || self.has_name(pattern)
    }

    fn has_name(&self, pattern: &Pattern) -> bool {
        self.task.is_some_and(|task| pattern.is_in(&task.comm.to_string()))
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.remote.map_or(Value::Unknown, |column| column.value(self))
    }

    fn uid(&self) -> Option<u32> {
        self.task.map(|task| task.uid)
    }

    fn ends(&self) -> [Option<SocketAddr>; 2] {
        [None, Some(SocketAddr::new(self.remote.address, 0))]
    }

    fn is_exited(&self) -> bool {
        self.remote.sockets == 0
    }

    fn is_kernel_thread(&self) -> bool {
        self.task.is_some_and(|task| task.kernel_thread)
    }
}

impl Subject for InterfaceView<'_> {
    fn has_name(&self, pattern: &Pattern) -> bool {
        pattern.is_in(&self.interface.name)
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.interface.map_or(Value::Unknown, |column: InterfaceColumn| column.value(self))
    }
}

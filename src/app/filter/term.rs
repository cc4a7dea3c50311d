//! One condition of a filter, and what it can be asked of.

use std::fmt;
use std::net::SocketAddr;

use ipnet::IpNet;

use super::complete::FilterOf;
use super::key::{Key, Side};
use super::operand::{Likeness, Number, Order, Pattern};
use crate::app::column::{CgroupView, Column, Columns, RowView, SocketColumn, SocketView, Spec, Value};
use crate::app::net::NetTable;
use crate::sample::cgroup_path;

/// What a condition is checked against: a line of a table.
pub(super) trait Subject {
    /// A bare word is found.
    fn has_text(&self, pattern: &Pattern) -> bool {
        self.has_name(pattern)
    }
    /// The pattern is found in the command line or the name of the process.
    fn has_name(&self, pattern: &Pattern) -> bool;
    /// The value of a column; [`Value::Unknown`] where the table has no such column.
    fn value(&self, key: Key) -> Value<'_>;
    /// The pattern is found in the id of its container.
    fn has_container_id(&self, _pattern: &Pattern) -> bool {
        false
    }
    /// The real user of a process.
    fn uid(&self) -> Option<u32> {
        None
    }
    /// Local and remote address, of what has them.
    fn ends(&self) -> [Option<SocketAddr>; 2] {
        [None; 2]
    }
    fn is_exited(&self) -> bool {
        false
    }
    fn is_kernel_thread(&self) -> bool {
        false
    }
}

impl Subject for RowView<'_> {
    fn has_name(&self, pattern: &Pattern) -> bool {
        pattern.is_in(&self.command()) || self.task().is_some_and(|t| pattern.is_in(&t.comm.to_string()))
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.process.map_or(Value::Unknown, |c| c.value(self))
    }

    fn has_container_id(&self, pattern: &Pattern) -> bool {
        self.container().is_some_and(|container| pattern.is_in(&container.id))
    }

    fn uid(&self) -> Option<u32> {
        self.task().map(|task| task.uid)
    }

    fn is_exited(&self) -> bool {
        RowView::is_exited(self)
    }

    fn is_kernel_thread(&self) -> bool {
        RowView::is_kernel_thread(self)
    }
}

impl Subject for SocketView<'_> {
    fn has_text(&self, pattern: &Pattern) -> bool {
        let finds = |column: SocketColumn| matches!(column.value(self), Value::Text(text) if pattern.is_in(&text));
        finds(SocketColumn::Local) || finds(SocketColumn::Remote) || self.has_name(pattern)
    }

    fn has_name(&self, pattern: &Pattern) -> bool {
        matches!(self.command(), Value::Text(text) if pattern.is_in(&text)) || self.task.is_some_and(|t| pattern.is_in(&t.comm.to_string()))
    }

    fn value(&self, key: Key) -> Value<'_> {
        match (key.socket, key.process) {
            (Some(column), _) => column.value(self),
            (None, Some(column)) => self.of_owner(column),
            (None, None) => Value::Unknown,
        }
    }

    fn has_container_id(&self, pattern: &Pattern) -> bool {
        self.details.and_then(|d| d.container.as_deref()).is_some_and(|container| pattern.is_in(&container.id))
    }

    fn uid(&self) -> Option<u32> {
        self.task.map(|task| task.uid)
    }

    fn ends(&self) -> [Option<SocketAddr>; 2] {
        [Some(self.socket.local), Some(self.socket.remote)]
    }

    fn is_exited(&self) -> bool {
        self.socket.closed
    }

    fn is_kernel_thread(&self) -> bool {
        self.task.is_some_and(|t| t.kernel_thread)
    }
}

impl Subject for CgroupView<'_> {
    fn has_name(&self, pattern: &Pattern) -> bool {
        pattern.is_in(&self.group.path)
    }

    fn value(&self, key: Key) -> Value<'_> {
        key.cgroup.map_or(Value::Unknown, |c| c.value(self))
    }

    fn has_container_id(&self, pattern: &Pattern) -> bool {
        cgroup_path::container(&self.group.path).is_some_and(|(_, id)| pattern.is_in(id))
    }
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// A bare word.
    Text(Pattern),
    /// A column of numbers against a number.
    Number(Key, Order, Number),
    /// A column of words against words.
    Words(Key, Pattern),
    /// The real user of a process, by number: known of the exited, too, whose names nobody looked up.
    Uid(u32),
    /// Either port of a socket.
    Port(u16),
    /// An address of a socket, in a network or (false) outside.
    Network(Side, bool, IpNet),
    Exited,
    KernelThread,
}

impl Term {
    pub(super) fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Term::Text(pattern) => subject.has_text(pattern),
            Term::Words(key, pattern) => match subject.value(*key) {
                Value::Unknown => false,
                _ if key.is_command() && subject.has_name(pattern) => pattern.likeness != Likeness::Differs,
                _ if key.is_container() && subject.has_container_id(pattern) => pattern.likeness != Likeness::Differs,
                Value::Text(text) => pattern.is_in(&text) != (pattern.likeness == Likeness::Differs),
                Value::Pids(_, inner) => pattern.is_in(&inner.to_string()) != (pattern.likeness == Likeness::Differs),
                _ => false,
            },
            Term::Number(key, order, number) => {
                let value = subject.value(*key);
                value.number().zip(number.in_units_of(&value)).is_some_and(|(a, b)| order.holds(a, b))
            }
            Term::Uid(uid) => subject.uid() == Some(*uid),
            Term::Port(port) => subject.ends().iter().flatten().any(|end| end.port() == *port),
            Term::Network(side, is_in, network) => {
                subject.ends()[*side as usize].is_some_and(|end| network.contains(&end.ip().to_canonical()) == *is_in)
            }
            Term::Exited => subject.is_exited(),
            Term::KernelThread => subject.is_kernel_thread(),
        }
    }

    /// Whose processes it asks for, where that is a name: `user=www`, `user:www`.
    pub(super) fn asks_user(&self) -> Option<&Pattern> {
        let Term::Words(Key { process: Some(Column::User), .. }, pattern) = self else { return None };
        let is_name = !pattern.text.is_empty() && !pattern.text.bytes().all(|b| b.is_ascii_digit());
        (is_name && matches!(pattern.likeness, Likeness::Equals | Likeness::Contains)).then_some(pattern)
    }

    /// The column of a table that it reads.
    pub(super) fn spec(&self, of: FilterOf) -> Option<&'static Spec> {
        match self {
            Term::Words(key, _) | Term::Number(key, ..) => key.spec_of(of),
            _ => None,
        }
    }

    /// What it reads, where a table has nothing of the kind.
    pub(super) fn foreign(&self, of: FilterOf) -> Option<&'static str> {
        let has_processes = matches!(of, FilterOf::Net(NetTable::Processes | NetTable::Sockets | NetTable::Listeners));
        match self {
            Term::Words(key, _) | Term::Number(key, ..) => (!key.is_of(of)).then_some(key.name),
            Term::Uid(_) => (!has_processes && of != FilterOf::Net(NetTable::Remotes)).then_some("uid"),
            Term::KernelThread => (!has_processes).then_some("kthread"),
            Term::Text(_) | Term::Exited | Term::Port(_) | Term::Network(..) => None,
        }
    }

    pub(super) fn needs_details(&self) -> bool {
        matches!(self, Term::Text(_) | Term::Words(..))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Text(pattern) => write_word(f, &pattern.text),
            Term::Number(key, order, number) => write!(f, "{}{}{}", key.name, order.sign(), number.text),
            Term::Words(key, pattern) => {
                write!(f, "{}{}", key.name, pattern.likeness.sign())?;
                write_word(f, &pattern.text)
            }
            Term::Uid(uid) => write!(f, "uid={uid}"),
            Term::Port(port) => write!(f, "port={port}"),
            Term::Network(side, true, network) => write!(f, "{}:{network}", side.name()),
            Term::Network(side, false, network) => write!(f, "{}!={network}", side.name()),
            Term::Exited => f.write_str("exited"),
            Term::KernelThread => f.write_str("kthread"),
        }
    }
}

/// Words that mean something else when they stand bare.
pub(super) const KEYWORDS: [&str; 5] = ["and", "or", "not", "exited", "kthread"];

/// Writes a word bare where it reads back as itself, else quoted.
fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || "-_./@*".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !KEYWORDS.contains(&word) {
        return f.write_str(word);
    }
    f.write_str(&quote(word))
}

/// A word as it stands in a filter whatever is in it.
pub fn quote(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

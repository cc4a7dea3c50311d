//! What a tick looks like outside the terminal: text, JSON and CSV, as pure functions of the model.

pub mod csv;
pub mod field;
pub mod json;
pub mod stack;
pub mod text;

use crate::app::column::{RowView, SocketView};
use crate::model::Model;

/// One tick, sorted and filtered, ready to be written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Where it comes from.
    pub model: &'a Model,
    /// Live processes.
    pub live: Vec<RowView<'a>>,
    /// Exited processes, one by one.
    pub exited: Vec<RowView<'a>>,
    /// Live processes and exited ones folded by command, in one order: what text shows.
    pub mixed: Vec<RowView<'a>>,
    /// Sockets, if asked for.
    pub sockets: Option<Vec<SocketView<'a>>>,
    /// Stacks, if asked for.
    pub stacks: Option<Vec<stack::NamedStack>>,
}

impl<'a> Report<'a> {
    /// A report without rows.
    pub fn empty(model: &'a Model) -> Self {
        Report { model, live: Vec::new(), exited: Vec::new(), mixed: Vec::new(), sockets: None, stacks: None }
    }
}

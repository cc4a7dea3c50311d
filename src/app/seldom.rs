//! Columns that many machines have nothing for: those of systemd units, containers, pods and pid namespaces. They stay away until some
//! process has one, so that they take no room where all their cells would be blank.

use super::column::Column;
use crate::sample::{Details, cgroup_path};

const SELDOM: [Column; 4] = [Column::InnerPid, Column::Unit, Column::Container, Column::Pod];

/// What no process had so far.
#[derive(Clone, Debug)]
pub struct Seldom(Vec<Column>);

impl Default for Seldom {
    fn default() -> Self {
        Seldom(SELDOM.to_vec())
    }
}

impl Seldom {
    /// Looks at what one process has.
    pub fn learn(&mut self, details: &Details) {
        self.0.retain(|column| !has(details, *column));
    }

    /// Columns that no process had anything for so far.
    pub fn absent(&self) -> &[Column] {
        &self.0
    }
}

fn has(details: &Details, column: Column) -> bool {
    match column {
        Column::InnerPid => details.inner_pid.is_some(),
        Column::Unit => details.cgroup.as_deref().and_then(cgroup_path::unit).is_some(),
        Column::Container => details.container.is_some(),
        Column::Pod => details.container.as_deref().is_some_and(|container| container.pod_title().is_some()),
        _ => true,
    }
}

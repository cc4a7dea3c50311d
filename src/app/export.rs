//! The table on screen as a file: its lines in their order, its columns, in the forms of batch output.

use std::path::Path;

use super::column::{Columns, RowView};
use super::lines::LineKey;
use super::net::NetTable;
use super::prompt::Prompt;
use super::view::View;
use super::{App, Content, Effect, Writing, act, table_width};
use crate::batch::{BatchOptions, Format};
use crate::export::Report;

/// What a name ends in, and the form that it means.
const FORMS: [(&str, Format); 3] = [("csv", Format::Csv), ("txt", Format::Text), ("json", Format::Json)];

impl App {
    /// The name that a file with what is on screen might have.
    pub(super) fn file_to_write(&self) -> String {
        match self.view() {
            View::Stacks => format!("{}.svg", act::file_name(self.stacks().title())),
            _ => format!("{}.csv", act::file_name(&format!("{} {} {}", self.machine().host, self.shown().name(), self.date()))),
        }
    }

    /// Writes what is on screen to a file of that name.
    pub(super) fn export(&mut self, prompt: Prompt, effects: &mut Vec<Effect>) {
        let path = prompt.text().into();
        let content = match self.view() {
            View::Stacks => self.stacks_to_write(),
            _ => match self.table_to_write(Path::new(prompt.text())) {
                Ok(table) => Content::Table(table),
                Err(error) => return self.prompt = Some(prompt.with_error(error)),
            },
        };
        match content.is_empty() {
            true => self.say("Nothing to write: there is nothing in view".into()),
            false => effects.push(Effect::Write(Box::new(Writing { path, content }))),
        }
    }

    /// The stacks in view.
    fn stacks_to_write(&self) -> Content {
        let history = self.held_history.as_ref().unwrap_or(&self.history);
        Content::Stacks(self.stacks.profile(history, &self.names, self.model.sample.unix_ms))
    }

    /// The table as text in the form that the name says: nothing where there are no lines.
    fn table_to_write(&self, path: &Path) -> Result<Vec<u8>, String> {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let form = FORMS.into_iter().find(|(known, _)| end.eq_ignore_ascii_case(known));
        let (_, format) = form.ok_or("end it in .csv (raw units), .json (the same) or .txt (as on the screen)")?;
        let mut table = Vec::new();
        if self.line_count() > 0 && self.model.elapsed_ns > 0 {
            let options = BatchOptions::new(format, self.shown(), &self.names_of_columns(), None).map_err(|error| error.to_string())?;
            let mut writer = options.writer;
            writer.write(&self.report(), &mut table).map_err(|error| error.to_string())?;
        }
        Ok(table)
    }

    /// The columns that are on screen.
    fn names_of_columns(&self) -> Vec<String> {
        fn names<C: Columns>(columns: Vec<C>) -> Vec<String> {
            columns.into_iter().map(|column| column.spec().name.to_owned()).collect()
        }
        let width = self.layout().map_or(0, |layout| table_width(&layout));
        let of_processes = self.process_table().map(|table| names(table.columns(width)));
        let of_sockets = || self.socket_table().map(|table| names(table.columns(width)));
        let of_remotes = || self.remote_table().map(|table| names(table.columns(width)));
        let of_interfaces = || self.interface_table().map(|table| names(table.columns(width)));
        let of_cgroups = || self.cgroup_table().map(|table| names(table.columns(width)));
        of_processes.or_else(of_sockets).or_else(of_remotes).or_else(of_interfaces).or_else(of_cgroups).unwrap_or_default()
    }

    /// The lines of the table.
    fn report(&self) -> Report<'_> {
        let model = self.model();
        let mut report = Report::empty(model);
        if let Some(table) = self.process_table() {
            report.mixed = table.lines.iter().filter_map(|(_, line)| self.row(*line)).collect();
            report.live = report.mixed.iter().filter(|row| row.running().is_some()).copied().collect();
            if table.lines.iter().any(|(key, _)| *key == LineKey::Exited) {
                report.exited = self.exited_that_pass();
            }
        }
        let sockets = self.socket_table().map(|table| table.lines.iter().filter_map(|(_, line)| self.socket(*line)).collect());
        report.sockets = sockets;
        report.listeners = report.sockets.take_if(|_| self.net_table() == NetTable::Listeners);
        report.remotes = self.remote_table().map(|table| table.lines.iter().filter_map(|(_, line)| self.remote(*line)).collect());
        report.interfaces = self.interface_table().map(|table| table.lines.iter().filter_map(|(_, line)| self.interface(*line)).collect());
        report.cgroups = self.cgroup_table().map(|table| table.lines.iter().filter_map(|(_, line)| self.cgroup(*line)).collect());
        report.disks = self.view() == View::Disk;
        report
    }

    /// Those that ended within the tick, one by one.
    fn exited_that_pass(&self) -> Vec<RowView<'_>> {
        let view = |departed| {
            let row = RowView::departed(&self.model, departed);
            row.with_details(self.details.get(departed.exit.task.key)).with_users(self.details.users())
        };
        let inside = self.model.departed.iter().filter(|departed| !self.is_outside(departed.exit.task.key));
        inside.map(view).filter(|row| self.filter.matches(row)).collect()
    }
}

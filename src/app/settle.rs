//! After every event: windows follow, and others are asked for what the screen lacks.

use super::column::Columns;
use super::view::View;
use super::{App, Effect, column, table_width};
use crate::model::stacks::Scope;
use crate::sample::{Command, Wants, Watch, Watched};

/// Looks at what was not read so far, soon after the wish: the first has no rates.
const LOOKS: u32 = 2;

impl App {
    /// Brings what depends on everything else up to date, and asks others for what is missing.
    pub(super) fn settle(&mut self, effects: &mut Vec<Effect>) {
        let height = self.layout().map_or(1, |l| usize::from(l.body.height.max(1)));
        let canvas = self.layout().map(|l| l.canvas());
        if let Some(list) = self.list() {
            list.follow(height);
        }
        if let Some((menu, canvas)) = self.menu.as_mut().zip(canvas) {
            menu.follow(canvas);
        }
        if self.view == View::Stacks {
            let history = self.held_history.as_ref().unwrap_or(&self.history);
            effects.extend(self.stacks.refresh(history, &mut self.names).into_iter().map(Effect::Request));
        }
        self.hold_recording(effects);
        let wants = self.wants_now();
        if wants != self.wants {
            // Whoever has long ticks should not wait for it.
            let soon = (wants.with(self.wants) != self.wants).then_some(Effect::Command(Command::SamplesApart(LOOKS)));
            self.wants = wants;
            effects.push(Effect::Command(Command::Want(wants)));
            effects.extend(soon);
        }
        let watch = self.watch_now();
        if watch != self.watch {
            if let Some(watch) = watch.as_ref().filter(|watch| watch.starts_anew(self.watch.as_ref())) {
                self.history.probe_begins(watch.probe);
            }
            self.watch.clone_from(&watch);
            effects.push(Effect::Command(Command::Watch(watch)));
        }
        let looked_at = self.looked_at();
        if looked_at.iter().any(|key| !self.prepared.contains(key)) {
            effects.push(Effect::Command(Command::Prepare(looked_at.clone())));
        }
        self.prepared = looked_at;
        self.ask_for_pane(effects);
        let missing = self.missing_details(height);
        if !missing.is_empty() {
            effects.push(Effect::Command(Command::Details(missing)));
        }
    }

    fn wants_now(&self) -> Wants {
        let width = self.layout().map(|layout| table_width(&layout));
        let of_columns = match (width, self.process_table(), self.cgroup_table()) {
            (Some(width), Some(table), _) => {
                let wants = column::wants(&table.columns(width)).with(table.sort.spec().wants);
                Wants { threads: self.shows_threads, ..wants }
            }
            (Some(width), _, Some(table)) => column::wants(&table.columns(width)).with(table.sort.spec().wants),
            _ => self.net_table().wants(),
        };
        // Stacks are not filtered by what their processes did.
        let of_filter = if self.view == View::Stacks { vec![] } else { self.filter.specs(self.filter_of()) };
        let wants = of_columns.with(column::wants_of(of_filter.into_iter()));
        let recording = self.is_recording();
        let cgroups = recording || self.view == View::Cgroups || self.within().is_some();
        Wants { cgroups, cgroup_memory: wants.cgroup_memory || recording, ..wants }
    }

    /// The probe that the Stacks view needs, while it is on screen.
    fn watch_now(&self) -> Option<Watch> {
        let probe = self.stacks.measure().probe().filter(|_| self.view == View::Stacks)?;
        let who = match self.stacks.scope() {
            Scope::Machine => Watched::Everyone,
            Scope::Process(key) => Watched::One(*key),
            Scope::Set(keys) => Watched::Family(keys.iter().copied().collect()),
            Scope::Cgroup(_) => Watched::Family(self.looked_at().into()),
        };
        Some(Watch { probe, who })
    }
}

//! Dialogs that change processes. Their targets are fixed when they open, whatever the rows do below; `control` does the rest.

use super::chosen::Names;
use super::keys::Action;
use super::look::Look;
use super::menu::{Item, Menu};
use super::{App, Effect};
use crate::control::{Change, Errand, IoPriority, Outcome, Question, Setting, Target, signals};
use crate::sample::{ProcKey, printable};

/// How many targets a dialog names.
const NAMED: usize = 3;

/// What a list is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A signal for these.
    Signal(Vec<Target>),
    /// A nice value for these.
    Nice(Vec<Target>),
    /// An I/O priority for these.
    Io(Vec<Target>),
    /// CPUs for these: the numbers of those that are offered, in the order of the items.
    Cpus(Vec<Target>, Vec<u32>),
    /// What lines are grouped by.
    Group,
    /// What lines are sorted by.
    Sort,
    /// Whose processes are shown: filters, in the order of the items.
    User(Vec<String>),
    /// What to do: actions, in the order of the items.
    Palette(Vec<Action>),
    /// Parts of the setup.
    Setup,
    /// Colours; with what was chosen before.
    Theme(Look),
    /// Units; with what was chosen before.
    Units(Look),
    /// Size of the header; with what was chosen before.
    Header(Look),
    /// Columns, in the order of the items; with what was chosen before.
    Columns(Look, Names),
}

/// The nice values, in the order of the dialog.
fn nice_values() -> impl Iterator<Item = i8> {
    -20..=19
}

impl App {
    /// Opens the list of signals.
    pub(super) fn ask_signal(&mut self) {
        let Some(targets) = self.targets() else { return };
        let items = signals::ALL.iter().map(|s| Item::new(format!("{:>2} {}", s.number, s.name), s.meaning)).collect();
        let first = signals::ALL.iter().position(|s| s.number == signals::TERM).unwrap_or(0);
        let menu = Menu::new(Topic::Signal(targets.clone()), "Send a signal", items, first);
        self.open_for(menu, "send", &targets);
    }

    /// Opens the list of nice values, a step from where the first target is.
    pub(super) fn ask_nice(&mut self, step: i8) {
        let Some(targets) = self.targets() else { return };
        let now = targets.first().and_then(|t| self.model.find(t.key)).map_or(0, |row| self.model.task(row).nice);
        let note = |nice: i8| match nice {
            _ if nice == now => "now",
            -20 => "favoured most; below 0 is for root",
            0 => "as everybody",
            19 => "only what others leave",
            _ => "",
        };
        let items = nice_values().map(|nice| Item::new(format!("{nice:>3}"), note(nice))).collect();
        let first = nice_values().position(|nice| nice == now.saturating_add(step).clamp(-20, 19)).unwrap_or(0);
        let menu = Menu::new(Topic::Nice(targets.clone()), "Nice value", items, first);
        self.open_for(menu, "set", &targets);
    }

    /// Has the kernel asked how the first target is set; the dialog opens with the answer.
    pub(super) fn ask_setting(&mut self, question: Question, effects: &mut Vec<Effect>) {
        if let Some(targets) = self.targets() {
            effects.push(Effect::Errand(Errand::Look(question, targets)));
        }
    }

    /// An errand was run.
    pub(super) fn hear(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Changed(report) => self.say(report.to_string()),
            Outcome::Unseen(why) => self.say(why),
            Outcome::Seen(Setting::Io(now), targets) => {
                let note = |p: IoPriority| match p {
                    _ if p == now => "now",
                    IoPriority::ByNice => "best effort, the level follows the nice value",
                    IoPriority::Realtime(0) => "before all others; for root",
                    IoPriority::Idle => "only when nobody else wants the disk",
                    _ => "",
                };
                let items = IoPriority::all().map(|p| Item::new(p.to_string(), note(p))).collect();
                let first = IoPriority::all().position(|p| p == now).unwrap_or(0);
                let menu = Menu::new(Topic::Io(targets.clone()), "I/O priority", items, first);
                self.open_for(menu, "set", &targets);
            }
            Outcome::Seen(Setting::Cpus(allowed), targets) => {
                let item = |cpu: u32| Item { is_checked: allowed.contains(&cpu), ..Item::new(format!("CPU {cpu}"), "") };
                let cpus: Vec<u32> = self.machine().cpus.iter().map(|(cpu, _)| *cpu).collect();
                let items = cpus.iter().copied().map(item).collect();
                let mut menu = Menu::new(Topic::Cpus(targets.clone(), cpus), "CPUs it may run on", items, 0);
                menu.is_checklist = true;
                self.open_for(menu, "set", &targets);
            }
        }
    }

    fn open_for(&mut self, mut menu: Menu, verb: &'static str, targets: &[Target]) {
        menu.verb = verb;
        menu.about = self.about(targets);
        self.menu = Some(menu);
    }

    /// Whom a dialog is about.
    fn about(&self, targets: &[Target]) -> Vec<String> {
        let line = |target: &Target| match self.details.get(target.key).map(|d| d.cmdline.as_str()) {
            Some(cmdline) if !cmdline.is_empty() => format!("{target}  {}", printable(cmdline.as_bytes())),
            _ => target.to_string(),
        };
        let mut about: Vec<String> = targets.iter().take(NAMED).map(line).collect();
        if targets.len() > NAMED {
            about.push(format!("and {} more", targets.len() - NAMED));
        }
        about.push(String::new());
        about
    }

    /// Whom an action is for; says why there is nobody.
    fn targets(&mut self) -> Option<Vec<Target>> {
        if self.readonly {
            self.say("Nothing can be changed here: ebtop runs with --readonly, or plays a recording".into());
            return None;
        }
        let keys = match self.tagged() {
            // Details are of one process, and so is what is done there.
            tagged if !tagged.is_empty() && self.pane().is_none() => tagged,
            _ => self.chosen_processes(),
        };
        let targets: Vec<Target> = keys.into_iter().filter_map(|key| self.target(key)).collect();
        if targets.is_empty() {
            self.say_choose_process();
            return None;
        }
        self.still_living(targets)
    }

    fn target(&self, key: ProcKey) -> Option<Target> {
        let row = self.model.find(key)?;
        Some(Target { key, name: self.model.task(row).comm.to_string() })
    }

    /// What is chosen in a dialog becomes an errand.
    pub(super) fn accept_change(&mut self, menu: Menu, effects: &mut Vec<Effect>) {
        let Some(chosen) = menu.chosen() else { return self.menu = Some(menu) };
        let (change, targets) = match menu.topic {
            Topic::Signal(targets) => (signals::ALL.get(chosen).map(|s| Change::Signal(s.number)), targets),
            Topic::Nice(targets) => (nice_values().nth(chosen).map(Change::Nice), targets),
            Topic::Io(targets) => (IoPriority::all().nth(chosen).map(Change::Io), targets),
            Topic::Cpus(ref targets, ref offered) => {
                let cpus: Vec<u32> = offered.iter().zip(menu.items()).filter(|(_, item)| item.is_checked).map(|(cpu, _)| *cpu).collect();
                if cpus.is_empty() {
                    self.say("Space checks a CPU; it must have one at least".into());
                    return self.menu = Some(menu);
                }
                (Some(Change::Cpus(cpus)), targets.clone())
            }
            Topic::Group
            | Topic::Sort
            | Topic::User(_)
            | Topic::Palette(_)
            | Topic::Setup
            | Topic::Theme(_)
            | Topic::Units(_)
            | Topic::Header(_)
            | Topic::Columns(..) => return,
        };
        if let Some(change) = change {
            effects.push(Effect::Errand(Errand::Change(change, targets)));
        }
    }
}

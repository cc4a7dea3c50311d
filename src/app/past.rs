//! Looking back: the samples that have passed, one by one or by their time. What goes on meanwhile is taken in, and shown again by one key.

mod time;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::prompt::Purpose;
use super::{App, Effect};
use crate::control::Target;
use crate::model::{Changes, Model};
use crate::record::Past;
use crate::sample::{Command, Sample};
use time::Wanted;

/// What there is to look back at, and where somebody does.
#[derive(Debug, Default)]
pub(super) struct LookBack {
    samples: Past,
    zone: Option<TimeZone>,
    /// When the sample on screen was taken, where that is not the newest.
    at_ns: Option<u64>,
    /// A recording that is held still plays on until this time, Unix ms.
    plays_until: Option<u64>,
    /// The collector was told to hold still.
    is_held: bool,
}

impl LookBack {
    pub(super) fn new(reach: Duration, zone: Option<TimeZone>) -> LookBack {
        LookBack { samples: Past::new(reach), zone, ..LookBack::default() }
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// `14:03:20`.
    fn clock(&self, unix_ms: u64) -> String {
        self.time(unix_ms, "%H:%M:%S")
    }

    fn time(&self, unix_ms: u64, form: &str) -> String {
        let time = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        time.map_or_else(String::new, |time| time.to_zoned(self.zone()).strftime(form).to_string())
    }
}

impl App {
    /// Something that has passed is on screen.
    pub fn is_past(&self) -> bool {
        self.back.at_ns.is_some()
    }

    /// The same in words for the header: `looking back: 14:03:20, 2 min ago`.
    pub fn looking_back(&self) -> Option<String> {
        let at_ns = self.back.at_ns?;
        let newest_ns = self.back.samples.newest().map_or(at_ns, |newest| newest.at_ns);
        let clock = self.back.clock(self.model.sample.unix_ms);
        Some(format!("looking back: {clock}, {} ago", time::words(newest_ns.saturating_sub(at_ns))))
    }

    /// The time of the sample on screen, for a recording, where nobody has a clock for it.
    pub fn clock(&self) -> String {
        self.back.clock(self.model.sample.unix_ms)
    }

    /// Day and time of the sample on screen, for the name of a file: `20261123-140320`.
    pub(super) fn date(&self) -> String {
        self.back.time(self.model.sample.unix_ms, "%Y%m%d-%H%M%S")
    }

    /// A recording that is held still is on its way to a time.
    pub fn seeks(&self) -> Option<String> {
        let until = self.back.plays_until.filter(|&ms| ms > 0)?;
        let now = self.back.samples.newest().map_or(0, |newest| newest.unix_ms);
        Some(format!("playing on to {}: {}", self.back.clock(until), self.back.clock(now)))
    }

    /// Keeps the sample that a model was made of.
    pub(super) fn keep_shown(&mut self) {
        self.back.samples.push(&self.model.sample, &self.model.changes());
    }

    /// Keeps a sample that is not shown yet, if ever. True where the screen is to turn to it.
    pub(super) fn keep_unseen(&mut self, sample: &Arc<Sample>) -> bool {
        if !self.back.samples.is_off() {
            let newest = self.back.samples.newest().cloned();
            Changes::between(newest.as_deref(), sample, |changes| self.back.samples.push(sample, changes));
        }
        let is_reached = self.back.plays_until.is_some_and(|until| sample.unix_ms >= until);
        self.back.plays_until.take_if(|_| is_reached).is_some()
    }

    /// A recording that is held still goes on sample by sample until it is where it is to be.
    pub(super) fn play_on(&self, effects: &mut Vec<Effect>) {
        if self.back.plays_until.is_some() && self.end.is_none() {
            effects.push(Effect::Command(Command::SampleSoon(Duration::ZERO)));
        }
    }

    /// No more samples come: what somebody waits for is not among them.
    pub(super) fn stop_playing(&mut self) {
        if self.back.plays_until.take().is_some() {
            self.show_held();
            self.say("The recording ends here".into());
        }
    }

    /// A recording stands still while the screen does: what was not played is not missed.
    pub(super) fn hold_recording(&mut self, effects: &mut Vec<Effect>) {
        let holds = self.replay && self.paused;
        if holds != self.back.is_held {
            self.back.is_held = holds;
            effects.push(Effect::Command(Command::Hold(holds)));
        }
    }

    /// Index of the sample on screen among those that are kept, or where it would stand.
    fn index_shown(&self) -> usize {
        let shown_ns = self.model.sample.at_ns;
        self.back.samples.times().take_while(|(at_ns, _)| *at_ns < shown_ns).count()
    }

    pub(super) fn show_earlier(&mut self) {
        match self.index_shown().checked_sub(1) {
            Some(index) => self.show_past(index),
            None => self.say(self.beginning()),
        }
    }

    /// Why there is nothing earlier.
    fn beginning(&self) -> String {
        match self.back.samples.times().next() {
            _ if self.back.samples.is_off() => "No history is kept: it was started with --history 0".into(),
            None => "There is no sample yet".into(),
            Some((_, unix_ms)) => format!("The history begins at {}{}", self.back.clock(unix_ms), self.why_no_earlier()),
        }
    }

    /// Who asked for a longer history than memory allows is told so.
    fn why_no_earlier(&self) -> String {
        let of_memory = |bytes: usize| format!(": {} MiB reach no further back (--history for more)", bytes >> 20);
        self.back.samples.cut_by().map_or_else(String::new, of_memory)
    }

    pub(super) fn show_later(&mut self, effects: &mut Vec<Effect>) {
        let (next, count) = (self.index_shown() + 1, self.back.samples.len());
        match (self.is_past(), self.replay) {
            (true, _) if next + 1 < count => self.show_past(next),
            (true, false) => self.go_live(),
            (true, true) => self.show_newest(),
            (false, true) if self.end.is_none() => {
                self.hold_still();
                match self.held.is_some() {
                    true => self.show_held(),
                    false => {
                        self.back.plays_until = Some(0);
                        self.play_on(effects);
                    }
                }
            }
            (false, true) => self.say("The recording ends here".into()),
            (false, false) => self.say("This is now: there is nothing later".into()),
        }
    }

    pub(super) fn ask_time(&mut self) {
        match self.back.samples.is_empty() {
            true => self.say(self.beginning()),
            false => self.ask(Purpose::Time),
        }
    }

    /// Turns to the sample next to a time that somebody typed.
    pub(super) fn go_to_time(&mut self, text: &str, effects: &mut Vec<Effect>) -> Result<(), String> {
        let times: Vec<u64> = self.back.samples.times().map(|(_, unix_ms)| unix_ms).collect();
        let (Some(&oldest), Some(&newest)) = (times.first(), times.last()) else { return Err(self.beginning()) };
        let wanted = Wanted::parse(text)?.unix_ms(self.model.sample.unix_ms, (oldest, newest), self.replay, &self.back.zone());
        let wanted = wanted.ok_or("there is no such time")?;
        let step = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        if self.replay && wanted > newest && self.end.is_none() {
            self.hold_still();
            self.back.plays_until = Some(wanted);
            self.play_on(effects);
            return Ok(());
        }
        if wanted.saturating_add(step) < oldest || wanted > newest.saturating_add(step) {
            let (from, to) = (self.back.clock(oldest), self.back.clock(newest));
            return Err(format!("kept are {from} to {to}{}", self.why_no_earlier()));
        }
        match (0..times.len()).min_by_key(|&index| times[index].abs_diff(wanted)) {
            Some(index) if index + 1 < times.len() => self.show_past(index),
            _ if self.replay => self.show_newest(),
            _ => self.go_live(),
        }
        Ok(())
    }

    /// Stops the screen where it is.
    pub(super) fn hold_still(&mut self) {
        if !self.paused {
            self.paused = true;
            // Its own, so that what is looked at does not run out of the history while somebody looks at it.
            self.hold_history();
        }
    }

    /// Holds what stacks there are by now, with the programs that they are of.
    fn hold_history(&mut self) {
        self.names.hold(None);
        self.held_history = Some(self.history.clone());
        self.names.hold(Some(self.history.programs().clone()));
    }

    fn show_past(&mut self, index: usize) {
        let Some((earlier, sample)) = self.back.samples.at(index) else { return self.say("That sample cannot be read".into()) };
        self.hold_still();
        // Details are of the living process.
        self.pane = None;
        self.back.plays_until = None;
        self.turn_to(earlier, sample);
        self.back.at_ns = Some(self.model.sample.at_ns);
        self.show_until(self.back.at_ns);
    }

    /// Shows a sample again that was shown before.
    fn turn_to(&mut self, earlier: Option<Sample>, sample: Arc<Sample>) {
        self.model = Model::between(earlier.as_ref(), sample);
        self.cgroups.look(&self.model.sample);
        // Who is missing here may be there later.
        let _ = self.arrange();
    }

    fn show_until(&mut self, ns: Option<u64>) {
        self.trends.show_until(ns);
        if let Some(history) = &mut self.held_history {
            history.show_until(ns.unwrap_or(u64::MAX));
        }
    }

    /// Shows the newest sample, and the next ones as they come.
    pub(super) fn go_live(&mut self) {
        if !self.is_past() && !self.paused {
            return self.say("This is now already".into());
        }
        self.show_newest();
        (self.paused, self.held_history, self.back.plays_until) = (false, None, None);
        self.names.hold(None);
    }

    /// Shows the newest sample, and holds it.
    fn show_newest(&mut self) {
        let was_past = self.back.at_ns.take().is_some();
        self.show_until(None);
        if self.held.is_some() {
            self.show_held();
        } else if was_past && let Some((earlier, sample)) = self.back.samples.at(self.back.samples.len().saturating_sub(1)) {
            self.turn_to(earlier, sample);
        }
    }

    /// Shows the newest of the samples that came while the screen stood still.
    pub(super) fn show_held(&mut self) {
        self.back.at_ns = None;
        if let Some(sample) = self.held.take() {
            if self.held_history.is_some() {
                self.hold_history();
            }
            self.trends.show_until(None);
            self.show(sample);
        }
    }

    /// Those that still live, of those that did when the sample on screen was taken; says so where there is nobody.
    pub(super) fn still_living(&mut self, targets: Vec<Target>) -> Option<Vec<Target>> {
        let Some(newest) = self.back.samples.newest().filter(|_| self.is_past()) else { return Some(targets) };
        let lives = |target: &Target| {
            let at = newest.tasks.binary_search_by_key(&target.key, |task| task.key);
            at.is_ok_and(|at| !newest.tasks[at].is_leaving())
        };
        let (living, gone): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(lives);
        match gone.first().filter(|_| living.is_empty()) {
            Some(gone) => {
                self.say(format!("{gone} has exited since: there is nothing to be done to it"));
                None
            }
            None => Some(living),
        }
    }
}

//! The recording that runs beside the screen.

use crate::app::recording::Recorded;
use crate::collect::Collector;
use crate::record::Recording;
use crate::sample::{Command, Update};

/// Gives a recording what came, and asks for what it needs; why it ended, if it did.
pub(super) fn feed(recording: &mut Option<Recording>, update: &Update, collector: &Collector) -> Option<String> {
    let running = recording.as_mut()?;
    match update {
        Update::Sample(sample) => {
            let wanted = running.sample(sample);
            if !wanted.is_empty() {
                collector.send(Command::Details(wanted));
            }
        }
        Update::Details(found) => running.details(found),
        _ => return None,
    }
    let trouble = running.trouble()?;
    *recording = None;
    Some(format!("The recording ended: {trouble}"))
}

/// Begins a recording, or ends it.
pub(super) fn switch(recording: &mut Option<Recording>, stem: Option<&str>) -> Recorded {
    if let Some(running) = recording.take() {
        return Recorded::Ended(running.finish().unwrap_or_else(|error| format!("The recording is not whole: {error}")));
    }
    match stem.map(Recording::begin) {
        Some(Ok(begun)) => {
            let path = begun.path().display().to_string();
            *recording = Some(begun);
            Recorded::Begun(path)
        }
        Some(Err(error)) => Recorded::Ended(format!("Not recorded: {error}")),
        None => Recorded::Ended("Nothing is being recorded".into()),
    }
}

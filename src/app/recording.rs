//! A recording of what is being collected, switched on and off.

use super::{App, Effect};

/// What became of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It began: the name of its file.
    Begun(String),
    /// It ended, or could not begin: how, in one line.
    Ended(String),
}

impl App {
    /// What is collected is being written to a file.
    pub fn is_recording(&self) -> bool {
        self.is_recording
    }

    /// Begins a recording, or ends it.
    pub(super) fn toggle_recording(&mut self, effects: &mut Vec<Effect>) {
        if self.replay {
            return self.say("This is a recording already".into());
        }
        if self.model.sample.at_ns == 0 {
            return self.say("There is no sample yet".into());
        }
        effects.push(Effect::Record((!self.is_recording).then(|| self.stem())));
    }

    /// Its file, without the end of the name: `ebtop-web-07-20261123-140320`.
    fn stem(&self) -> String {
        super::act::file_name(&format!("{} {}", self.machine().host, self.date()))
    }

    pub(super) fn hear_of_recording(&mut self, recorded: Recorded) {
        self.is_recording = matches!(recorded, Recorded::Begun(_));
        self.say(match recorded {
            Recorded::Begun(path) => format!("Recording to {path}"),
            Recorded::Ended(words) => words,
        });
    }
}

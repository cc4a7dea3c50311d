//! Asks the symbol thread for what has no name yet, while processes live, and once more at the end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crossbeam_channel::TrySendError;

use super::Session;

/// How long names are waited for once all is sampled; what has none by then is written as an address.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is told of processes that did not answer.
const SILENT: &str = "files or memory of some processes do not answer: their functions are written as addresses";
/// What is told when there were more names than there is room for.
const NO_ROOM: &str = "more names than there is room for, the rest are written as addresses: sample fewer processes, or not so long";

impl Session<'_> {
    /// Sends what may be under way.
    pub(super) fn ask_for_names(&mut self) {
        let missing = self.tally.missing(&self.names);
        for request in self.names.ask(&missing) {
            if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) = self.symbols.0.try_send(request) {
                self.names.not_sent(&request);
            }
        }
    }

    /// Waits until everything has a name that can have one.
    pub(super) fn finish_names(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.ask_for_names();
            if !self.names.is_waiting() {
                break;
            }
            match self.symbols.1.recv_deadline(deadline) {
                Ok(answer) => self.names.answer(answer),
                Err(_) => break,
            }
        }
        if self.names.silent() > 0 {
            let _ = writeln!(io::stderr(), "ebtop: {SILENT}");
        }
        if self.names.lacks_room() {
            let _ = writeln!(io::stderr(), "ebtop: {NO_ROOM}");
        }
    }
}

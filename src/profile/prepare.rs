//! Before the clock of a profile starts: the kernel half learns how the stacks of those who are there are walked, so that the first ones
//! are as whole as the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{PATIENCE, ProfileError, Session};
use crate::sample::{Command, Sample, Update};

/// How long the tables of all of them may take, of large programs some tenths of a second of CPU, which a busy machine has not at once.
/// What is not there by then comes while samples are taken.
const TABLES_PATIENCE: Duration = Duration::from_secs(3);

impl Session<'_> {
    /// Waits for the tables of the processes that are known to be wanted; the sample to go on with.
    pub(super) fn prepare(&mut self, sample: Arc<Sample>) -> Result<Arc<Sample>, ProfileError> {
        let processes = self.members.living(&sample);
        if processes.is_empty() {
            return Ok(sample);
        }
        self.collector.send(Command::Prepare(processes));
        let deadline = Instant::now() + TABLES_PATIENCE;
        while let Ok(update) = self.collector.updates.recv_deadline(deadline) {
            match update {
                Update::Ready => break,
                Update::Sample(sample) => drop(self.look(&sample)),
                Update::Details(found) => self.members.learn(found),
                Update::Inspected(..) | Update::Missed(_) => {}
                Update::End(reason) => return Err(reason.map_or_else(super::ended, ProfileError::Source)),
            }
        }
        self.collector.send(Command::SampleNow);
        self.next_sample(PATIENCE)
    }
}

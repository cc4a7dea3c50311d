//! Who makes samples.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::sample::{Details, Origin, ProcKey, Sample, Update, Wants, Watch};

/// Why a source cannot go on. Each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The kernel half failed for good.
    #[error("{0}")]
    Failed(String),
    /// There is no sample this time; what it would have told of is in the next.
    #[error("{0}")]
    NotNow(String),
    /// A replay ran out.
    #[error("end of the recording")]
    End,
}

/// Tells the screen that something is ready, by being dropped.
#[derive(Debug)]
pub struct Ready(Sender<Update>);

impl Ready {
    /// For this screen.
    pub fn new(to_screen: Sender<Update>) -> Ready {
        Ready(to_screen)
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        // A screen that has no room for it is not waiting.
        let _ = self.0.try_send(Update::Ready);
    }
}

/// Who makes samples: `Live`, `ProcFs` or `Replay`.
pub trait Source {
    /// Reads everything once.
    fn sample(&mut self) -> Result<Sample, SourceError>;

    /// After this time it would like to be asked again, whatever the clock says. Asked before each wait.
    fn soon(&mut self) -> Option<Duration> {
        None
    }

    /// Attaches and detaches what lives only as long as it is shown.
    fn want(&mut self, wants: Wants);

    /// Starts, changes or ends a costly probe, where the source has any.
    fn watch(&mut self, _watch: Option<Watch>) {}

    /// Makes ready to walk the stacks of these before those of others; drops `ready` once that is done, or cannot be.
    fn prepare(&mut self, _processes: Vec<ProcKey>, _ready: Ready) {}

    /// Readable when rings should be drained before the next tick.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Drains rings into user memory; called when [`Source::wake_fd`] is readable.
    fn drain(&mut self) {}

    /// Details of processes, where they do not come from this machine's /proc.
    fn details(&mut self, _key: ProcKey) -> Option<Details> {
        None
    }

    /// Whether `details` answers from the source itself.
    fn has_own_details(&self) -> bool {
        false
    }

    /// Whose addresses its samples hold.
    fn origin(&self) -> Origin {
        Origin::Here
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn sample(&mut self) -> Result<Sample, SourceError> {
        (**self).sample()
    }

    fn soon(&mut self) -> Option<Duration> {
        (**self).soon()
    }

    fn want(&mut self, wants: Wants) {
        (**self).want(wants);
    }

    fn watch(&mut self, watch: Option<Watch>) {
        (**self).watch(watch);
    }

    fn prepare(&mut self, processes: Vec<ProcKey>, ready: Ready) {
        (**self).prepare(processes, ready);
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).wake_fd()
    }

    fn drain(&mut self) {
        (**self).drain();
    }

    fn details(&mut self, key: ProcKey) -> Option<Details> {
        (**self).details(key)
    }

    fn has_own_details(&self) -> bool {
        (**self).has_own_details()
    }

    fn origin(&self) -> Origin {
        (**self).origin()
    }
}

//! The domains beside the task list, loaded side by side on threads of their own: most of opening is libbpf reading the kernel's types
//! anew for each object, and no sample waits for it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::Builder;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use rustix::event::{EventfdFlags, eventfd};

use super::choice::Choice;
use super::mem::Mem;
use super::net::Net;
use super::stacks::{Loaded, Stacks};
use crate::sample::Domain;

/// Domains beside the task list, as they were asked for.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Stack samples a second on each CPU; 0 = none.
    pub hz: u32,
    /// Most memory for unwind tables, bytes.
    pub unwind_bytes: u64,
    /// Which domains, by which hooks.
    pub choice: Choice,
}

/// What each became: a collector, or why not.
pub(super) struct Domains {
    pub(super) net: Result<Net, String>,
    pub(super) stacks: Result<Stacks, String>,
    pub(super) mem: Result<Mem, String>,
}

/// What is said of a thread that panicked.
const DIED: &str = "it failed to start; please report this";

/// Domains on their way.
pub(super) struct Loading {
    net: Opening<Net>,
    stacks: Opening<Loaded>,
    mem: Opening<Mem>,
    unwind_bytes: u64,
    /// Written to by each that has ended.
    ended: Option<Arc<OwnedFd>>,
}

impl Rest {
    /// Begins.
    pub(super) fn load(self) -> Loading {
        let Rest { hz, unwind_bytes, choice } = self;
        let ended = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok().map(Arc::new);
        Loading {
            net: Opening::begin(&ended, move || open_net(choice)),
            stacks: Opening::begin(&ended, move || load_stacks(hz, choice)),
            mem: Opening::begin(&ended, move || open_mem(choice)),
            unwind_bytes,
            ended,
        }
    }
}

impl Loading {
    /// Whether nobody would wait in [`Loading::join`].
    pub(super) fn is_done(&mut self) -> bool {
        // What was written is taken out, or the descriptor would stay readable while the slowest is still at work.
        let _ = self.ended.as_ref().map(|fd| rustix::io::read(fd, &mut [0u8; 8]));
        [self.net.has_ended(), self.stacks.has_ended(), self.mem.has_ended()] == [true; 3]
    }

    /// Readable when one of them ended.
    pub(super) fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.ended.as_ref().map(|fd| fd.as_fd())
    }

    /// Waits for all. What stacks need beside their program starts here, in the thread that reads them.
    pub(super) fn join(self) -> Domains {
        let stacks = self.stacks.join().and_then(|loaded| Stacks::start(loaded, self.unwind_bytes));
        Domains { net: self.net.join(), stacks, mem: self.mem.join() }
    }
}

/// A domain being opened on its thread.
struct Opening<T> {
    coming: Receiver<Result<T, String>>,
    here: Option<Result<T, String>>,
}

impl<T: Send + 'static> Opening<T> {
    fn begin(ended: &Option<Arc<OwnedFd>>, open: impl FnOnce() -> Result<T, String> + Send + 'static) -> Opening<T> {
        let (sender, coming) = bounded(1);
        let end = End(ended.clone());
        let work = move || {
            // Dropped in reverse: who is woken finds what was sent, or that nothing will be.
            let (_end, sender) = (end, sender);
            let _ = sender.send(open());
        };
        let thread = Builder::new().name("loader".into()).spawn(work);
        Opening { coming, here: thread.err().map(|e| Err(format!("no thread to load it: {e}"))) }
    }

    fn has_ended(&mut self) -> bool {
        if self.here.is_none() {
            self.here = match self.coming.try_recv() {
                Ok(opened) => Some(opened),
                Err(TryRecvError::Disconnected) => Some(Err(DIED.to_owned())),
                Err(TryRecvError::Empty) => None,
            };
        }
        self.here.is_some()
    }

    fn join(self) -> Result<T, String> {
        self.here.unwrap_or_else(|| self.coming.recv().unwrap_or_else(|_| Err(DIED.to_owned())))
    }
}

/// Writes to the descriptor when it is dropped.
struct End(Option<Arc<OwnedFd>>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.as_ref().map(|fd| rustix::io::write(fd, &1u64.to_ne_bytes()));
    }
}

fn open_net(choice: Choice) -> Result<Net, String> {
    choice.wants(Domain::Net)?;
    choice.net.map_or_else(Net::open, |rung| Net::open_with(&[rung]))
}

fn open_mem(choice: Choice) -> Result<Mem, String> {
    choice.wants(Domain::Mem)?;
    choice.mem.map_or_else(Mem::open, |rung| Mem::open_with(&[rung]))
}

fn load_stacks(hz: u32, choice: Choice) -> Result<Loaded, String> {
    choice.wants(Domain::Stacks)?;
    match hz {
        0 => Err("sampling is off: start without --hz 0".to_owned()),
        hz => Stacks::load(hz, choice.native),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_readable(fd: &OwnedFd) -> bool {
        rustix::io::read(fd, &mut [0u8; 8]).is_ok()
    }

    fn opening(open: impl FnOnce() -> Result<u32, String> + Send + 'static) -> (Arc<OwnedFd>, Opening<u32>) {
        let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
        let opening = Opening::begin(&Some(Arc::clone(&fd)), open);
        (fd, opening)
    }

    #[test]
    fn who_is_woken_finds_what_was_opened() {
        let (fd, mut opening) = opening(|| Ok(7));
        assert!(is_readable(&fd) && opening.has_ended());
        assert_eq!(opening.join(), Ok(7));
    }

    #[test]
    fn who_does_not_wait_to_be_woken_gets_it_too() {
        let (_, opening) = opening(|| Err("no".into()));
        assert_eq!(opening.join(), Err("no".into()));
    }

    #[test]
    fn a_thread_that_dies_says_so() {
        let (fd, mut opening) = opening(|| panic!("as it should"));
        assert!(is_readable(&fd) && opening.has_ended());
        assert_eq!(opening.join(), Err(DIED.into()));
    }
}

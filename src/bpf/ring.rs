//! A ring buffer of one kind of record, owned without ties to the skeleton it came from.

use std::cell::RefCell;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use libbpf_rs::{MapCore, RingBuffer, RingBufferBuilder};

use super::plain::{Plain, decode};

/// Room for so many records stays from one time to the next.
const KEPT: usize = 1024;

/// Collects records into memory each time it is drained.
pub struct Ring<T> {
    ring: RingBuffer<'static>,
    pending: Rc<RefCell<Vec<T>>>,
}

impl<T: Plain + 'static> Ring<T> {
    /// Opens the reading end of a ring buffer map. Records shorter than `T` are skipped.
    pub fn open(map: &dyn MapCore) -> libbpf_rs::Result<Self> {
        let pending = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&pending);
        let mut builder = RingBufferBuilder::new();
        builder.add(map, move |bytes| {
            sink.borrow_mut().extend(decode::<T>(bytes));
            0
        })?;
        Ok(Ring { ring: builder.build()?, pending })
    }

    /// Hands every record that waits in the ring to `each`, oldest first.
    pub fn drain(&self, each: impl FnMut(T)) {
        // What was read before an error is kept; what was not waits for the next time.
        let _ = self.ring.consume();
        let mut pending = self.pending.borrow_mut();
        pending.drain(..).for_each(each);
        pending.shrink_to(KEPT);
    }

    /// Readable when a program asked for attention; not for every record.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: libbpf's epoll descriptor, open as long as the ring.
        unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) }
    }
}

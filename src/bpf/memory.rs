//! The allocator's share in the resident size: loading takes megabytes for a moment, running takes the same few large lists at every tick.

/// From this size on, what is allocated while loading goes back to the kernel as soon as it is freed.
const LARGE_BYTES: i32 = 128 << 10;
/// What running frees stays with the process up to this size, so that the next tick need not fault its pages in again.
const KEPT_BYTES: i32 = 32 << 20;

/// To be called before there is a second thread: one heap for all, so that what one thread frees another can take. Threads with heaps of
/// their own would each keep the most that they ever needed, and none allocates so much that it had to wait for another.
pub fn one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two integers and changes nothing that is allocated; where it refuses, all stays as it was.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// To be called before objects are loaded: keeps what loading frees out of the way of what running allocates.
pub fn before_loading() {
    give_back_from(LARGE_BYTES);
}

/// To be called once they are loaded: gives what was freed back to the kernel.
pub fn after_loading() {
    give_back_from(KEPT_BYTES);
    give_back();
}

/// Gives what was freed back to the kernel.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim only touches memory that nobody owns, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(target_env = "gnu")]
fn give_back_from(bytes: i32) {
    // SAFETY: mallopt takes two integers and changes nothing that is allocated; where it refuses, all stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
        libc::mallopt(libc::M_TRIM_THRESHOLD, bytes);
    }
}

#[cfg(not(target_env = "gnu"))]
fn give_back_from(_bytes: i32) {}

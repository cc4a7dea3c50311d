//! Memory that loading took and running does not need.

/// Gives pages that were freed and kept by the allocator back to the kernel.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim only touches memory that nobody owns, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

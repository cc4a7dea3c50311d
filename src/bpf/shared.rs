//! An array map that the kernel half and user space both see, read without system calls.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use libbpf_rs::{MapCore, MapHandle};

use super::batch::Wire;

/// The values of an array map made with `BPF_F_MMAPABLE`, as `T`.
///
/// The kernel half writes while we read: every value is copied word by word, each word whole.
pub struct SharedArray<T> {
    base: NonNull<AtomicU64>,
    len: usize,
    bytes: usize,
    values: PhantomData<T>,
}

// SAFETY: the mapping belongs to this value alone and is only touched through atomics.
unsafe impl<T> Send for SharedArray<T> {}

const WORD: usize = size_of::<u64>();

impl<T: Wire> SharedArray<T> {
    /// Maps the array.
    ///
    /// # Errors
    /// Where the map has another layout, or `mmap` fails.
    pub fn new(map: &MapHandle) -> io::Result<SharedArray<T>> {
        if map.value_size() as usize != size_of::<T>() || !size_of::<T>().is_multiple_of(WORD) {
            return Err(io::Error::other("the map's layout is not the one asked for"));
        }
        let len = map.max_entries() as usize;
        let bytes = len * size_of::<T>();
        // SAFETY: a new mapping at an address the kernel chooses touches no memory of ours.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, map.as_fd().as_raw_fd(), 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        Ok(SharedArray { base, len, bytes, values: PhantomData })
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn words(&self, index: usize) -> Option<&[AtomicU64]> {
        let words = size_of::<T>() / WORD;
        // SAFETY: index < len, so these words lie inside the mapping, which lives as long as self and is page-aligned.
        (index < self.len).then(|| unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(index * words), words) })
    }

    /// Copies a value; `None` past the end.
    pub fn get(&self, index: usize) -> Option<T> {
        self.get_first(index)
    }

    /// Copies the first field of a value, which is a `P`; `None` past the end.
    pub fn get_first<P: Wire>(&self, index: usize) -> Option<P> {
        let words = self.words(index)?.get(..size_of::<P>() / WORD)?;
        let mut value = MaybeUninit::<P>::zeroed();
        for (i, word) in words.iter().enumerate() {
            // SAFETY: i stays below size_of::<P>() / WORD; the write needs no alignment.
            unsafe { value.as_mut_ptr().cast::<u64>().add(i).write_unaligned(word.load(Ordering::Relaxed)) };
        }
        // SAFETY: zeroed, then written; any bytes are a valid Wire value.
        Some(unsafe { value.assume_init() })
    }

    /// Sets a value to zero.
    pub fn clear(&self, index: usize) {
        for word in self.words(index).unwrap_or_default() {
            word.store(0, Ordering::Relaxed);
        }
    }
}

impl<T> Drop for SharedArray<T> {
    fn drop(&mut self) {
        // SAFETY: mapped in `new` with this length, and no reference into it outlives self.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

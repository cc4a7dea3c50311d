//! An array map that the kernel half and user space both see, read without system calls.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use libbpf_rs::{MapCore, MapHandle};

use super::batch::Wire;

/// The values of an array map made with `BPF_F_MMAPABLE`, as `T`.
///
/// The kernel half writes while we read: every value is copied word by word, each word whole. All pages mapped count as
/// resident, so only as many values are mapped as [`SharedArray::reach`] was asked for.
pub struct SharedArray<T> {
    map: OwnedFd,
    len: usize,
    mapped: Mapping,
    values: PhantomData<T>,
}

/// The first words of an array, mapped.
struct Mapping {
    base: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the mapping belongs to this value alone and is only touched through atomics.
unsafe impl Send for Mapping {}

const WORD: usize = size_of::<u64>();

impl Mapping {
    fn of(map: &OwnedFd, words: usize) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address the kernel chooses touches no memory of ours.
        let base = unsafe {
            libc::mmap(std::ptr::null_mut(), words * WORD, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, map.as_raw_fd(), 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        Ok(Mapping { base, words })
    }
}

impl<T: Wire> SharedArray<T> {
    /// Maps the first `mapped` values of the array.
    ///
    /// # Errors
    /// Where the map has another layout, or `mmap` fails.
    pub fn new(map: &MapHandle, mapped: usize) -> io::Result<SharedArray<T>> {
        if map.value_size() as usize != size_of::<T>() || !size_of::<T>().is_multiple_of(WORD) {
            return Err(io::Error::other("the map's layout is not the one asked for"));
        }
        let len = map.max_entries() as usize;
        let map = map.as_fd().try_clone_to_owned()?;
        let mapped = Mapping::of(&map, mapped.clamp(1, len) * (size_of::<T>() / WORD))?;
        Ok(SharedArray { map, len, mapped, values: PhantomData })
    }

    /// Makes a value readable; false past the end and where `mmap` fails.
    pub fn reach(&mut self, index: usize) -> bool {
        let words = size_of::<T>() / WORD;
        if index >= self.len {
            return false;
        }
        if (index + 1) * words > self.mapped.words {
            let wider = (2 * self.mapped.words).clamp((index + 1) * words, self.len * words);
            match Mapping::of(&self.map, wider) {
                Ok(mapped) => self.mapped = mapped,
                Err(_) => return false,
            }
        }
        true
    }

    /// How many values the array holds, mapped or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn words(&self, index: usize) -> Option<&[AtomicU64]> {
        let words = size_of::<T>() / WORD;
        let is_mapped = index < self.mapped.words / words;
        // SAFETY: these words lie inside the mapping, which lasts until self is changed and is page-aligned.
        is_mapped.then(|| unsafe { std::slice::from_raw_parts(self.mapped.base.as_ptr().add(index * words), words) })
    }

    /// Copies a value; `None` past what is mapped.
    pub fn get(&self, index: usize) -> Option<T> {
        self.get_first(index)
    }

    /// Copies the first field of a value, which is a `P`; `None` past what is mapped.
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

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped in `of` with this length, and no reference into it outlives its owner.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.words * WORD) };
    }
}

//! Chunks of an array of arrays, written through memory that is mapped only meanwhile: what is mapped counts as resident.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, libbpf_sys};

const WORD: usize = size_of::<u32>();

/// An `ARRAY_OF_MAPS` whose maps are mappable arrays of one value, all of one size.
pub struct Chunks {
    outer: MapHandle,
    words: usize,
    chunks: Vec<MapHandle>,
    /// The chunk written to last.
    mapped: Option<(usize, Window)>,
}

impl Chunks {
    /// `words` of 4 bytes in each chunk.
    pub fn new(outer: MapHandle, words: u32) -> Chunks {
        Chunks { outer, words: words as usize, chunks: Vec::new(), mapped: None }
    }

    /// Makes chunk number `chunk`, which must be the next one.
    ///
    /// # Errors
    /// Whatever the kernel says to making a map, mostly that memory is short.
    pub fn add(&mut self, chunk: u32) -> io::Result<()> {
        let opts = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            map_flags: libbpf_sys::BPF_F_MMAPABLE,
            ..Default::default()
        };
        let bytes = (self.words * WORD) as u32;
        let inner = MapHandle::create(MapType::Array, Some("unwind_chunk"), 4, bytes, 1, &opts).map_err(io::Error::other)?;
        let number = inner.as_fd().as_raw_fd().to_ne_bytes();
        self.outer.update(&chunk.to_ne_bytes(), &number, MapFlags::ANY).map_err(io::Error::other)?;
        self.chunks.push(inner);
        Ok(())
    }

    /// Writes words that lie in one chunk, `at` counted over all chunks.
    ///
    /// # Errors
    /// The place is not in a chunk, or it cannot be mapped.
    pub fn write(&mut self, at: u32, words: &[u32]) -> io::Result<()> {
        let (chunk, word) = (at as usize / self.words, at as usize % self.words);
        let (Some(map), true) = (self.chunks.get(chunk), word + words.len() <= self.words) else {
            return Err(io::Error::other("no such place"));
        };
        if self.mapped.as_ref().is_none_or(|(mapped, _)| *mapped != chunk) {
            self.mapped = Some((chunk, Window::map(map, self.words)?));
        }
        if let Some((_, window)) = &self.mapped {
            window.write(word, words);
        }
        Ok(())
    }

    /// Ends the mapping that writing left.
    pub fn unmap(&mut self) {
        self.mapped = None;
    }
}

/// A chunk in our memory.
struct Window {
    base: *mut u32,
    words: usize,
}

// SAFETY: the mapping belongs to this value alone, which is written through by one thread at a time.
unsafe impl Send for Window {}

impl Window {
    fn map(map: &impl AsFd, words: usize) -> io::Result<Window> {
        // SAFETY: a new mapping at an address the kernel chooses touches no memory of ours.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), words * WORD, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, map.as_fd().as_raw_fd(), 0)
        };
        match base == libc::MAP_FAILED {
            true => Err(io::Error::last_os_error()),
            false => Ok(Window { base: base.cast(), words }),
        }
    }

    fn write(&self, at: usize, words: &[u32]) {
        assert!(at + words.len() <= self.words);
        for (i, word) in words.iter().enumerate() {
            // SAFETY: inside the mapping, as just checked, and aligned. Programs may read meanwhile: each word is whole.
            unsafe { self.base.add(at + i).write_volatile(*word) };
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: mapped in `map` with this length; nothing refers to it.
        unsafe { libc::munmap(self.base.cast(), self.words * WORD) };
    }
}

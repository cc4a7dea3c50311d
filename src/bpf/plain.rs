//! Structs that kernel programs write, read from bytes.

use std::os::fd::{AsFd, AsRawFd};
use std::{io, ptr, slice};

/// A struct of integers and integer arrays only, laid out as in C.
///
/// # Safety
/// Every pattern of bits must be a valid value of the type.
pub unsafe trait Plain: Copy {}

/// The struct at the start of `bytes`, whatever its alignment; `None` where they are too few.
pub fn decode<T: Plain>(bytes: &[u8]) -> Option<T> {
    // SAFETY: enough bytes, unaligned read, and any bits make a T.
    (bytes.len() >= size_of::<T>()).then(|| unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// A `BPF_F_MMAPABLE` array map, mapped for reading. Pages count as resident once they are read.
pub struct MappedArray<T> {
    address: *const T,
    len: usize,
}

impl<T: Plain> MappedArray<T> {
    /// Maps the first `len` values of an array map, whose value size must be a multiple of 8 (the kernel packs at 8).
    pub fn map(map: &impl AsFd, len: usize) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) };
        // SAFETY: a fresh shared mapping of a map that is open now; the kernel keeps its pages while they are mapped.
        let address =
            unsafe { libc::mmap(ptr::null_mut(), len * size_of::<T>(), libc::PROT_READ, libc::MAP_SHARED, map.as_fd().as_raw_fd(), 0) };
        if address == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(MappedArray { address: address.cast(), len }) }
    }

    /// How many values are mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// So many values at the front, and so many at the back; of the back, as far as the front leaves any.
    ///
    /// # Safety
    /// No program may write to the map while the slices live.
    pub unsafe fn ends(&self, front: usize, back: usize) -> [&[T]; 2] {
        // SAFETY: within the mapping, which lives as long as self; any bits make a T; the caller keeps writers away.
        let all = unsafe { slice::from_raw_parts(self.address, self.len) };
        let (front, rest) = all.split_at(front.min(self.len));
        [front, &rest[rest.len().saturating_sub(back)..]]
    }
}

impl<T> Drop for MappedArray<T> {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no slice of it outlives self.
        unsafe { libc::munmap(self.address.cast_mut().cast(), self.len * size_of::<T>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: any 8 bytes are a u64.
    unsafe impl Plain for u64 {}

    #[test]
    fn decodes_unaligned_and_refuses_short() {
        let bytes = [0u8, 1, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode::<u64>(&bytes[1..]), Some(u64::from_ne_bytes([1, 0, 0, 0, 0, 0, 0, 0])));
        assert_eq!(decode::<u64>(&bytes[2..]), None);
    }
}

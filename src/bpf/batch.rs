//! Reads a whole hash map in a few system calls, straight into vectors of the map's own types.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapHandle, libbpf_sys};

use super::{mem, net, stacks, tasks};

/// Entries read by one call.
const CHUNK: usize = 4096;

/// A key or value of a map: what the kernel writes there is always a valid value of the type.
///
/// # Safety
/// The type must be `repr(C)`, made of integers only, without padding.
pub unsafe trait Wire: Copy + Default {}

// SAFETY: generated from the object's type information; integers only, and net.h asserts that there is no padding.
unsafe impl Wire for net::types::eb_net_use_key {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_use {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_proc_key {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_moved {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_head {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_control {}
// SAFETY: as above.
unsafe impl Wire for net::types::eb_net_stats {}
// SAFETY: as above.
unsafe impl Wire for tasks::types::eb_words_count {}
// SAFETY: as above; mem.bpf.c asserts its size.
unsafe impl Wire for mem::types::eb_mem_key {}
// SAFETY: as above.
unsafe impl Wire for mem::types::eb_mem_pages {}
// SAFETY: as above; python.bpf.h asserts its size.
unsafe impl Wire for stacks::types::eb_py_proc {}

/// The bytes of a wire value.
pub fn bytes_of<T: Wire>(value: &T) -> &[u8] {
    // SAFETY: a Wire type has no padding, so all its bytes are initialised; the slice borrows `value`.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// The wire value in `bytes`; `None` where the length differs.
pub fn value_of<T: Wire>(bytes: &[u8]) -> Option<T> {
    // SAFETY: the length was checked, any bytes are a valid Wire value, and the read needs no alignment.
    (bytes.len() == size_of::<T>()).then(|| unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) })
}

fn check<K, V>(map: &MapHandle) -> io::Result<()> {
    match map.key_size() as usize == size_of::<K>() && map.value_size() as usize == size_of::<V>() {
        true => Ok(()),
        false => Err(io::Error::other("the map's layout is not the one asked for")),
    }
}

/// Appends every entry of a hash map to `entries`. Entries that come or go meanwhile may be missing.
///
/// # Errors
/// Whatever `bpf(BPF_MAP_LOOKUP_BATCH)` says (5.6+), with what was read so far left in `entries`.
pub fn read_all<K: Wire, V: Wire>(map: &MapHandle, entries: &mut Vec<(K, V)>) -> io::Result<()> {
    check::<K, V>(map)?;
    let mut room = CHUNK;
    let mut keys = vec![K::default(); room];
    let mut values = vec![V::default(); room];
    let (mut at, mut next) = (0u64, 0u64);
    let mut first = true;
    loop {
        let mut count = room as u32;
        let from = if first { std::ptr::null_mut() } else { std::ptr::from_mut(&mut at) };
        // SAFETY: keys and values hold `room` entries of the sizes checked above; a hash map's position is 4 bytes.
        let result = unsafe {
            libbpf_sys::bpf_map_lookup_batch(
                map.as_fd().as_raw_fd(),
                from.cast(),
                std::ptr::from_mut(&mut next).cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &mut count,
                std::ptr::null(),
            )
        };
        match -result {
            libc::EINTR => continue,
            // One bucket holds more than fits: nothing was copied.
            libc::ENOSPC if room < 1 << 20 => {
                room *= 2;
                keys.resize(room, K::default());
                values.resize(room, V::default());
                continue;
            }
            0 | libc::ENOENT => entries.extend(keys.iter().copied().zip(values.iter().copied()).take(count as usize)),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        if result != 0 {
            return Ok(());
        }
        first = false;
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_its_bytes() {
        let value = net::types::eb_net_moved { tx_bytes: 1, rx_bytes: 2, tx_messages: 3, rx_messages: u64::MAX };
        let back: net::types::eb_net_moved = value_of(bytes_of(&value)).unwrap();
        assert_eq!((back.tx_bytes, back.rx_bytes, back.tx_messages), (1, 2, 3));
        assert_eq!(back.rx_messages, u64::MAX);
    }

    #[test]
    fn short_bytes_are_no_value() {
        assert!(value_of::<net::types::eb_net_moved>(&[0; 31]).is_none());
    }
}

//! The pids in /proc.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;

/// All pids, ascending; the directory is read from its start.
pub(super) fn pids(proc: &impl AsFd) -> Result<Vec<u32>, Errno> {
    let proc: BorrowedFd<'_> = proc.as_fd();
    rustix::fs::seek(proc, SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(proc, &mut buffer);
    let mut pids = Vec::new();
    while let Some(entry) = entries.next() {
        pids.extend(pid(entry?.file_name().to_bytes()));
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// The number a directory of a process is named by.
fn pid(name: &[u8]) -> Option<u32> {
    name.first().filter(|byte| byte.is_ascii_digit())?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_itself_again_and_again() {
        let proc = std::fs::File::open("/proc").unwrap();
        for _ in 0..2 {
            let pids = pids(&proc).unwrap();
            assert!(pids.contains(&std::process::id()) && pids.is_sorted());
        }
    }

    #[test]
    fn only_numbers_are_pids() {
        assert_eq!(
            ["1", "4194304", "self", "+1", "1x", ""].map(|name| pid(name.as_bytes())),
            [Some(1), Some(4_194_304), None, None, None, None]
        );
    }
}

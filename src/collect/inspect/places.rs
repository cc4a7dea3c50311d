//! Namespaces and control groups of a process.

use std::io;
use std::os::fd::OwnedFd;

use super::{fact, read, refused};
use crate::sample::inspection::{Fact, Namespace};
use crate::sample::printable;

/// The kinds there are (namespaces(7)).
const KINDS: [&str; 8] = ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"];
/// Hierarchies of control groups; the kernel has some twelve.
const HIERARCHIES: usize = 32;

/// Its namespaces; a kind that this kernel lacks is left out.
pub(super) fn namespaces(process: &OwnedFd) -> Fact<Vec<Namespace>> {
    let mut found = Vec::new();
    for kind in KINDS {
        match inode(process, &format!("ns/{kind}")) {
            Ok(inode) => {
                let own = rustix::fs::readlink(format!("/proc/self/ns/{kind}"), Vec::new());
                let own = own.ok().and_then(|link| number(link.to_bytes()));
                found.push(Namespace { kind: kind.to_owned(), inode, is_other: own.is_some_and(|own| own != inode) });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return refused(&error),
        }
    }
    Fact::Known(found)
}

fn inode(process: &OwnedFd, path: &str) -> io::Result<u64> {
    let link = rustix::fs::readlinkat(process, path, Vec::new())?;
    number(link.to_bytes()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The number in `pid:[4026531836]`.
fn number(link: &[u8]) -> Option<u64> {
    let (_, number) = std::str::from_utf8(link).ok()?.strip_suffix(']')?.split_once(":[")?;
    number.parse().ok()
}

/// Its control groups, as they stand in the file.
pub(super) fn cgroups(process: &OwnedFd) -> Fact<Vec<String>> {
    let lines = |bytes: &[u8]| bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()).take(HIERARCHIES).map(printable).collect();
    fact(read(process, "cgroup", 64 << 10).map(|(bytes, _)| lines(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_namespace() {
        assert_eq!(number(b"pid:[4026531836]"), Some(4_026_531_836));
        for odd in [&b"pid:[]"[..], b"pid:[x]", b"pid", b"\xff", b"pid:[1"] {
            assert_eq!(number(odd), None);
        }
    }
}

//! The separate file with a program's symbols and debug information, as the distribution's debug packages install it, or the few symbols
//! that a stripped program carries compressed in itself.
//!
//! It is looked for in the root directory of the process, that is in its container, and by build id in ours, too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lzma_rust2::XzReader;
use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags};

use super::process::{FileId, Mapping, Process};
use super::sections::Sections;

const DEBUG_DIR: &str = "usr/lib/debug";
/// A debug file told by its checksum has to be read; above this many bytes only those told by build id are taken.
const CHECKED_MAX: u64 = 64 << 20;
/// Most bytes of compressed symbols; a Linux distribution's largest has some hundred kilobytes.
const COMPRESSED_MAX: u64 = 8 << 20;
/// Most bytes of them once unpacked.
const UNPACKED_MAX: u64 = 64 << 20;
/// Most memory for unpacking, KiB: `xz -9` takes 65 MiB, the format allows 4 GiB.
const UNPACKING_KIB: u32 = 80 << 10;

/// The file that holds the debug information of `program`, which `process` mapped; `None` where none is installed.
pub(super) fn find(process: &Process, mapping: &Mapping, program: &File) -> Option<File> {
    let sections = Sections::read(program).ok()?;
    let build_id = sections.build_id();
    let itself = FileId::of(&program.metadata().ok()?);
    let by_id = build_id.as_deref().map(path_of_build_id);
    let theirs = PathBuf::from(format!("/proc/{}/root", process.pid()));
    let open = |root: &Path, path: &Path| {
        let file = open_in(root, path).ok()?;
        (FileId::of(&file.metadata().ok()?) != itself).then_some(file)
    };
    let same_build = |file: &File| build_id.is_some() && Sections::read(file).is_ok_and(|s| s.build_id() == build_id);
    for root in [&theirs, Path::new("/")] {
        if let Some(file) = by_id.as_deref().and_then(|path| open(root, path)).filter(same_build) {
            return Some(file);
        }
    }
    let (name, crc) = sections.debug_link()?;
    let paths = linked_paths(&mapping.path, Path::new(std::ffi::OsStr::from_bytes(&name)));
    let mut linked = paths.iter().filter_map(|path| open(&theirs, path));
    linked.find(|file| same_build(file) || checksum(file).is_ok_and(|found| found == crc))
}

/// Below the debug directory: first byte, then the others.
fn path_of_build_id(id: &[u8]) -> PathBuf {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, others) = hex.split_at(2.min(hex.len()));
    format!("{DEBUG_DIR}/.build-id/{first}/{others}.debug").into()
}

/// Where gdb looks for the file that a program names: beside it, in `.debug` there, and in the same directory below the debug directory.
fn linked_paths(program: &Path, name: &Path) -> [PathBuf; 3] {
    let dir = program.parent().unwrap_or(Path::new("/"));
    let dir = dir.strip_prefix("/").unwrap_or(dir);
    [dir.join(name), dir.join(".debug").join(name), Path::new(DEBUG_DIR).join(dir).join(name)]
}

/// A plain file below a root directory; its links lead nowhere else.
fn open_in(root: &Path, path: &Path) -> io::Result<File> {
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?;
    let file = File::from(file);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a plain file"));
    }
    Ok(file)
}

fn checksum(file: &File) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    if file.metadata()?.len() > CHECKED_MAX {
        return Err(io::Error::other("too large to be checked"));
    }
    let mut rest = file.take(CHECKED_MAX);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            bytes => hasher.update(&buffer[..bytes]),
        }
    }
}

/// The symbols that distributions leave in stripped programs (`.gnu_debugdata`), as a file of their own in memory; `None` where the
/// program has none, or they are broken or too large.
pub(super) fn unpack(program: &File) -> Option<File> {
    let packed = Sections::read(program).ok()?.content(b".gnu_debugdata", COMPRESSED_MAX)?;
    let symbols = unxz(&packed).ok()?;
    let mut file = File::from(rustix::fs::memfd_create("symbols", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(&symbols).ok()?;
    Some(file)
}

fn unxz(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    XzReader::new_mem_limit(packed, false, UNPACKING_KIB).take(UNPACKED_MAX + 1).read_to_end(&mut unpacked)?;
    match unpacked.len() as u64 > UNPACKED_MAX {
        true => Err(io::Error::other("too large once unpacked")),
        false => Ok(unpacked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 64 bytes `a` by `xz -9`.
    const XZ: &[u8] = include_bytes!("../../tests/corpus/xz/sixty_four_a.xz");
    /// 65 MiB of zeros by `xz -6 --check=crc32`: more than is taken.
    const BOMB: &[u8] = include_bytes!("../../tests/corpus/xz/zeros_65m.xz");
    /// The same with a dictionary of 1 GiB.
    const GREEDY: &[u8] = include_bytes!("../../tests/corpus/xz/dictionary_1g.xz");

    #[test]
    fn where_debug_files_are() {
        assert_eq!(path_of_build_id(&[0xab, 0x01, 0xff]), Path::new("usr/lib/debug/.build-id/ab/01ff.debug"));
        let [beside, below, debug] = linked_paths(Path::new("/opt/x/prog"), Path::new("prog.debug"));
        assert_eq!((beside, below), ("opt/x/prog.debug".into(), "opt/x/.debug/prog.debug".into()));
        assert_eq!(debug, Path::new("usr/lib/debug/opt/x/prog.debug"));
    }

    #[test]
    fn unpacking_is_bounded() {
        assert_eq!(unxz(XZ).unwrap(), [b'a'; 64]);
        let why = |packed: &[u8]| unxz(packed).unwrap_err().to_string();
        assert!(why(BOMB).contains("too large once unpacked"));
        assert!(why(GREEDY).contains("mem"), "{}", why(GREEDY));
        assert!(unxz(&XZ[..XZ.len() / 2]).is_err());
    }

    proptest! {
        #[test]
        fn broken_xz_is_refused_or_read(at in 0..XZ.len(), bytes in prop::collection::vec(any::<u8>(), 1..8)) {
            let mut packed = XZ.to_vec();
            for (to, from) in packed[at..].iter_mut().zip(bytes) {
                *to = from;
            }
            prop_assert!(unxz(&packed).is_ok_and(|text| text == [b'a'; 64]) || unxz(&packed).is_err());
        }
    }
}

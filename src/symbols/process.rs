//! What /proc tells about a process whose addresses are to be named: whether it is still the same one, its executable
//! mappings, and the files behind them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use crate::clock::{boottime_ns, tick_of_start, unix_ms};
use crate::collect::proc_fs::stat::stat;
use crate::readers::Devices;
use crate::sample::{ProcKey, printable};

/// Bytes of /proc/PID/maps read: 64k mappings (the kernel's default limit) with long paths.
const MAPS_MAX: u64 = 32 << 20;

/// Executable mappings kept of one process; a JVM or a browser has some hundreds.
const MAPPINGS_MAX: usize = 8192;

/// A live process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    key: ProcKey,
}

impl Process {
    /// `None` where it has exited, also when its pid now belongs to another.
    pub(crate) fn find(key: ProcKey) -> Option<Process> {
        let process = Process { key };
        process.is_alive().then_some(process)
    }

    /// Whether what was read since the last check came from this process and no successor of its pid.
    pub(crate) fn is_alive(&self) -> bool {
        let told = fs::read(format!("/proc/{}/stat", self.key.pid)).ok();
        told.and_then(|bytes| stat(&bytes)).is_some_and(|stat| stat.start_ticks == tick_of_start(self.key.start_ns))
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.key.pid
    }

    /// When it began by the wall clock as that stands now, ns since 1970.
    pub(crate) fn began_unix_ns(&self) -> i128 {
        let age_ns = boottime_ns().saturating_sub(self.key.start_ns);
        i128::from(unix_ms()) * 1_000_000 - i128::from(age_ns)
    }

    /// Its executable mappings, ascending.
    pub(crate) fn mappings(&self) -> io::Result<Vec<Mapping>> {
        let maps = File::open(format!("/proc/{}/maps", self.key.pid))?;
        let lines = BufReader::with_capacity(1 << 16, maps.take(MAPS_MAX)).split(b'\n');
        lines.filter_map(|line| line.map(|l| parse_mapping(&l)).transpose()).take(MAPPINGS_MAX).collect()
    }

    /// Its pid in its own pid namespace and its effective user.
    pub(crate) fn inner_pid_and_uid(&self) -> Option<(u32, u32)> {
        let status = fs::read(format!("/proc/{}/status", self.key.pid)).ok()?;
        let status = String::from_utf8_lossy(&status);
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let inner = field("NSpid:").and_then(|f| f.split_whitespace().last()?.parse().ok());
        let uid = field("Uid:")?.split_whitespace().nth(1)?.parse().ok()?;
        Some((inner.unwrap_or(self.key.pid), uid))
    }

    /// The file behind a mapping: deleted and replaced files too where we may, else by its path in the process's root. By the path another
    /// file may be there, which its inode tells; the mapping's own is right whatever it is (before 6.7 that of an overlay differs).
    ///
    /// Fails with `TimedOut` where the file system is known not to answer; where that is not known yet this does not return.
    pub(crate) fn open(&self, mapping: &Mapping, devices: &Devices) -> io::Result<(File, FileId)> {
        let exact = format!("/proc/{}/map_files/{:x}-{:x}", self.key.pid, mapping.start, mapping.end);
        let (found, is_exact) = match rustix::fs::open(exact, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(found) => (found, true),
            Err(_) => (self.open_by_path(mapping)?, false),
        };
        // So far it was the process that was waited for.
        let _visit = devices.visit(mapping.device)?;
        let path_only = File::from(found);
        let meta = path_only.metadata()?;
        // A device or pipe may do things when it is opened, and would not end when it is read.
        if !meta.is_file() || !(is_exact || meta.ino() == mapping.inode) {
            return Err(io::Error::other("another file is there now"));
        }
        let file = File::open(reopen_path(&path_only))?;
        Ok((file, FileId::of(&meta)))
    }

    fn open_by_path(&self, mapping: &Mapping) -> io::Result<std::os::fd::OwnedFd> {
        let root = format!("/proc/{}/root", self.key.pid);
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        Ok(rustix::fs::openat2(root, &mapping.path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?)
    }
}

/// A name for an open file that can be opened again.
pub(crate) fn reopen_path(file: &impl std::os::fd::AsRawFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// The same file with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    dev: u64,
    inode: u64,
    pub(crate) bytes: u64,
    changed: (i64, i64),
}

impl FileId {
    pub(crate) fn of(meta: &fs::Metadata) -> FileId {
        FileId { dev: meta.dev(), inode: meta.ino(), bytes: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) }
    }
}

/// What an executable mapping holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// A file on some file system.
    File,
    /// The kernel's vDSO.
    Vdso,
    /// Memory that a runtime wrote code to.
    Anonymous,
}

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Offset of `start` in the file.
    pub(crate) offset: u64,
    /// Major and minor number of its file system.
    device: (u32, u32),
    pub(crate) inode: u64,
    /// As the process sees it; empty for none.
    pub(crate) path: PathBuf,
    pub(crate) backing: Backing,
}

impl Mapping {
    /// The same code at the same place.
    pub(crate) fn is(&self, other: &Mapping) -> bool {
        (self.start, self.end, self.offset, self.inode) == (other.start, other.end, other.offset, other.inode)
    }

    /// Where in the file the byte at `address` comes from.
    pub(crate) fn file_offset(&self, address: u64) -> u64 {
        address.saturating_sub(self.start).saturating_add(self.offset)
    }

    /// Forgets the directories of the path: only opening the file needs them.
    pub(crate) fn slim(&mut self) {
        if let Some(name) = self.path.file_name() {
            self.path = name.into();
        }
    }

    /// File name for the screen, or a word in brackets.
    pub(crate) fn module(&self) -> String {
        match self.backing {
            Backing::File => printable(self.path.file_name().unwrap_or(self.path.as_os_str()).as_bytes()),
            Backing::Vdso => "[vdso]".into(),
            Backing::Anonymous => "[anon]".into(),
        }
    }
}

/// One line of /proc/PID/maps; `None` unless it is executable.
fn parse_mapping(line: &[u8]) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_ascii_start();
        let len = trimmed.iter().position(|&b| b == b' ').unwrap_or(trimmed.len());
        let (word, after) = trimmed.split_at(len);
        rest = after;
        std::str::from_utf8(word).ok()
    };
    let (range, perms, offset, device, inode) = (word()?, word()?, word()?, word()?, word()?);
    if perms.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    if start >= end {
        return None;
    }
    let (major, minor) = device.split_once(':')?;
    let path = rest.trim_ascii_start();
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    Some(Mapping {
        start,
        end,
        offset: u64::from_str_radix(offset, 16).ok()?,
        device: (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?),
        inode: inode.parse().ok()?,
        path: Path::new(std::ffi::OsStr::from_bytes(path)).into(),
        backing: backing(path),
    })
}

/// Shared anonymous memory looks like a deleted file; runtimes that write code through a second mapping use it.
fn backing(path: &[u8]) -> Backing {
    const NOT_FILES: [&[u8]; 5] = [b"/memfd:", b"/dev/zero", b"/SYSV", b"//anon", b"/dev/shm/"];
    match path {
        b"[vdso]" => Backing::Vdso,
        _ if path.first() != Some(&b'/') || NOT_FILES.iter().any(|p| path.starts_with(p)) => Backing::Anonymous,
        _ => Backing::File,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::start_of_tick;
    use proptest::prelude::*;

    #[test]
    fn maps_lines() {
        let line = b"55d0c8a00000-55d0c8a28000 r-xp 0002a000 fd:01 123456                     /usr/bin/a b (deleted)";
        let m = parse_mapping(line).unwrap();
        assert_eq!((m.start, m.end, m.offset, m.inode), (0x55d0c8a00000, 0x55d0c8a28000, 0x2a000, 123456));
        assert_eq!(m.device, (0xfd, 1));
        assert_eq!((m.path.to_str(), m.module().as_str(), m.backing), (Some("/usr/bin/a b"), "a b", Backing::File));
        assert_eq!(parse_mapping(b"7f00-7f10 rw-p 00000000 00:00 0 "), None);
        let anon = parse_mapping(b"7f00-7f10 rwxp 00000000 00:00 0 ").unwrap();
        assert_eq!((anon.module().as_str(), anon.backing), ("[anon]", Backing::Anonymous));
        let vdso = parse_mapping(b"7ffd-7fff r-xp 00000000 00:00 0                          [vdso]").unwrap();
        assert_eq!(vdso.backing, Backing::Vdso);
        let memfd = parse_mapping(b"7f00-7f10 r-xs 00000000 00:01 9    /memfd:doublemapper (deleted)").unwrap();
        assert_eq!(memfd.backing, Backing::Anonymous);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let pid = std::process::id();
        let ticks = stat(&fs::read("/proc/self/stat").unwrap()).unwrap().start_ticks;
        assert!(Process::find(ProcKey { pid, start_ns: start_of_tick(ticks) + 1_234_567 }).is_some());
        assert!(Process::find(ProcKey { pid, start_ns: start_of_tick(ticks - 1) }).is_none());
    }

    proptest! {
        #[test]
        fn any_line_parses(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse_mapping(&line);
        }

        #[test]
        fn what_looks_like_a_mapping_is_one(
            line in "[0-9a-f]{0,17}-[0-9a-f]{0,17} r-xp [0-9a-f]{0,17} [0-9]{2}:[0-9]{2} [0-9]{0,21} {0,3}(/\\PC{0,20}|\\[vdso\\]|)",
            address: u64,
        ) {
            if let Some(mapping) = parse_mapping(line.as_bytes()) {
                prop_assert!(mapping.start < mapping.end);
                mapping.file_offset(address);
                prop_assert!(!mapping.module().chars().any(char::is_control));
            }
        }
    }
}

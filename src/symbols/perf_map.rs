//! Names of code that a runtime wrote at run time, from the `/tmp/perf-PID.map` it leaves for profilers.
//!
//! The file belongs to the process and may hold anything: lines that make no sense are skipped, its size is capped.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::process::Process;
use crate::sample::printable;

/// Bytes read, from the end: the newest code is the one that runs.
const BYTES_MAX: u64 = 32 << 20;
/// Entries kept, the last ones.
const ENTRIES_MAX: usize = 500_000;
/// Bytes kept of one name.
const NAME_MAX: usize = 512;
/// How far the wall clock may have been set forward since a process began, ns: what it wrote before that is still its own.
const CLOCK_SET_NS: i128 = 10_000_000_000;
/// So many entries before an address are asked whether they cover it.
const LOOK_BACK: usize = 8;

/// Which state of the file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    inode: u64,
    bytes: u64,
    changed_ns: i128,
}

/// Code ranges and their names.
#[derive(Debug, Default)]
pub(super) struct PerfMap {
    /// Ascending by start, each start once; `name_at` is the smaller the newer an entry is.
    entries: Vec<Entry>,
    names: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u64,
    end: u64,
    name_at: u32,
    name_len: u16,
}

impl PerfMap {
    /// Reads lines `START SIZE NAME`, hexadecimal with or without `0x`. Of two that start at one address the later is right.
    pub(super) fn parse(text: &[u8]) -> PerfMap {
        let mut map = PerfMap::default();
        for line in text.rsplit(|&b| b == b'\n') {
            let Some((start, end, name)) = parse_line(line) else { continue };
            let name = &name[..name.len().min(NAME_MAX)];
            let Ok(name_at) = u32::try_from(map.names.len()) else { break };
            map.entries.push(Entry { start, end, name_at, name_len: name.len() as u16 });
            map.names.extend_from_slice(name);
            if map.entries.len() == ENTRIES_MAX {
                break;
            }
        }
        // The newest came first, and of equal ones the first stays.
        map.entries.sort_by_key(|e| e.start);
        map.entries.dedup_by_key(|e| e.start);
        map
    }

    /// Memory it takes, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.names.capacity()
    }

    /// Name of the newest code at `address` and its start, fit for a terminal: what it was written over is there no more.
    pub(super) fn find(&self, address: u64) -> Option<(String, u64)> {
        let after = self.entries.partition_point(|e| e.start <= address);
        let nearest = &self.entries[after.saturating_sub(LOOK_BACK)..after];
        let entry = nearest.iter().filter(|e| address < e.end).min_by_key(|e| e.name_at)?;
        let name = &self.names[entry.name_at as usize..][..usize::from(entry.name_len)];
        Some((printable(name), entry.start))
    }
}

fn parse_line(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (start, rest) = split_word(line)?;
    let (size, name) = split_word(rest)?;
    let (start, size) = (parse_hex(start)?, parse_hex(size)?);
    let end = start.checked_add(size)?;
    (size > 0 && !name.is_empty()).then_some((start, end, name))
}

fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|&b| b == b' ')?;
    Some((&text[..space], &text[space + 1..]))
}

fn parse_hex(word: &[u8]) -> Option<u64> {
    let word = word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).unwrap_or(word);
    if !word.first()?.is_ascii_hexdigit() {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()
}

/// Opens the perf map that `process` left in its own /tmp, under the pid it has there. `Ok(None)` = it left none.
///
/// Refused, with a line for the screen, where the file is not a plain file of the process's user or of root, or was there before it began:
/// in a container that was started again the pids are the same, and files stay.
pub(super) fn open(process: &Process) -> Result<Option<(File, Version)>, String> {
    let Some((ns_pid, uid)) = process.inner_pid_and_uid() else { return Ok(None) };
    let file = match open_in_root(process.pid(), &format!("tmp/perf-{ns_pid}.map")) {
        Ok(fd) => File::from(fd),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("its perf map cannot be opened: {error}")),
    };
    let meta = file.metadata().map_err(|e| format!("its perf map cannot be read: {e}"))?;
    if !meta.is_file() || (meta.uid() != uid && meta.uid() != 0) {
        return Err("its perf map is not a plain file of its own user".into());
    }
    let changed_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    if changed_ns + CLOCK_SET_NS < process.began_unix_ns() {
        return Err("its perf map was written before the process began, by another with its pid: have its runtime write a new one".into());
    }
    Ok(Some((file, Version { inode: meta.ino(), bytes: meta.len(), changed_ns })))
}

/// Why code written at run time has no names, and how its runtime, told by the files mapped, gives them.
pub(super) fn how_to_get(pid: u32, modules: impl IntoIterator<Item = String>) -> String {
    let advice = modules.into_iter().find_map(|module| match module.as_str() {
        "node" | "nodejs" => Some("start it with `node --perf-basic-prof`".to_owned()),
        name if name.starts_with("libnode.so") => Some("start it with `node --perf-basic-prof`".to_owned()),
        // Compiler.perfmap came with JDK 17; the frame pointers make the stacks below Java code whole.
        "libjvm.so" => Some(format!("run `jcmd {pid} Compiler.perfmap`; start it with -XX:+PreserveFramePointer for whole stacks")),
        "libcoreclr.so" => Some("start it with DOTNET_PerfMapEnabled=1".to_owned()),
        _ => None,
    });
    let advice = advice.unwrap_or_else(|| "the runtime left no /tmp/perf-PID.map".to_owned());
    format!("code written at run time has no names: {advice}")
}

/// Reads and parses, at most [`BYTES_MAX`] bytes.
pub(super) fn read(file: &File, version: Version) -> io::Result<PerfMap> {
    let start = version.bytes.saturating_sub(BYTES_MAX);
    let mut text = vec![0; usize::try_from(version.bytes - start).unwrap_or(0)];
    let mut len = 0;
    while len < text.len() {
        match file.read_at(&mut text[len..], start + len as u64)? {
            0 => break,
            n => len += n,
        }
    }
    let text = &text[..len];
    // What is left of a line that was cut is none.
    let cut = if start > 0 { text.iter().position(|&b| b == b'\n').unwrap_or(len) } else { 0 };
    Ok(PerfMap::parse(&text[cut..]))
}

/// Opens `path` below the root directory of a process; its links lead nowhere else, and a pipe does not block.
fn open_in_root(pid: u32, path: &str) -> io::Result<OwnedFd> {
    let root = rustix::fs::open(format!("/proc/{pid}/root"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(map: &PerfMap, address: u64) -> Option<String> {
        map.find(address).map(|(name, _)| name)
    }

    #[test]
    fn names_with_spaces_and_prefixes() {
        let map = PerfMap::parse(b"1000 10 LazyCompile:~f x.js:1\n0x2000 0x20 jdk.internal::foo\r\n");
        assert_eq!(name(&map, 0x100f).as_deref(), Some("LazyCompile:~f x.js:1"));
        assert_eq!(map.find(0x201f), Some(("jdk.internal::foo".into(), 0x2000)));
        assert_eq!(name(&map, 0x1010), None);
        assert_eq!(name(&map, 0xfff), None);
    }

    #[test]
    fn bad_lines_are_skipped() {
        let map = PerfMap::parse(b"\n\0\xff\n10\n10 10\nzz 10 a\n-1 10 b\n+5 10 c\nffffffffffffffff 2 over\n30 0 empty\n40 8 good\n40");
        assert_eq!(map.entries.len(), 1);
        assert_eq!(name(&map, 0x41).as_deref(), Some("good"));
    }

    #[test]
    fn later_code_at_the_same_address_wins() {
        let map = PerfMap::parse(b"100 10 old\n200 10 other\n100 8 new\n");
        assert_eq!(name(&map, 0x101).as_deref(), Some("new"));
        assert_eq!(name(&map, 0x109), None);
    }

    #[test]
    fn of_too_many_the_newest_stay() {
        let line = |at: usize| format!("{:x} 10 n{at}\n", at * 16);
        let text: String = (0..ENTRIES_MAX + 2).map(line).collect();
        let map = PerfMap::parse(text.as_bytes());
        let last = ENTRIES_MAX as u64 + 1;
        assert_eq!((map.entries.len(), name(&map, last * 16), name(&map, 16)), (ENTRIES_MAX, Some(format!("n{last}")), None));
    }

    #[test]
    fn the_line_that_is_cut_is_left_out() {
        let path = tempfile::NamedTempFile::new().unwrap();
        // The end of the first line would be one itself.
        let (first, last) = ("x 7770 10 no\n", "8880 10 yes\n");
        let filler = "\n".repeat(BYTES_MAX as usize + 2 - first.len() - last.len());
        std::fs::write(path.path(), [first, &filler, last].concat()).unwrap();
        let map = read(path.as_file(), Version { inode: 0, bytes: BYTES_MAX + 2, changed_ns: 0 }).unwrap();
        assert_eq!((name(&map, 0x7770), name(&map, 0x8880)), (None, Some("yes".into())));
    }

    #[test]
    fn a_range_inside_another() {
        let map = PerfMap::parse(b"100 100 outer\n120 10 inner\n");
        assert_eq!(name(&map, 0x125).as_deref(), Some("inner"));
        assert_eq!(name(&map, 0x140).as_deref(), Some("outer"));
    }

    #[test]
    fn code_written_over_older_code_wins() {
        let map = PerfMap::parse(b"1100 80 freed\n1000 200 new\n");
        assert_eq!([0x1000, 0x1120, 0x11ff].map(|at| name(&map, at)), ["new"; 3].map(|new| Some(new.to_owned())));
    }

    #[test]
    fn names_are_fit_for_a_terminal() {
        let map = PerfMap::parse(b"100 10 \x1b]0;x\x07\n");
        assert_eq!(name(&map, 0x100).as_deref(), Some("\u{fffd}]0;x\u{fffd}"));
    }

    #[test]
    fn each_runtime_has_its_own_way_to_names() {
        let advice = |modules: &[&str]| how_to_get(7, modules.iter().map(|m| m.to_string()));
        assert!(advice(&["libc.so.6", "node"]).contains("--perf-basic-prof"));
        assert!(advice(&["libnode.so.108"]).contains("--perf-basic-prof"));
        assert!(advice(&["java", "libjvm.so"]).contains("jcmd 7 Compiler.perfmap"));
        assert!(advice(&["dotnet", "libcoreclr.so"]).contains("DOTNET_PerfMapEnabled"));
        assert!(advice(&["luajit"]).contains("perf-PID.map"));
    }

    proptest! {
        #[test]
        fn any_bytes_parse(text in prop::collection::vec(any::<u8>(), 0..400), address: u64) {
            let map = PerfMap::parse(&text);
            prop_assert!(map.find(address).is_none_or(|(n, start)| start <= address && n.chars().all(|c| !c.is_control())));
        }

        #[test]
        fn every_good_line_is_found(lines in prop::collection::btree_map(0u64..1 << 40, 1u64..64, 1..50)) {
            let text: String = lines.iter().map(|(at, size)| format!("{:x} {size:x} n{at}\n?\n", at * 64)).collect();
            let map = PerfMap::parse(text.as_bytes());
            for (at, size) in lines {
                let expected = format!("n{at}");
                prop_assert_eq!(name(&map, at * 64 + size - 1), Some(expected));
            }
        }
    }
}

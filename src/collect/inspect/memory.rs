//! What a process has mapped, from `smaps`: by file or name, the largest first.
//!
//! The kernel walks the page tables for it, holding the lock of the process's memory for a page of text at a time.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::{Deadline, open, refused};
use crate::clock;
use crate::sample::inspection::{Fact, Listing, Mapping, MemoryMap};
use crate::sample::printable;

/// With more resident, reading waits until somebody asks for it: a GiB of small pages takes some 30 ms of CPU (measured on Linux 6.18).
const CHEAP_BYTES: u64 = 2 << 30;
/// Time for a map that is read unasked, and for one that somebody asked for.
const TIME: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// Names that are told apart; what comes later is counted in the sum alone.
const NAMES: usize = 16_384;
/// Names that are kept.
const KEPT: usize = 64;
/// Bytes of a line; longer ones are cut. Paths have 4,096 at most, and escapes.
const LINE: usize = 20_000;

/// Reads the map, unless it is a dear one and nobody asked for it.
pub(super) fn read(process: &OwnedFd, asked: bool) -> Fact<MemoryMap> {
    match resident(process) {
        Some(bytes) if bytes > CHEAP_BYTES && !asked => {
            Fact::Refused(format!("{} GiB are resident, which takes a while: m reads it", bytes >> 30).into())
        }
        _ => match walk(process, TIME[usize::from(asked)]) {
            Ok(map) => Fact::Known(map),
            Err(error) => refused(&error),
        },
    }
}

/// Resident bytes, from `statm`.
fn resident(process: &OwnedFd) -> Option<u64> {
    let (bytes, _) = super::read(process, "statm", 256).ok()?;
    let pages: u64 = std::str::from_utf8(&bytes).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}

fn walk(process: &OwnedFd, time: Duration) -> io::Result<MemoryMap> {
    let (began, deadline) = (Instant::now(), Deadline::after(time));
    let file = open(process, "smaps")?;
    let mut reader = Reader::default();
    let mut buffer = vec![0; 64 << 10];
    let mut is_cut = false;
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut buffer[..]))? {
            0 => break,
            length => reader.take(&buffer[..length]),
        }
        if deadline.is_past() {
            is_cut = true;
            break;
        }
    }
    let map = reader.finish();
    Ok(MemoryMap { took_ns: began.elapsed().as_nanos() as u64, at_ns: clock::boottime_ns(), is_cut, ..map })
}

/// Takes the text of `smaps` in pieces, cut anywhere.
#[derive(Default)]
struct Reader {
    /// The beginning of a line whose end is still to come.
    line: Vec<u8>,
    names: FxHashMap<Box<[u8]>, usize>,
    mappings: Vec<Mapping>,
    sum: Mapping,
    private_bytes: u64,
    /// Of the mapping that the lines are about.
    current: Option<usize>,
}

impl Reader {
    fn take(&mut self, mut text: &[u8]) {
        while let Some(end) = text.iter().position(|&b| b == b'\n') {
            let mut line = std::mem::take(&mut self.line);
            if line.is_empty() {
                self.take_line(&text[..end]);
            } else {
                line.extend(&text[..end.min(LINE)]);
                self.take_line(&line);
                line.clear();
                self.line = line;
            }
            text = &text[end + 1..];
        }
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend(&text[..text.len().min(room)]);
    }

    /// A line about a value begins with a capital, that of a mapping with a hexadecimal number in small letters.
    fn take_line(&mut self, line: &[u8]) {
        let line = &line[..line.len().min(LINE)];
        match line.first() {
            Some(b) if b.is_ascii_uppercase() => self.take_value(line),
            Some(b) if b.is_ascii_hexdigit() => self.begin(line),
            _ => {}
        }
    }

    /// `from-to rights offset device inode   name`
    fn begin(&mut self, line: &[u8]) {
        let mut rest = line;
        for _ in 0..5 {
            let blank = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
            rest = rest[blank..].trim_ascii_start();
        }
        let name = if rest.is_empty() { &b"anonymous"[..] } else { rest };
        self.sum.count += 1;
        let known = self.names.get(name).copied();
        self.current = known.or_else(|| {
            (self.mappings.len() < NAMES).then(|| {
                self.names.insert(name.into(), self.mappings.len());
                self.mappings.push(Mapping { name: printable(name), ..Mapping::default() });
                self.mappings.len() - 1
            })
        });
        if let Some(index) = self.current {
            self.mappings[index].count += 1;
        }
    }

    /// `Rss:      12 kB`
    fn take_value(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&b| b == b':') else { return };
        let field: fn(&mut Mapping) -> &mut u64 = match &line[..colon] {
            b"Size" => |m| &mut m.size_bytes,
            b"Rss" => |m| &mut m.rss_bytes,
            b"Pss" => |m| &mut m.pss_bytes,
            b"Swap" => |m| &mut m.swap_bytes,
            b"Private_Clean" | b"Private_Dirty" => {
                self.private_bytes = self.private_bytes.saturating_add(kilobytes(&line[colon + 1..]));
                return;
            }
            _ => return,
        };
        let bytes = kilobytes(&line[colon + 1..]);
        let own = self.current.and_then(|index| self.mappings.get_mut(index));
        for mapping in own.into_iter().chain([&mut self.sum]) {
            let value = field(mapping);
            *value = value.saturating_add(bytes);
        }
    }

    fn finish(mut self) -> MemoryMap {
        self.mappings.sort_by(|a, b| b.rss_bytes.cmp(&a.rss_bytes).then(b.size_bytes.cmp(&a.size_bytes)));
        let total = self.mappings.len();
        let is_cut = total == NAMES;
        self.mappings.truncate(KEPT);
        let top = Listing { first: self.mappings, total, is_cut };
        MemoryMap { sum: self.sum, private_bytes: self.private_bytes, top, ..MemoryMap::default() }
    }
}

fn kilobytes(text: &[u8]) -> u64 {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.split_ascii_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
55d0c0000000-55d0c0010000 r-xp 00000000 fe:00 1234                       /usr/bin/my server\n\
Size:                 64 kB\nRss:                  48 kB\nPss:                  24 kB\nPrivate_Clean:         8 kB\nSwap:                  0 kB\nVmFlags: rd ex\n\
7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n\
Size:               1024 kB\nRss:                 512 kB\nPss:                 512 kB\nPrivate_Dirty:       512 kB\nSwap:                 16 kB\n\
7f0000200000-7f0000201000 r--p 00010000 fe:00 1234                       /usr/bin/my server\n\
Size:                  4 kB\nRss:                   4 kB\nPss:                   2 kB\n";

    fn read(text: &[u8], piece: usize) -> MemoryMap {
        let mut reader = Reader::default();
        text.chunks(piece.max(1)).for_each(|piece| reader.take(piece));
        reader.finish()
    }

    #[test]
    fn mappings_of_one_name_are_added_up_wherever_the_text_is_cut() {
        for piece in [1, 7, 64, 4096] {
            let map = read(TEXT.as_bytes(), piece);
            let kib = 1024;
            let server = Mapping {
                name: "/usr/bin/my server".into(),
                count: 2,
                size_bytes: 68 * kib,
                rss_bytes: 52 * kib,
                pss_bytes: 26 * kib,
                swap_bytes: 0,
            };
            assert_eq!(map.top.first[1], server, "in pieces of {piece}");
            assert_eq!(map.top.first[0].name, "anonymous");
            assert_eq!((map.sum.count, map.sum.rss_bytes, map.sum.swap_bytes, map.private_bytes), (3, 564 * kib, 16 * kib, 520 * kib));
        }
    }

    #[test]
    fn what_is_too_much_is_cut() {
        let long = format!("0-1 r 0 0 0 /{}\nRss: 4 kB\n", "x".repeat(3 * LINE));
        let map = read(long.as_bytes(), 4096);
        assert!(map.top.first[0].name.len() <= LINE && map.sum.rss_bytes == 4096);
        let many: String = (0..NAMES + 9).map(|i| format!("0-1 r 0 0 0 /{i}\nRss: 4 kB\n")).collect();
        let map = read(many.as_bytes(), 1 << 20);
        assert_eq!((map.top.first.len(), map.top.total, map.top.is_cut), (KEPT, NAMES, true));
        assert_eq!(map.sum.rss_bytes, (NAMES as u64 + 9) * 4096);
    }

    proptest! {
        #[test]
        fn any_text_is_read_alike_in_any_pieces(text in "([0-9a-f]{1,3}-[0-9] r 0 0 0 ?[/a-z\\[\\]]{0,4}\n?|(Size|Rss|Pss|Swap):? ?[0-9]{0,21} kB\n){0,9}", noise: Vec<u8>, piece in 1usize..50) {
            for bytes in [text.as_bytes(), &noise] {
                prop_assert_eq!(read(bytes, piece), read(bytes, usize::MAX));
            }
        }
    }
}

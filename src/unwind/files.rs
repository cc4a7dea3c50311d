//! The tables of files, each built once however many processes map the file.

use std::time::{Duration, Instant};

use rustc_hash::{FxHashMap, FxHashSet};

use super::arena::{Arena, Words};
use super::elf::Elf;
use super::layout::{Kind, MappingEntry, PAGE_BYTES};
use super::pages::PIECE_BYTES;
use super::reading::{Reading, Source};
use super::rule::{Arch, Rules};
use super::store::Looked;
use super::table::{self, NoTable, Table};
use crate::symbols::process::FileId;

/// After this time a table that found no room is tried again, if there may be some by then.
const RETRY: Duration = Duration::from_secs(5);
/// What was used within this time keeps its place.
pub(super) const HOT: Duration = Duration::from_secs(10);

/// A number for a file, for as long as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileNumber(u32);

/// Files that sampled processes map.
#[derive(Default)]
pub(super) struct Files {
    numbers: FxHashMap<FileId, FileNumber>,
    known: FxHashMap<FileNumber, Known>,
    next: u32,
}

struct Known {
    id: FileId,
    /// To find addresses by; `None` where the file is no program.
    elf: Option<Elf>,
    table: Result<Table, NoTable>,
    used: Instant,
    tried: Instant,
    /// Bytes that were to spare when it was tried.
    spare_bytes: u64,
}

impl Known {
    /// Others gave up so much since it was tried that its table, which takes about as much as its section, may fit now.
    fn has_room_in(&self, arena: &Arena) -> bool {
        arena.spare_bytes().saturating_sub(self.spare_bytes) > self.section_bytes() / 2
    }

    fn section_bytes(&self) -> u64 {
        self.elf.as_ref().and_then(|elf| elf.eh_frame).map_or(0, |section| section.bytes)
    }
}

/// Where tables come from and go to while they are built.
pub(super) struct Site<'a, M> {
    pub(super) reading: &'a mut Reading,
    pub(super) rules: &'a mut Rules,
    pub(super) arena: &'a mut Arena,
    pub(super) memory: &'a mut M,
    /// Most bytes to build one with.
    pub(super) work_bytes: u64,
    /// Sections of more bytes are left for later.
    pub(super) large_bytes: u64,
}

impl Files {
    /// The number of a file that is known already.
    pub(super) fn number(&self, id: FileId) -> Option<FileNumber> {
        self.numbers.get(&id).copied()
    }

    /// Whether the file of this number is still known.
    pub(super) fn is_known(&self, number: FileNumber) -> bool {
        self.known.contains_key(&number)
    }

    /// Whether building the table would now be worth while, of sections of at most so many bytes; others may make room.
    pub(super) fn wants_table(
        &self,
        number: FileNumber,
        most_bytes: u64,
        arena: &Arena,
        may_have_room: impl Fn() -> bool,
        now: Instant,
    ) -> bool {
        self.known.get(&number).is_some_and(|known| match known.table {
            Err(NoTable::NoRoom) => now.duration_since(known.tried) > RETRY && (known.has_room_in(arena) || may_have_room()),
            Err(NoTable::Later) => known.section_bytes() <= most_bytes,
            Err(NoTable::Nothing) | Ok(_) => false,
        })
    }

    /// Bytes of its section, where its table is left for later.
    pub(super) fn bytes_for_later(&self, number: FileNumber) -> Option<u64> {
        self.known.get(&number).filter(|known| matches!(known.table, Err(NoTable::Later))).map(Known::section_bytes)
    }

    /// Reads a file and builds its table, as good as it gets. Nothing changes where the process that it is read from does not answer.
    pub(super) fn add<M: Words>(&mut self, source: Source<'_>, id: FileId, site: &mut Site<'_, M>) -> Result<FileNumber, Looked> {
        let (elf, table) = read_and_build(source, id, site)?;
        let number = self.number(id).unwrap_or_else(|| {
            self.next += 1;
            self.numbers.insert(id, FileNumber(self.next));
            FileNumber(self.next)
        });
        let now = Instant::now();
        self.known.insert(number, Known { id, elf, table, used: now, tried: now, spare_bytes: site.arena.spare_bytes() });
        Ok(number)
    }

    /// Which file has this number.
    pub(super) fn id(&self, number: FileNumber) -> Option<FileId> {
        self.known.get(&number).map(|known| known.id)
    }

    /// Marks it as in use.
    pub(super) fn touch(&mut self, number: FileNumber, now: Instant) {
        if let Some(known) = self.known.get_mut(&number) {
            known.used = now;
        }
    }

    /// As if these alone were used and tried since then.
    #[cfg(test)]
    pub(super) fn age_all_but(&mut self, used: &[FileNumber], since: Instant) {
        for (_, known) in self.known.iter_mut().filter(|(number, _)| !used.contains(number)) {
            (known.used, known.tried) = (since, since);
        }
    }

    /// Whether a table was refused for want of room.
    pub(super) fn lacks_room(&self, number: FileNumber) -> bool {
        self.known.get(&number).is_some_and(|k| matches!(k.table, Err(NoTable::NoRoom)))
    }

    /// The file with a table that was not used for longest, of those that are not `mapped` or were not used lately; those `held` stay
    /// however long ago it was, as what leads to their tables is just being written.
    pub(super) fn coldest(&self, mapped: &FxHashSet<FileNumber>, held: &[FileNumber], now: Instant) -> Option<FileNumber> {
        let is_old = |number: &FileNumber, known: &Known| !mapped.contains(number) || now.duration_since(known.used) > HOT;
        let is_cold = |number: &FileNumber, known: &Known| is_old(number, known) && !held.contains(number);
        let cold = self.known.iter().filter(|(number, known)| known.table.is_ok() && is_cold(number, known));
        cold.min_by_key(|(number, known)| (mapped.contains(number), known.used)).map(|(number, _)| *number)
    }

    /// Files that were not used for so long.
    pub(super) fn unused(&self, now: Instant, time: Duration) -> Vec<FileNumber> {
        self.known.iter().filter(|(_, k)| now.duration_since(k.used) > time).map(|(number, _)| *number).collect()
    }

    /// Forgets a file; its memory goes back to the arena and its rules are free, so nothing may lead there any more.
    pub(super) fn remove(&mut self, number: FileNumber, arena: &mut Arena, rules: &mut Rules) {
        let Some(known) = self.known.remove(&number) else { return };
        self.numbers.remove(&known.id);
        let Ok(Table { runs, rules: used, .. }) = known.table else { return };
        let now = Instant::now();
        runs.into_iter().for_each(|run| arena.give(run, now));
        rules.give(&used, now);
    }

    /// Tables there are, their rows, and files that found no room.
    pub(super) fn count(&self) -> (usize, u64, usize) {
        let tables = self.known.values().filter_map(|k| k.table.as_ref().ok());
        let (count, rows) = tables.fold((0, 0), |(n, rows), t| (n + 1, rows + t.rows));
        (count, rows, self.known.values().filter(|k| matches!(k.table, Err(NoTable::NoRoom))).count())
    }

    /// Appends what the kernel half should know of a mapping of the file from `offset` on.
    pub(super) fn entries(&self, number: FileNumber, start: u64, end: u64, offset: u64, entries: &mut Vec<MappingEntry>) {
        let bare = |kind| MappingEntry { start, end, bias: 0, pages_at: 0, kind };
        let known = self.known.get(&number);
        let table = match known.map(|k| &k.table) {
            Some(Ok(table)) => table,
            Some(Err(NoTable::Nothing)) => return entries.push(bare(Kind::Bare)),
            Some(Err(NoTable::NoRoom | NoTable::Later)) | None => return entries.push(bare(Kind::Pending)),
        };
        match known.and_then(|k| k.elf.as_ref()?.address_of(offset)) {
            Some(address) => pieces(table, start, end, start.wrapping_sub(address), entries),
            None => entries.push(bare(Kind::Bare)),
        }
    }
}

/// `shift` is what was added to the addresses that the file asks for.
fn pieces(table: &Table, start: u64, end: u64, shift: u64, entries: &mut Vec<MappingEntry>) {
    for (i, &pages_at) in table.pieces.iter().enumerate() {
        let first = table.first + i as u64 * PIECE_BYTES;
        let bias = first.wrapping_add(shift);
        let covered = (table.end - first).min(PIECE_BYTES).next_multiple_of(PAGE_BYTES);
        let (start, end) = (start.max(bias), end.min(bias.saturating_add(covered)));
        if start < end {
            entries.push(MappingEntry { start, end, bias, pages_at, kind: Kind::Table });
        }
    }
}

/// A file's headers, if it is a program, and its table.
type Built = (Option<Elf>, Result<Table, NoTable>);

fn read_and_build<M: Words>(source: Source<'_>, id: FileId, site: &mut Site<'_, M>) -> Result<Built, Looked> {
    let Some(elf) = site.reading.head(source, id)? else { return Ok((None, Err(NoTable::Nothing))) };
    let Some(section) = elf.eh_frame.filter(|s| s.bytes > 0 && elf.arch == Arch::HERE) else {
        return Ok((Some(elf), Err(NoTable::Nothing)));
    };
    if section.bytes > site.work_bytes {
        return Ok((Some(elf), Err(NoTable::NoRoom)));
    }
    if section.bytes > site.large_bytes {
        return Ok((Some(elf), Err(NoTable::Later)));
    }
    let table = match site.reading.section(source, id, section)? {
        Some(bytes) => table::build(&elf, section, &bytes, site.rules, site.arena, site.memory),
        None => Err(NoTable::Nothing),
    };
    Ok((Some(elf), table))
}

//! Writes rows, as they come in address order, to the pages of a table.

use std::time::Instant;

use super::arena::{Arena, Run, Words};
use super::layout::{PAGE_BYTES, PAGE_WORDS, row};

/// Code that one list of pages covers: as many pages as fit in a chunk.
pub(super) const PIECE_BYTES: u64 = (Arena::RUN_WORDS_MAX / PAGE_WORDS) as u64 * PAGE_BYTES;

/// A table while it is written.
pub(super) struct Pages<'a, M> {
    arena: &'a mut Arena,
    memory: &'a mut M,
    now: Instant,
    /// What a row says where nothing holds.
    none: u16,
    /// Address of the first page.
    first: u64,
    /// Where code ends.
    end: u64,
    /// All that was taken from the arena.
    runs: Vec<Run>,
    /// Where the lists of pages lie.
    lists: Vec<u32>,
    /// Entries not yet written, of the list for [`Pages::page`].
    list: Vec<u32>,
    /// Number of the page that is being written.
    page: u64,
    page_rows: Vec<u32>,
    /// What holds from the last row on.
    holds: u16,
    /// Where rows go next, and where that space ends.
    free: (u32, u32),
    /// The last page with a single row, as others repeat it.
    single: Option<(u32, u32)>,
    rows: u64,
}

impl<'a, M: Words> Pages<'a, M> {
    /// For code from `first` to `end`. `None` where there is no room for the lists of pages.
    pub(super) fn new(first: u64, end: u64, none: u16, arena: &'a mut Arena, memory: &'a mut M) -> Option<Self> {
        let mut pages = Pages {
            arena,
            memory,
            now: Instant::now(),
            none,
            first,
            end,
            runs: Vec::new(),
            lists: Vec::new(),
            list: Vec::new(),
            page: 0,
            page_rows: Vec::new(),
            holds: none,
            free: (0, 0),
            single: None,
            rows: 0,
        };
        let mut left = end - first;
        while left > 0 {
            let piece = left.min(PIECE_BYTES);
            let words = piece.div_ceil(PAGE_BYTES) as u32 * PAGE_WORDS;
            let Some(run) = pages.take(words) else {
                pages.give_up();
                return None;
            };
            pages.lists.push(run.at);
            // What the list leaves over is for rows.
            pages.free = (run.at + words, run.at + run.words());
            left -= piece;
        }
        Some(pages)
    }

    /// From `pc` on `what` holds. To be called in ascending order; false where there is no more room.
    pub(super) fn push(&mut self, pc: u64, what: u16) -> bool {
        if pc < self.first || pc >= self.end {
            return true;
        }
        let (page, offset) = ((pc - self.first) / PAGE_BYTES, ((pc - self.first) % PAGE_BYTES) as u16);
        while self.page < page {
            if !self.flush() {
                return false;
            }
        }
        if self.holds == what {
            return true;
        }
        if self.page_rows.is_empty() && offset > 0 {
            self.page_rows.push(row(0, self.holds));
        }
        self.page_rows.pop_if(|last| *last as u16 == offset);
        self.page_rows.push(row(offset, what));
        self.holds = what;
        true
    }

    /// Writes what is left; where the lists lie, all runs, and how many rows there are. `None` where there is no room, and all is given back.
    pub(super) fn finish(mut self) -> Option<(Vec<u32>, Vec<Run>, u64)> {
        let pages = (self.end - self.first).div_ceil(PAGE_BYTES);
        while self.page < pages {
            if !self.flush() {
                self.give_up();
                return None;
            }
        }
        if !self.write_list(pages.saturating_sub(1)) {
            self.give_up();
            return None;
        }
        Some((self.lists, self.runs, self.rows))
    }

    /// Gives everything back.
    pub(super) fn give_up(&mut self) {
        for run in self.runs.drain(..) {
            self.arena.give(run, self.now);
        }
    }

    fn take(&mut self, words: u32) -> Option<Run> {
        let run = self.arena.take(words, self.memory, self.now)?;
        self.runs.push(run);
        Some(run)
    }

    /// Ends a page.
    fn flush(&mut self) -> bool {
        if self.page_rows.is_empty() && self.holds != self.none {
            self.page_rows.push(row(0, self.holds));
        }
        let Some((at, rows)) = self.write_rows() else { return false };
        self.page_rows.clear();
        self.list.extend([at, rows]);
        self.page += 1;
        let full = self.list.len() as u64 * PAGE_BYTES / u64::from(PAGE_WORDS) == PIECE_BYTES;
        !full || self.write_list(self.page - 1)
    }

    /// Where the rows of the page are now, and how many.
    fn write_rows(&mut self) -> Option<(u32, u32)> {
        let words = self.page_rows.len() as u32;
        match (self.page_rows.as_slice(), self.single) {
            ([], _) => return Some((0, 0)),
            ([only], Some((word, at))) if *only == word => return Some((at, 1)),
            _ => {}
        }
        if self.free.1 - self.free.0 < words {
            let run = self.take(words)?;
            self.free = (run.at, run.at + run.words());
        }
        let at = self.free.0;
        self.memory.write(at, &self.page_rows).ok()?;
        self.free.0 += words;
        self.rows += u64::from(words);
        if let [only] = self.page_rows[..] {
            self.single = Some((only, at));
        }
        Some((at, words))
    }

    /// Writes the list that the page with this number belongs to.
    fn write_list(&mut self, page: u64) -> bool {
        if self.list.is_empty() {
            return true;
        }
        let list = self.lists.get((page * PAGE_BYTES / PIECE_BYTES) as usize);
        let written = list.is_some_and(|&at| self.memory.write(at, &self.list).is_ok());
        self.list.clear();
        written
    }
}

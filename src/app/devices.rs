//! Block devices above the table of the Disk view: which have room, and what is said of them.

use super::App;
use super::column::{Cell, Value};
use super::layout::Layout;
use super::view::View;
use crate::model::disks::DiskGrowth;
use crate::sample::Disk;

/// Lines of the table that stay a table beside the devices, at the least.
const LEAST_BODY: u16 = 8;
/// The part of the table's lines that devices may take: one of so many.
const SHARE: u16 = 4;

/// A figure of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Bytes read a second.
    Read,
    /// Bytes written a second.
    Write,
    /// Reads a second.
    Reads,
    /// Writes a second.
    Writes,
    /// Share of time with a request under way.
    Busy,
    /// Requests under way.
    Queue,
    /// Time of a request.
    Await,
}

impl Figure {
    /// All there are, in the order they stand in.
    pub const ALL: [Figure; 7] = [Figure::Read, Figure::Write, Figure::Reads, Figure::Writes, Figure::Busy, Figure::Queue, Figure::Await];

    /// Its heading.
    pub fn title(self) -> &'static str {
        ["R/s", "W/s", "RIO/s", "WIO/s", "BUSY%", "QUEUE", "AWAIT"][self as usize]
    }

    /// Cells it takes.
    pub fn width(self) -> u16 {
        [6, 6, 6, 6, 5, 5, 7][self as usize]
    }

    /// What it means.
    pub fn help(self) -> &'static str {
        [
            "Bytes a second read from the device.",
            "Bytes a second written to the device: later than the pages were dirtied, and often by the kernel.",
            "Reads a second that the device finished.",
            "Writes a second that the device finished.",
            "Share of time with at least one request under way. A device that works on many at once is not full at 100.",
            "Requests under way, on average.",
            "Time from issue to end of a request, on average; blank where none ended.",
        ][self as usize]
    }

    /// Its text for a device that did so much within `elapsed_ns`.
    pub fn cell(self, grown: Option<&DiskGrowth>, elapsed_ns: u64, app: &App) -> Cell {
        let Some(grown) = grown.filter(|_| elapsed_ns > 0) else { return Cell::default() };
        let per_sec = |growth: u64| growth as f64 * 1e9 / elapsed_ns as f64;
        let value = match self {
            Figure::Read => Value::BytesPerSec(per_sec(grown.read_bytes)),
            Figure::Write => Value::BytesPerSec(per_sec(grown.write_bytes)),
            Figure::Reads => Value::PerSec(per_sec(grown.reads)),
            Figure::Writes => Value::PerSec(per_sec(grown.writes)),
            Figure::Busy => grown.busy_pct(elapsed_ns).map_or(Value::Unknown, Value::Percent),
            Figure::Queue => grown.queue(elapsed_ns).map_or(Value::Unknown, Value::PerSec),
            Figure::Await => grown.await_ns().map_or(Value::Unknown, |ns| Value::Micros((ns / 1e3) as u32)),
        };
        value.cell_in(self.width().into(), app.look().units)
    }
}

impl App {
    /// Rows that devices take: a heading and one for each that has room; none where the screen is low. In Network, one for the word that
    /// nothing moves.
    pub(super) fn strip_rows(&self, layout: &Layout) -> u16 {
        if self.view() == View::Network && layout.body.height >= LEAST_BODY {
            return u16::from(self.quiet_words().is_some());
        }
        let count = self.machine().disks.len();
        if self.view() != View::Disk || count == 0 || layout.body.height < LEAST_BODY {
            return 0;
        }
        let most = usize::from(layout.body.height / SHARE - 1).max(1);
        1 + count.min(most) as u16
    }

    /// The busiest devices, as many as `rows` has room for, in the kernel's order; and how many more there are.
    pub fn devices(&self, rows: u16) -> (Vec<(&Disk, Option<&DiskGrowth>)>, usize) {
        let all = &self.machine().disks;
        let growth = |index: usize| self.model().machine.disks.get(index).and_then(Option::as_ref);
        let mut order: Vec<usize> = (0..all.len()).collect();
        // Ties stand as the kernel has them, so that quiet devices keep their places.
        order.sort_by_key(|&index| std::cmp::Reverse(growth(index).map_or(0, |g| g.busy_ns)));
        order.truncate(rows.into());
        order.sort_unstable();
        let hidden = all.len() - order.len();
        (order.into_iter().map(|index| (&all[index], growth(index))).collect(), hidden)
    }
}

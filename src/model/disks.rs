//! What each block device did over a tick.

use crate::sample::Disk;

/// Growth of a device's counters over a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskGrowth {
    /// Reads finished.
    pub reads: u64,
    /// Writes finished.
    pub writes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Time that those requests took from issue to end, together.
    pub wait_ns: u64,
    /// Time with at least one request under way.
    pub busy_ns: u64,
    /// Time of all requests under way together.
    pub queue_ns: u64,
}

impl DiskGrowth {
    fn between(before: &Disk, now: &Disk) -> Option<DiskGrowth> {
        // What the kernel writes as 32 bits begins anew when they are full.
        let ns = |before: u32, now: u32| u64::from(now.wrapping_sub(before)) * 1_000_000;
        Some(DiskGrowth {
            reads: now.reads.checked_sub(before.reads)?,
            writes: now.writes.checked_sub(before.writes)?,
            read_bytes: now.read_bytes.checked_sub(before.read_bytes)?,
            write_bytes: now.write_bytes.checked_sub(before.write_bytes)?,
            wait_ns: ns(before.read_ms, now.read_ms) + ns(before.write_ms, now.write_ms),
            busy_ns: ns(before.busy_ms, now.busy_ms),
            queue_ns: ns(before.queue_ms, now.queue_ms),
        })
    }

    /// Share of `elapsed_ns` with at least one request under way, percent. A device that works on many at once has room at 100.
    pub fn busy_pct(&self, elapsed_ns: u64) -> Option<f64> {
        // Read with a resolution of ms, and a moment before or after the clock.
        (elapsed_ns > 0).then(|| (self.busy_ns as f64 * 100.0 / elapsed_ns as f64).min(100.0))
    }

    /// Requests under way, on average.
    pub fn queue(&self, elapsed_ns: u64) -> Option<f64> {
        (elapsed_ns > 0).then(|| self.queue_ns as f64 / elapsed_ns as f64)
    }

    /// Time that a request took from issue to end, on average, ns; `None` where none ended.
    pub fn await_ns(&self) -> Option<f64> {
        let ended = self.reads.checked_add(self.writes).filter(|&ended| ended > 0)?;
        Some(self.wait_ns as f64 / ended as f64)
    }
}

/// Growth of each of `now`. A device that was not there before, or had done nothing, began at 0; `None` where counters shrank: that is
/// another device of the same name.
pub(super) fn growths(before: Option<&[Disk]>, now: &[Disk]) -> Vec<Option<DiskGrowth>> {
    let idle = Disk::default();
    let growth = |(index, disk): (usize, &Disk)| {
        let before = before?;
        let same = |other: &&Disk| other.name == disk.name;
        let found = before.get(index).filter(same).or_else(|| before.iter().find(same));
        DiskGrowth::between(found.unwrap_or(&idle), disk)
    };
    now.iter().enumerate().map(growth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, reads: u64, busy_ms: u32) -> Disk {
        Disk {
            name: name.into(),
            reads,
            read_bytes: reads * 4096,
            read_ms: busy_ms,
            busy_ms,
            queue_ms: busy_ms.wrapping_mul(2),
            ..Disk::default()
        }
    }

    #[test]
    fn rates_of_a_busy_device() {
        let [Some(grown)] = growths(Some(&[disk("sda", 100, 5000)]), &[disk("sda", 350, 5500)])[..] else { panic!("no growth") };
        assert_eq!((grown.reads, grown.read_bytes), (250, 250 * 4096));
        assert_eq!((grown.busy_pct(1_000_000_000), grown.queue(1_000_000_000)), (Some(50.0), Some(1.0)));
        assert_eq!(grown.await_ns(), Some(2_000_000.0));
        assert_eq!((grown.busy_pct(0), grown.busy_pct(400_000_000)), (None, Some(100.0)));
    }

    #[test]
    fn times_that_begin_anew_and_devices_that_come() {
        let before = [disk("sda", 5, u32::MAX - 9)];
        let now = [disk("nvme0n1", 7, 70), disk("sda", 6, 10)];
        let grown = growths(Some(&before), &now);
        assert_eq!(grown[0].map(|g| (g.reads, g.busy_ns)), Some((7, 70_000_000)));
        assert_eq!(grown[1].map(|g| (g.reads, g.busy_ns)), Some((1, 20_000_000)));
        assert_eq!(growths(Some(&now), &before)[0], None, "fewer reads than before: another device");
        assert_eq!(growths(None, &now), [None, None]);
        assert_eq!(DiskGrowth::default().await_ns(), None);
    }
}

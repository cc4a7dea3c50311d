//! A slow line gets no more than it can carry, so that what a key changes does not queue behind what nobody waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes a second of a line at 9,600 baud: eight bits with a start and a stop bit each.
pub const BYTES_PER_SEC: u32 = 960;
/// What a key changed is drawn although the line will be busy for so long; what came by itself waits until it is free.
const KEY_WAITS_AT_MOST: Duration = Duration::from_millis(150);

/// Bytes of a frame that are sent at once, half a second of the line; what is left of it goes with the next, what is new first.
pub const BYTES_AT_ONCE: usize = BYTES_PER_SEC as usize / 2;

/// What went to the terminal, told by who writes to who draws.
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    is_behind: AtomicBool,
}

impl Written {
    /// So many bytes more.
    pub fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes so far.
    pub fn get(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Some of what was drawn is still to be sent, or nothing.
    pub fn set_behind(&self, is_behind: bool) {
        self.0.is_behind.store(is_behind, Ordering::Relaxed);
    }

    /// Some of what was drawn is still to be sent.
    pub fn is_behind(&self) -> bool {
        self.0.is_behind.load(Ordering::Relaxed)
    }
}

/// A line that takes so many bytes a second.
#[derive(Clone, Debug)]
pub struct SlowLine {
    /// Its speed.
    pub bytes_per_sec: u32,
    /// What was written to it.
    pub written: Written,
}

/// When the next frame may be drawn.
#[derive(Debug)]
pub struct Pace {
    line: Option<SlowLine>,
    written: u64,
    /// When all that was written will have gone through.
    free_at: Instant,
}

impl Pace {
    /// The pace of a line; without one frames need not wait.
    pub fn new(line: Option<SlowLine>, now: Instant) -> Pace {
        Pace { written: line.as_ref().map_or(0, |line| line.written.get()), line, free_at: now }
    }

    /// How long the next frame has to wait; `by_key`: somebody waits for it.
    pub fn wait(&self, by_key: bool, now: Instant) -> Option<Duration> {
        let allowed = if by_key { KEY_WAITS_AT_MOST } else { Duration::ZERO };
        self.line.as_ref()?;
        Some(self.free_at.saturating_duration_since(now).saturating_sub(allowed)).filter(|wait| !wait.is_zero())
    }

    /// When to draw again although nothing has changed: some of the last frame is still to be sent.
    pub fn rest(&self, now: Instant) -> Option<Duration> {
        self.line.as_ref().filter(|line| line.written.is_behind())?;
        Some(self.wait(false, now).unwrap_or_default())
    }

    /// A frame was drawn.
    pub fn drew(&mut self, now: Instant) {
        let Some(line) = &self.line else { return };
        let written = line.written.get();
        let seconds = (written - self.written) as f64 / f64::from(line.bytes_per_sec.max(1));
        self.written = written;
        self.free_at = self.free_at.max(now) + Duration::from_secs_f64(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn frames_wait_for_the_line_and_keys_nearly_not() {
        let (written, start) = (Written::default(), Instant::now());
        let mut pace = Pace::new(Some(SlowLine { bytes_per_sec: 1000, written: written.clone() }), start);
        assert_eq!(pace.wait(false, start), None);
        written.add(500);
        pace.drew(start);
        assert_eq!(pace.wait(false, start), Some(500 * MS));
        assert_eq!(pace.wait(true, start), Some(350 * MS));
        assert_eq!((pace.wait(true, start + 350 * MS), pace.wait(false, start + 500 * MS)), (None, None));
        written.add(100);
        pace.drew(start + 400 * MS);
        assert_eq!(pace.wait(false, start + 400 * MS), Some(200 * MS), "what was there before comes first");
        pace.drew(start + 900 * MS);
        assert_eq!(pace.wait(false, start + 900 * MS), None, "an empty frame takes no time");
    }

    #[test]
    fn the_rest_of_a_frame_goes_when_the_line_is_free() {
        let (written, start) = (Written::default(), Instant::now());
        let mut pace = Pace::new(Some(SlowLine { bytes_per_sec: 1000, written: written.clone() }), start);
        assert_eq!(pace.rest(start), None);
        written.add(100);
        written.set_behind(true);
        pace.drew(start);
        assert_eq!((pace.rest(start), pace.rest(start + 200 * MS)), (Some(100 * MS), Some(Duration::ZERO)));
    }

    #[test]
    fn a_fast_line_never_waits() {
        let mut pace = Pace::new(None, Instant::now());
        pace.drew(Instant::now());
        assert_eq!(pace.wait(false, Instant::now()), None);
    }
}

//! Which file systems do not answer, so that a thread is spent on each, and not on each process that runs from it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashSet;

/// Devices, as `/proc/PID/maps` tells them, that a thread is at. Where one reads at a time, whoever is met there did not come back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Devices(Arc<Mutex<FxHashSet<(u32, u32)>>>);

/// A thread is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Visit {
    devices: Devices,
    device: (u32, u32),
}

impl Devices {
    /// To be held while a device is asked for something, and nothing else is waited for.
    ///
    /// # Errors
    /// `TimedOut` where another thread has not come back from there.
    pub(crate) fn visit(&self, device: (u32, u32)) -> io::Result<Visit> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(device) {
            true => Ok(Visit { devices: self.clone(), device }),
            false => Err(io::Error::new(io::ErrorKind::TimedOut, "its file system does not answer")),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.devices.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_there_keeps_others_away_until_it_is_back() {
        let devices = Devices::default();
        let visit = devices.visit((8, 1)).unwrap();
        let refused = devices.clone().visit((8, 1)).unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().as_str()), (io::ErrorKind::TimedOut, "its file system does not answer"));
        assert!(devices.visit((8, 2)).is_ok());
        drop(visit);
        assert!(devices.visit((8, 1)).is_ok());
    }
}

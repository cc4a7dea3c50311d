//! SIGINT, SIGTERM and SIGHUP as a channel, for the commands that run without a screen.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Catches the signals while it lives.
pub struct Interrupt {
    /// Ready once one of them came.
    pub stopped: Receiver<()>,
    signals: Handle,
    watcher: Option<JoinHandle<()>>,
}

impl Interrupt {
    /// Starts catching.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn catch() -> io::Result<Interrupt> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let watcher = std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                let _ = stop.send(());
            }
        });
        Ok(Interrupt { stopped, signals: handle, watcher: Some(watcher) })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

//! SIGINT, SIGTERM and SIGHUP as a channel, for the commands that run without a screen.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::{SigId, flag, low_level};

/// Catches the signals while it lives. A second one does what the first would have done to a program that catches none, so that
/// a command whose reader is stuck can still be ended.
pub struct Interrupt {
    /// Ready once one of them came.
    pub stopped: Receiver<()>,
    signals: Handle,
    watcher: Option<JoinHandle<()>>,
    second: Vec<SigId>,
}

impl Interrupt {
    /// Starts catching.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn catch() -> io::Result<Interrupt> {
        let stopping = [SIGINT, SIGTERM, SIGHUP];
        let came = Arc::new(AtomicBool::new(false));
        let mut second = Vec::new();
        for signal in stopping {
            // In this order: the first signal finds the flag down and raises it.
            second.push(flag::register_conditional_default(signal, Arc::clone(&came))?);
            second.push(flag::register(signal, Arc::clone(&came))?);
        }
        let mut signals = Signals::new(stopping)?;
        let handle = signals.handle();
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let watcher = std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                let _ = stop.send(());
            }
        });
        Ok(Interrupt { stopped, signals: handle, watcher: Some(watcher), second })
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.signals.close();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
        for id in self.second.drain(..) {
            low_level::unregister(id);
        }
    }
}

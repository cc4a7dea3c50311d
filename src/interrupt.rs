//! SIGINT, SIGTERM and SIGHUP as a channel, for the commands that run without a screen. Under `nohup` SIGHUP stays ignored.

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
    /// The handlers cannot be installed, or there is no thread to be had.
    pub fn catch() -> io::Result<Interrupt> {
        let mut stopping = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            stopping.push(SIGHUP);
        }
        let came = Arc::new(AtomicBool::new(false));
        let mut second = Vec::new();
        for &signal in &stopping {
            // In this order: the first signal finds the flag down and raises it.
            second.push(flag::register_conditional_default(signal, Arc::clone(&came))?);
            second.push(flag::register(signal, Arc::clone(&came))?);
        }
        let mut signals = Signals::new(stopping)?;
        let handle = signals.handle();
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let watch = move || {
            if signals.forever().next().is_some() {
                let _ = stop.send(());
            }
        };
        let watcher = std::thread::Builder::new().name("signals".into()).spawn(watch)?;
        Ok(Interrupt { stopped, signals: handle, watcher: Some(watcher), second })
    }
}

/// Whoever started this program has it ignore the signal: `SigIgn` of proc_pid_status(5), bit by bit.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
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

//! Starts the best source this machine and this user allow.

use std::time::Duration;

use super::check::{gather, why_no_bpf};
use super::choice::Choice;
use super::live::Live;
use super::proc_fs::ProcFs;
use super::{Collector, Source};
use crate::rights::{Work, narrow};

/// What the user asked of collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartOptions {
    /// Time between two samples.
    pub interval: Duration,
    /// Stack samples a second on each CPU; 0 = none.
    pub hz: u32,
    /// Most memory for unwind tables, bytes: half of it in the kernel, half while one is built.
    pub unwind_bytes: u64,
    /// Use BPF where it works.
    pub bpf: bool,
    /// Which parts, by which hooks.
    pub choice: Choice,
}

/// Starts the kernel source, or /proc with the reason why it is not the kernel.
///
/// # Errors
/// Not even /proc can be read.
pub fn start(options: StartOptions) -> anyhow::Result<Collector> {
    Collector::start(options.interval, move || {
        let source = best_source(options)?;
        // The thread that asked for this gives up its own rights, meets the same refusal and says so.
        let _ = narrow(Work::Collect);
        Ok(source)
    })
}

fn best_source(options: StartOptions) -> anyhow::Result<Box<dyn Source>> {
    let refused = match options.bpf {
        true => match Live::open(options.hz, options.unwind_bytes, options.choice) {
            Ok(live) => return Ok(Box::new(live)),
            Err(reason) => why_no_bpf(&gather())
                .unwrap_or_else(|| format!("processes cannot be read by BPF, and sockets and stacks have nobody to belong to: {reason}")),
        },
        false => "BPF was not asked for: start without --no-bpf".to_owned(),
    };
    Ok(Box::new(ProcFs::open(refused)?))
}

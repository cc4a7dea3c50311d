//! Starts the best source this machine and this user allow.

use std::time::Duration;

use super::check::{gather, has_files, why_no_bpf};
use super::choice::Choice;
use super::live::Live;
use super::proc_fs::{self, ProcFs};
use super::rest::Rest;
use super::{Collector, Source};
use crate::files;
use crate::rights::{Work, narrow};
use crate::sample::Wants;

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
    /// Begin with the processes alone, for a screen that should be up at once; the rest comes with the first rates.
    pub haste: bool,
    /// What is looked at from the first sample on.
    pub wants: Wants,
}

/// Starts the kernel source, or /proc with the reason why it is not the kernel.
///
/// # Errors
/// Not even /proc can be read.
pub fn start(options: StartOptions) -> anyhow::Result<Collector> {
    Collector::start(options.interval, move || {
        proc_fs::is_mounted()?;
        let mut source = best_source(options)?;
        source.want(options.wants);
        Ok(source)
    })
}

fn best_source(options: StartOptions) -> anyhow::Result<Box<dyn Source>> {
    let refused = match options.bpf {
        true if !has_files(files::limit()) => why_no_bpf(&gather()).unwrap_or_default(),
        true => match Live::open(Rest { hz: options.hz, unwind_bytes: options.unwind_bytes, choice: options.choice }, options.haste) {
            Ok(live) => return Ok(Box::new(live)),
            Err(reason) => why_no_bpf(&gather())
                .unwrap_or_else(|| format!("processes cannot be read by BPF, and sockets and stacks have nobody to belong to: {reason}")),
        },
        false => "BPF was not asked for: start without --no-bpf".to_owned(),
    };
    let proc = ProcFs::open(refused)?;
    let _ = narrow(Work::Collect);
    Ok(Box::new(proc))
}

//! The thread that looks into processes: it finds interpreters, tells the kernel half of them, and reads code objects. A process whose
//! memory does not answer holds up the other interpreters until it does: their frames stay nameless, but samples keep coming.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::code::{Code, Stamp};
use super::memory::Memory;
use super::target::{Finder, Target};
use crate::bpf::batch::bytes_of;
use crate::rights::{Work, narrow};
use crate::sample::ProcKey;
use crate::symbols::process::Process;

/// A code object to read: its address, and how it looked before.
pub(super) type Wanted = (u64, Option<Stamp>);

/// Code objects of one process to read.
pub(super) type ToRead = (ProcKey, Arc<Target>, Vec<Wanted>);

/// What the collector asks.
#[derive(Default)]
pub(super) struct Ask {
    /// Counts the questions.
    pub(super) number: u64,
    /// Code objects to read.
    pub(super) read: Vec<ToRead>,
    /// Processes to look for an interpreter in.
    pub(super) look: Vec<ProcKey>,
    /// Processes that are of no interest any more.
    pub(super) forget: Vec<ProcKey>,
}

/// What came of it.
pub(super) enum Told {
    /// All that was to be read: process, address, result.
    Codes(u64, Vec<(ProcKey, u64, Read)>),
    /// A process that was looked at.
    Process(ProcKey, Option<Target>),
}

/// What stands at the address of a code object.
pub(super) enum Read {
    /// The same as before.
    Same,
    /// This one.
    Code(Code),
    /// None, or nothing that can be read.
    Nothing,
}

/// Starts the thread; it ends when the asking side is dropped.
pub(super) fn spawn(map: MapHandle) -> std::io::Result<(Sender<Ask>, Receiver<Told>)> {
    let (asks, inbox) = crossbeam_channel::bounded::<Ask>(1);
    let (outbox, told) = crossbeam_channel::unbounded();
    let work = move || {
        // What it opens is what a collector opens; more rights than that are not missed.
        let _ = narrow(Work::Collect);
        let mut finder = Finder::default();
        for ask in inbox {
            let codes = ask.read.iter().flat_map(|(key, target, wanted)| read(*key, target, wanted)).collect();
            if outbox.send(Told::Codes(ask.number, codes)).is_err() {
                return;
            }
            ask.forget.iter().for_each(|key| tell_kernel(&map, *key, None));
            for key in ask.look {
                let target = finder.find(key);
                tell_kernel(&map, key, target.as_ref());
                if outbox.send(Told::Process(key, target)).is_err() {
                    return;
                }
            }
        }
    };
    std::thread::Builder::new().name("python".into()).spawn(work)?;
    Ok((asks, told))
}

/// Samples of a process that stands in the map get Python frames. Where it is full, this one gets none.
fn tell_kernel(map: &MapHandle, key: ProcKey, target: Option<&Target>) {
    let tgid = key.pid.to_ne_bytes();
    // What is not there need not be deleted.
    let _ = match target {
        Some(target) => map.update(&tgid, bytes_of(&target.walk(key)), MapFlags::ANY),
        None => map.delete(&tgid),
    };
}

fn read(key: ProcKey, target: &Target, wanted: &[Wanted]) -> Vec<(ProcKey, u64, Read)> {
    let process = Process::find(key);
    let memory = process.and_then(|process| Memory::open(process.pid()).ok()).filter(|_| process.is_some_and(|p| p.is_alive()));
    let one = |&(address, stamp): &Wanted| {
        let found = memory.as_ref().map(|memory| match stamp {
            Some(stamp) if Code::is_still(&stamp, memory, target, address) => Read::Same,
            _ => Code::read(memory, target, address).map_or(Read::Nothing, Read::Code),
        });
        (key, address, found.unwrap_or(Read::Nothing))
    };
    wanted.iter().map(one).collect()
}

//! The thread that has processes looked into: it finds interpreters, tells the kernel half of them, and has code objects read.
//!
//! Reading memory waits for the lock of the process's memory, which one that hangs may hold for ever, and for whoever serves the files
//! that are mapped there or that hold the interpreter, which need not answer. So others do it ([`Readers`]): such a process costs only
//! itself its Python frames.

use std::mem::offset_of;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::code::{Code, Stamp};
use super::memory::Memory;
use super::target::{Finder, Target};
use crate::bpf::batch::bytes_of;
use crate::bpf::stacks::types::eb_py_proc;
use crate::readers::Readers;
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

/// What is asked of one process.
#[derive(Clone)]
enum Question {
    Read(Arc<Target>, Vec<Wanted>),
    Look,
}

/// What it answers.
enum Answer {
    Codes(Vec<(u64, Read)>),
    Found(Option<Target>),
}

/// Starts the thread; it ends when the asking side is dropped.
pub(super) fn spawn(map: MapHandle) -> std::io::Result<(Sender<Ask>, Receiver<Told>)> {
    let (asks, inbox) = crossbeam_channel::bounded::<Ask>(1);
    let (outbox, told) = crossbeam_channel::unbounded();
    let work = move || {
        // What the readers open is what a collector opens; more rights than that are not missed.
        let _ = narrow(Work::Collect);
        let finder = Finder::default();
        let new_reader = move || {
            let finder = finder.clone();
            move |key, question| match question {
                Question::Read(target, wanted) => Answer::Codes(read(key, &target, &wanted)),
                Question::Look => Answer::Found(finder.find(key)),
            }
        };
        serve(&inbox, &outbox, Readers::new("python", new_reader), |key, target| tell_kernel(&map, key, target));
    };
    std::thread::Builder::new().name("python".into()).spawn(work)?;
    Ok((asks, told))
}

/// Answers until nobody asks any more. Nothing is told of a process that hangs: it is asked about again.
fn serve<R, N>(
    inbox: &Receiver<Ask>,
    outbox: &Sender<Told>,
    mut readers: Readers<Question, Answer, N>,
    tell_kernel: impl Fn(ProcKey, Option<&Target>),
) where
    R: FnMut(ProcKey, Question) -> Answer,
    N: Fn() -> R + Send + Sync + 'static,
{
    for ask in inbox {
        let questions = ask.read.into_iter().map(|(key, target, wanted)| (key, Question::Read(target, wanted)));
        let codes = readers.read(questions.collect()).into_iter().flat_map(|(key, answer)| {
            let codes = if let Answer::Codes(codes) = answer { codes } else { Vec::new() };
            codes.into_iter().map(move |(address, read)| (key, address, read))
        });
        if outbox.send(Told::Codes(ask.number, codes.collect())).is_err() {
            return;
        }
        ask.forget.iter().for_each(|key| tell_kernel(*key, None));
        for key in ask.look {
            for (key, answer) in readers.read(vec![(key, Question::Look)]) {
                let Answer::Found(target) = answer else { continue };
                tell_kernel(key, target.as_ref());
                if outbox.send(Told::Process(key, target)).is_err() {
                    return;
                }
            }
        }
    }
}

/// Samples of a process that stands in the map get Python frames. Where it is full, this one gets none.
fn tell_kernel(map: &MapHandle, key: ProcKey, target: Option<&Target>) {
    let tgid = key.pid.to_ne_bytes();
    // What is not there need not be deleted; nor what stands there for another that has the pid by now.
    let _ = match target {
        Some(target) => map.update(&tgid, bytes_of(&target.walk(key)), MapFlags::ANY),
        None if is_of(map, key) => map.delete(&tgid),
        None => Ok(()),
    };
}

fn is_of(map: &MapHandle, key: ProcKey) -> bool {
    let value = map.lookup(&key.pid.to_ne_bytes(), MapFlags::ANY).ok().flatten();
    let start_ns = value.as_ref().and_then(|value| value.get(offset_of!(eb_py_proc, start_ns)..)?.first_chunk());
    start_ns.is_some_and(|start_ns| u64::from_ne_bytes(*start_ns) == key.start_ns)
}

fn read(key: ProcKey, target: &Target, wanted: &[Wanted]) -> Vec<(u64, Read)> {
    let process = Process::find(key);
    let memory = process.and_then(|process| Memory::open(process.pid()).ok()).filter(|_| process.is_some_and(|p| p.is_alive()));
    let one = |&(address, stamp): &Wanted| {
        let found = memory.as_ref().map(|memory| match stamp {
            Some(stamp) if Code::is_still(&stamp, memory, target, address) => Read::Same,
            _ => Code::read(memory, target, address).map_or(Read::Nothing, Read::Code),
        });
        (address, found.unwrap_or(Read::Nothing))
    };
    wanted.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::collect::stacks::python::layout::Layout;

    /// Processes from 100 on hang for ever.
    #[test]
    fn a_process_that_hangs_costs_only_its_own_frames() {
        let (_never, hangs) = crossbeam_channel::bounded::<()>(0);
        let new_reader = move || {
            let hangs = hangs.clone();
            move |key: ProcKey, question| {
                if key.pid >= 100 {
                    let _ = hangs.recv();
                }
                match question {
                    Question::Read(_, wanted) => Answer::Codes(wanted.into_iter().map(|(address, _)| (address, Read::Same)).collect()),
                    Question::Look => Answer::Found(None),
                }
            }
        };
        let (asks, inbox) = crossbeam_channel::unbounded();
        let (outbox, told) = crossbeam_channel::unbounded();
        std::thread::spawn(move || serve(&inbox, &outbox, Readers::new("test", new_reader), |_, _| {}));

        let key = |pid| ProcKey { pid, start_ns: 1 };
        let layout = Layout::known(8).unwrap();
        let target = Arc::new(Target { layout, interpreters: 1, code_type: 2, evals: Box::default() });
        let read = [(1, 7), (100, 8), (2, 9)].map(|(pid, address)| (key(pid), Arc::clone(&target), vec![(address, None)]));
        for number in [1, 2] {
            asks.send(Ask { number, read: read.to_vec(), look: vec![key(101), key(3)], forget: Vec::new() }).unwrap();
            let Ok(Told::Codes(answered, codes)) = told.recv_timeout(Duration::from_secs(30)) else { panic!("no codes") };
            let codes: Vec<_> = codes.iter().map(|(key, address, _)| (key.pid, *address)).collect();
            assert_eq!((answered, codes), (number, vec![(1, 7), (2, 9)]));
            let Ok(Told::Process(found, None)) = told.recv_timeout(Duration::from_secs(30)) else { panic!("no process") };
            assert_eq!(found, key(3));
        }
    }
}

//! Names for stacks from the symbol thread, waited for.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashMap;

use crate::export::stack::NameStacks;
use crate::sample::{INTERPRETED, ProcKey, StackCount, Stacks};
use crate::symbols::{Answer, Frame, FrameKind, Request, Symbols};

/// How long a tick may wait for names; what has none by then is written as an address.
const PATIENCE: Duration = Duration::from_secs(10);

/// The symbol thread as seen by an exporter.
pub(super) struct SymbolThread {
    requests: Sender<Request>,
    answers: Receiver<Answer>,
    /// Answers that were not waited for to the end. They come first, and are of no use any more.
    late: usize,
    /// Lines of interpreted code in the stacks at hand.
    lines: FxHashMap<u64, Vec<Frame>>,
}

impl SymbolThread {
    pub(super) fn new((requests, answers): Symbols) -> Self {
        SymbolThread { requests, answers, late: 0, lines: FxHashMap::default() }
    }

    /// The stacks to be named next come from these.
    pub(super) fn turn_to(&mut self, stacks: &Stacks) {
        self.lines = stacks.interpreted.iter().map(|(number, line)| (*number, vec![line.into()])).collect();
    }

    /// Asks about one process and waits.
    fn ask(&mut self, request: Request, until: Instant) -> Option<Answer> {
        self.requests.send_deadline(request, until).ok()?;
        self.late += 1;
        loop {
            let answer = self.answers.recv_deadline(until).ok()?;
            self.late -= 1;
            if self.late == 0 {
                return Some(answer);
            }
        }
    }
}

/// Addresses of one process, then their names.
#[derive(Default)]
struct Names {
    user: FxHashMap<u64, Vec<Frame>>,
    kernel: FxHashMap<u64, Vec<Frame>>,
    samples: u32,
}

impl NameStacks for SymbolThread {
    fn name(&mut self, stacks: &[StackCount]) -> Vec<Vec<Frame>> {
        let until = Instant::now() + PATIENCE;
        let mut processes: FxHashMap<ProcKey, Names> = FxHashMap::default();
        for stack in stacks {
            let names = processes.entry(stack.key).or_default();
            names.samples = names.samples.saturating_add(stack.count);
            names.user.extend(stack.user.iter().filter(|a| **a < INTERPRETED).map(|&address| (address, Vec::new())));
            names.kernel.extend(stack.kernel.iter().map(|&address| (address, Vec::new())));
        }
        // The hottest first: what is left when patience ends weighs least.
        let mut hottest: Vec<_> = processes.iter_mut().collect();
        hottest.sort_unstable_by_key(|(key, names)| (Reverse(names.samples), **key));
        for (key, names) in hottest {
            let addresses = |of: &FxHashMap<u64, Vec<Frame>>| of.keys().copied().collect();
            let request = Request { key: *key, user: addresses(&names.user), kernel: addresses(&names.kernel), ..Request::default() };
            if let Some(answer) = self.ask(request, until) {
                names.user.extend(answer.user);
                names.kernel.extend(answer.kernel);
            }
        }
        let frames = |stack: &StackCount| processes.get(&stack.key).map_or_else(Vec::new, |names| frames(stack, names, &self.lines));
        stacks.iter().map(frames).collect()
    }
}

/// Outermost first: user code, then kernel code.
fn frames(stack: &StackCount, names: &Names, lines: &FxHashMap<u64, Vec<Frame>>) -> Vec<Frame> {
    let name = |address: &u64| if *address < INTERPRETED { names.user.get(address) } else { lines.get(address) };
    let user = stack.user.iter().rev().map(|address| (address, name(address), FrameKind::Native));
    let kernel = stack.kernel.iter().rev().map(|address| (address, names.kernel.get(address), FrameKind::Kernel));
    let mut frames = Vec::new();
    for (&address, found, kind) in user.chain(kernel) {
        match found.filter(|f| !f.is_empty()) {
            Some(inlined) => frames.extend(inlined.iter().rev().cloned()),
            None => frames.push(nameless(address, kind)),
        }
    }
    frames
}

fn nameless(address: u64, kind: FrameKind) -> Frame {
    let module = if kind == FrameKind::Kernel { "vmlinux" } else { "[unknown]" };
    Frame { function: None, module: module.into(), offset: address, kind, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(pid: u32, address: u64, count: u32) -> StackCount {
        StackCount { key: ProcKey { pid, start_ns: 1 }, user: vec![address].into(), count, ..StackCount::default() }
    }

    fn named(request: &Request) -> Answer {
        let frame = |address| Frame { function: Some(format!("f{address}")), ..nameless(address, FrameKind::Native) };
        Answer { key: request.key, user: request.user.iter().map(|&a| (a, vec![frame(a)])).collect(), ..Answer::default() }
    }

    fn functions(names: &mut SymbolThread, stacks: &[StackCount]) -> Vec<Option<String>> {
        names.name(stacks).into_iter().map(|frames| frames[0].function.clone()).collect()
    }

    #[test]
    fn the_hottest_are_asked_about_first() {
        let (requests, inbox) = crossbeam_channel::unbounded::<Request>();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let asked = std::thread::spawn(move || {
            let answer = |request: Request| outbox.send(named(&request)).map(|()| request.key.pid);
            inbox.iter().map_while(|request| answer(request).ok()).collect::<Vec<_>>()
        });
        let mut names = SymbolThread::new((requests, answers));
        let found = functions(&mut names, &[stack(1, 10, 1), stack(2, 20, 3), stack(3, 30, 2), stack(1, 11, 4)]);
        assert_eq!(found, [10, 20, 30, 11].map(|a| Some(format!("f{a}"))));
        drop(names);
        assert_eq!(asked.join().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next() {
        let (requests, inbox) = crossbeam_channel::unbounded::<Request>();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let mut names = SymbolThread::new((requests, answers));
        let request = |address| Request { key: ProcKey { pid: 1, start_ns: 1 }, user: vec![address], ..Request::default() };
        assert!(names.ask(request(10), Instant::now()).is_none(), "nobody answers yet");
        outbox.send(named(&inbox.recv().unwrap())).unwrap();
        outbox.send(named(&request(11))).unwrap();
        let answer = names.ask(request(11), Instant::now() + PATIENCE).unwrap();
        assert_eq!(answer.user[0].0, 11);
    }
}

//! Names for stacks from the symbol thread, waited for.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashMap;

use crate::export::stack::NameStacks;
use crate::sample::{ProcKey, StackCount};
use crate::symbols::{Answer, Frame, FrameKind, Request, Symbols};

/// How long a tick may wait for names; what has none by then is written as an address.
const PATIENCE: Duration = Duration::from_secs(10);

/// The symbol thread as seen by an exporter.
pub(super) struct SymbolThread {
    requests: Sender<Request>,
    answers: Receiver<Answer>,
}

impl SymbolThread {
    pub(super) fn new((requests, answers): Symbols) -> Self {
        SymbolThread { requests, answers }
    }

    /// Asks about one process and waits.
    fn ask(&self, request: Request, until: Instant) -> Option<Answer> {
        let key = request.key;
        self.requests.send_deadline(request, until).ok()?;
        loop {
            let answer = self.answers.recv_deadline(until).ok()?;
            if answer.key == key {
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
}

impl NameStacks for SymbolThread {
    fn name(&mut self, stacks: &[StackCount]) -> Vec<Vec<Frame>> {
        let until = Instant::now() + PATIENCE;
        let mut processes: FxHashMap<ProcKey, Names> = FxHashMap::default();
        for stack in stacks {
            let names = processes.entry(stack.key).or_default();
            names.user.extend(stack.user.iter().map(|&address| (address, Vec::new())));
            names.kernel.extend(stack.kernel.iter().map(|&address| (address, Vec::new())));
        }
        for (key, names) in &mut processes {
            let request = Request { key: *key, user: names.user.keys().copied().collect(), kernel: names.kernel.keys().copied().collect() };
            if let Some(answer) = self.ask(request, until) {
                names.user.extend(answer.user);
                names.kernel.extend(answer.kernel);
            }
        }
        stacks.iter().map(|stack| processes.get(&stack.key).map_or_else(Vec::new, |names| frames(stack, names))).collect()
    }
}

/// Outermost first: user code, then kernel code.
fn frames(stack: &StackCount, names: &Names) -> Vec<Frame> {
    let user = stack.user.iter().rev().map(|address| (address, names.user.get(address), FrameKind::Native));
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
    Frame { function: None, module: "[unknown]".into(), offset: address, kind, source: None }
}

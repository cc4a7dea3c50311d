//! Answers one request after the other, whether or not the process answers that it is about.
//!
//! What looks into processes and their files, a [`Namer`], is on another thread ([`Readers`]). Where that hangs it is left behind with all
//! it knows, and a new one begins anew. Names of the kernel hang nowhere, and stay here.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::kernel::{self, Kernel};
use super::namer::{Named, Namer, nameless};
use super::opened::KEPT;
use super::{Answer, Request};
use crate::readers::{Devices, Limits, Readers};
use crate::sample::ProcKey;

/// With nothing asked for so long, what is needed no more is let go.
const TIDY: Duration = Duration::from_secs(60);
/// A namer that is left behind takes what it knows with it, some hundred megabytes at worst. So disks may be slow, and few are spent.
const LIMITS: Limits = Limits { patience: Duration::from_secs(2), stuck: 4 };

const SILENT: &str = "its files or memory do not answer: names come once they do";
const OFF: &str = "the files or memory of too many processes do not answer: programs have no names until one of them does";
const ELSEWHERE: &str = "recorded on another machine, or before this one was booted: addresses cannot be named here";

/// What is asked about a process.
#[derive(Clone)]
pub(super) enum Question {
    /// The names of user addresses.
    Name(Vec<u64>),
    /// To keep what will give them.
    Keep(Vec<u64>),
    /// To let go of what is needed no more, of whatever process.
    Tidy,
}

type NewNamer = Box<dyn Fn() -> Look + Send + Sync>;
type Look = Box<dyn FnMut(ProcKey, Question) -> Named>;

/// Names addresses of the kernel, and has those of processes named.
pub(super) struct Front<N = NewNamer> {
    kernel: Kernel,
    namers: Readers<Question, Named, N>,
}

impl Default for Front {
    fn default() -> Self {
        let devices = Devices::default();
        let new_namer: NewNamer = Box::new(move || {
            let mut namer = Namer::new(devices.clone());
            Box::new(move |key, question| look(&mut namer, key, &question))
        });
        Front { kernel: Kernel::default(), namers: Readers::with_limits("names", LIMITS, new_namer) }
    }
}

fn look(namer: &mut Namer, key: ProcKey, question: &Question) -> Named {
    match question {
        Question::Name(addresses) => return namer.name(key, addresses),
        Question::Keep(addresses) => namer.keep(key, addresses),
        Question::Tidy => namer.tidy(Instant::now()),
    }
    Named::default()
}

impl<R, N> Front<N>
where
    R: FnMut(ProcKey, Question) -> Named,
    N: Fn() -> R + Send + Sync + 'static,
{
    /// Until nobody asks any more.
    pub(super) fn serve(mut self, requests: &Receiver<Request>, answers: &Sender<Answer>) {
        let mut asked = Instant::now();
        loop {
            // Once all may be let go there is nothing to wake up for.
            let next = match asked.elapsed() < KEPT + 2 * TIDY {
                true => requests.recv_timeout(TIDY),
                false => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok(request) => {
                    asked = Instant::now();
                    if request.only_keep {
                        self.namers.ask(request.key, Question::Keep(request.user));
                    } else if answers.send(self.answer(request)).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => drop(self.namers.ask(ProcKey::default(), Question::Tidy)),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        let Request { key, user, kernel, .. } = request;
        let mut answer = Answer { key, ..Answer::default() };
        if !user.is_empty() {
            let named = self.namers.ask(key, Question::Name(user.clone())).unwrap_or_else(|| {
                let why = if self.namers.hangs(key) { SILENT } else { OFF };
                Named { frames: nameless(&user), reason: Some(why.into()), silent: true }
            });
            (answer.user, answer.reason, answer.silent) = (named.frames, named.reason, named.silent);
        }
        if !kernel.is_empty() {
            answer.kernel = kernel.iter().map(|&address| (address, vec![self.kernel.frame(address)])).collect();
            let reasons: Vec<_> = answer.reason.take().into_iter().chain(self.kernel.reason()).collect();
            answer.reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        }
        answer
    }
}

/// The answer where nothing can be named.
pub(super) fn elsewhere(request: &Request) -> Answer {
    let kernel = request.kernel.iter().map(|&address| (address, vec![kernel::nameless(address)])).collect();
    Answer { key: request.key, user: nameless(&request.user), kernel, reason: Some(ELSEWHERE.into()), silent: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::{Frame, FrameKind};

    const SHORT: Limits = Limits { patience: Duration::from_millis(100), stuck: 2 };
    const PATIENCE: Duration = Duration::from_secs(30);

    fn key(pid: u32) -> ProcKey {
        ProcKey { pid, start_ns: 1 }
    }

    /// Processes from 100 on hang until the sender is dropped. Each request is named by how many its namer has named.
    fn start(released: Receiver<()>) -> (Sender<Request>, Receiver<Answer>) {
        let new_namer = move || {
            let (released, mut known) = (released.clone(), 0);
            move |key: ProcKey, question: Question| {
                if key.pid >= 100 {
                    let _ = released.recv();
                }
                let Question::Name(addresses) = question else { return Named::default() };
                known += 1;
                let frame =
                    Frame { function: Some(known.to_string()), module: String::new(), offset: 0, kind: FrameKind::Native, source: None };
                Named { frames: addresses.into_iter().map(|address| (address, vec![frame.clone()])).collect(), ..Named::default() }
            }
        };
        let (requests, inbox) = crossbeam_channel::unbounded();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let namers = Readers::with_limits("test", SHORT, new_namer);
        std::thread::spawn(move || Front { kernel: Kernel::default(), namers }.serve(&inbox, &outbox));
        (requests, answers)
    }

    fn name(answer: &Answer) -> Option<&str> {
        answer.user[0].1[0].function.as_deref()
    }

    #[test]
    fn every_request_has_one_answer_in_order_whoever_hangs() {
        let (release, released) = crossbeam_channel::bounded(0);
        let (requests, answers) = start(released);
        let ask = |pid, only_keep| requests.send(Request { key: key(pid), user: vec![7], only_keep, ..Request::default() }).unwrap();
        let answer = || answers.recv_timeout(PATIENCE).unwrap();
        [(1, false), (100, false), (101, true), (2, false), (100, false), (101, false)].into_iter().for_each(|(pid, keep)| ask(pid, keep));
        let first = answer();
        assert_eq!((first.key, name(&first), first.silent), (key(1), Some("1"), false));
        let hung = answer();
        assert_eq!((hung.key, &*hung.user, hung.silent), (key(100), &*nameless(&[7]), true));
        assert_eq!(hung.reason.as_deref(), Some(SILENT));
        let off = answer();
        // Both threads that may be spent are.
        assert_eq!((off.key, name(&off), off.reason.as_deref()), (key(2), None, Some(OFF)));
        let again = [answer(), answer()].map(|answer| (answer.key, answer.reason));
        assert_eq!(again, [key(100), key(101)].map(|key| (key, Some(SILENT.into()))));
        drop(release);
        let begin = Instant::now();
        let back = loop {
            ask(100, false);
            let back = answer();
            if !back.silent || begin.elapsed() > PATIENCE {
                break back;
            }
        };
        assert_eq!((back.key, name(&back), &back.reason), (key(100), Some("1"), &None), "by a namer of its own");
    }

    #[test]
    fn the_kernel_has_names_when_programs_have_none() {
        let (_release, released) = crossbeam_channel::bounded(0);
        let (requests, answers) = start(released);
        let request = Request { key: key(100), user: vec![7], kernel: vec![1], ..Request::default() };
        requests.send(request).unwrap();
        let answer = answers.recv_timeout(PATIENCE).unwrap();
        assert_eq!((answer.kernel.len(), answer.kernel[0].0, answer.kernel[0].1[0].kind), (1, 1, FrameKind::Kernel));
        assert!(answer.reason.is_some_and(|reason| reason.starts_with(SILENT)));
    }
}

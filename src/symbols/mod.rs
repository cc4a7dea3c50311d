//! Addresses to names, on a thread of its own (blazesym's `Symbolizer` is not `Send`).
//!
//! The screen asks with a [`Request`]; until the [`Answer`] comes it shows what it has. Requests and answers go over channels, nothing is shared.
//! Processes and their files need not answer, so another thread looks into them, which is left behind where it hangs (`front.rs`).

mod asked;
mod debug_file;
mod demangle;
mod elf;
pub(crate) mod fit;
mod front;
mod kernel;
mod namer;
mod opened;
mod perf_map;
pub(crate) mod process;
mod sections;
mod space;
pub(crate) mod symbol_table;

use crossbeam_channel::{Receiver, Sender};

use crate::rights::{Work, narrow};
use crate::sample::{InterpretedFrame, Origin, ProcKey};
pub use asked::{Asked, Place};
use front::Front;
pub(crate) use namer::copy_vdso;

/// Where a frame's code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameKind {
    /// Kernel, modules and BPF programs.
    Kernel,
    /// Compiled code of an executable or library.
    Native,
    /// Code a runtime wrote at run time (perf map or nameless executable mapping).
    Jit,
    /// A line of Python.
    Python,
}

/// The name of an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Demangled function; `None` where no symbol covers the address: then module+offset is shown.
    pub function: Option<String>,
    /// File name of the executable or library, `vmlinux`, a kernel module, or `[anon]`.
    pub module: String,
    /// Offset in the module's file (or from the kernel's text start), for module+offset.
    pub offset: u64,
    /// Kind of code.
    pub kind: FrameKind,
    /// Source file and line, where debug info tells.
    pub source: Option<(String, u32)>,
}

impl From<&InterpretedFrame> for Frame {
    fn from(frame: &InterpretedFrame) -> Frame {
        let file = &*frame.file;
        Frame {
            function: Some(frame.function.to_string()),
            module: file.rsplit_once('/').map_or(file, |(_, name)| name).to_owned(),
            offset: 0,
            kind: FrameKind::Python,
            source: (frame.line != 0).then(|| (file.to_owned(), frame.line)),
        }
    }
}

/// Name these addresses of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Whose user addresses.
    pub key: ProcKey,
    /// User addresses.
    pub user: Vec<u64>,
    /// Kernel addresses.
    pub kernel: Vec<u64>,
    /// Nobody needs the names yet: only what will give them once the process is gone is kept. Such a request has no answer.
    pub only_keep: bool,
}

/// The names: one entry for each address asked for.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Whose.
    pub key: ProcKey,
    /// User address → frame; inlined functions make several frames, innermost first.
    pub user: Vec<(u64, Vec<Frame>)>,
    /// Kernel address → frame.
    pub kernel: Vec<(u64, Vec<Frame>)>,
    /// Why some are nameless, in one line for the screen.
    pub reason: Option<String>,
    /// It did not answer: if it does later, the user addresses have names then.
    pub silent: bool,
}

/// Requests to the symbol thread, and its answers.
pub type Symbols = (Sender<Request>, Receiver<Answer>);

/// Starts the thread; it ends when the request side is dropped. Each request but [`Request::only_keep`] gets one answer, in order;
/// addresses from elsewhere get no names, and the reason.
///
/// A thread that cannot be started, or ended early, shows as a closed channel.
pub fn spawn(origin: Origin) -> Symbols {
    let (requests, inbox) = crossbeam_channel::bounded::<Request>(16);
    let (outbox, answers) = crossbeam_channel::bounded(16);
    let work = move || {
        // Where this is refused, the thread that draws is refused, too, and says so.
        let _ = narrow(Work::Name);
        match origin {
            Origin::Here => Front::default().serve(&inbox, &outbox),
            Origin::Elsewhere => {
                for request in inbox.iter().filter(|request| !request.only_keep) {
                    if outbox.send(front::elsewhere(&request)).is_err() {
                        return;
                    }
                }
            }
        }
    };
    // Should there be no thread to have, both ends close and the screen goes on without names.
    let _ = std::thread::Builder::new().name("symbols".into()).spawn(work);
    (requests, answers)
}

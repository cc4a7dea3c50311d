//! Keys, mouse and signals, each from a blocked thread into one channel.

mod clicks;
mod decode;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::{Event, MouseEvent};
use crossterm::terminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use clicks::Clicks;
use decode::Decoder;

/// Once asked to end, how long a screen that is stuck in a write may take before the signal does its work by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What reaches the loop from the terminal and from other processes.
#[derive(Debug)]
pub enum Input {
    /// Key, mouse or paste.
    Terminal(Event),
    /// The left button went down a second time in the same place, soon after the first.
    DoubleClick(MouseEvent),
    /// The terminal has another size now: columns, rows.
    Size(u16, u16),
    /// Stop the job.
    Suspend,
    /// The job was continued: the terminal may be in any mode.
    Continued,
    /// End, please.
    End,
    /// The terminal is gone.
    Lost,
}

/// After an Escape: once nothing has followed for so long, it was the key and not the beginning of a sequence.
const ESCAPE_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Starts both threads. They live until the process ends.
pub fn spawn() -> io::Result<Receiver<Input>> {
    let (sender, receiver) = crossbeam_channel::unbounded();
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH])?;
    let tty = tty()?;
    let to_loop = sender.clone();
    thread::Builder::new().name("signals".into()).spawn(move || forward_signals(signals, &to_loop))?;
    thread::Builder::new().name("keys".into()).spawn(move || forward_keys(&tty, &sender))?;
    Ok(receiver)
}

/// The terminal keys come from: standard input, or the controlling terminal where that is something else.
fn tty() -> io::Result<OwnedFd> {
    match io::stdin().is_terminal() {
        true => Ok(rustix::io::dup(io::stdin())?),
        false => Ok(File::open("/dev/tty")?.into()),
    }
}

/// Reads whenever there is something to read, whatever came before: crossterm's own reader waits for edges, and loses that of a key
/// which comes together with a resize, or of the rest of a long paste.
fn forward_keys(tty: &OwnedFd, to_loop: &Sender<Input>) {
    let (mut decoder, mut clicks) = (Decoder::default(), Clicks::default());
    let mut bytes = [0; 1024];
    let is_lost = loop {
        let patience = decoder.is_waiting().then_some(&ESCAPE_PAUSE);
        let mut fds = [PollFd::new(tty, PollFlags::IN)];
        let events = match poll(&mut fds, patience) {
            Ok(0) => decoder.nothing_came(),
            Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => break true,
            Ok(_) => match rustix::io::read(tty, &mut bytes) {
                Ok(0) => break true,
                Ok(count) => decoder.take(&bytes[..count]),
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(_) => break true,
            },
            Err(Errno::INTR) => continue,
            Err(_) => break true,
        };
        let now = Instant::now();
        let mut input = |event| match event {
            Event::Mouse(mouse) if clicks.is_second(&mouse, now) => Input::DoubleClick(mouse),
            event => Input::Terminal(event),
        };
        if events.into_iter().any(|event| to_loop.send(input(event)).is_err()) {
            break false;
        }
    };
    if is_lost {
        let _ = to_loop.send(Input::Lost);
    }
}

fn forward_signals(mut signals: Signals, to_loop: &Sender<Input>) {
    for signal in signals.forever() {
        let input = match signal {
            SIGTSTP => Input::Suspend,
            SIGCONT => Input::Continued,
            SIGWINCH => match terminal::size() {
                Ok((columns, rows)) => Input::Size(columns, rows),
                Err(_) => continue,
            },
            _ => Input::End,
        };
        let ends = matches!(input, Input::End);
        let heard = to_loop.send(input).is_ok();
        if ends {
            if heard {
                thread::sleep(GRACE);
            }
            let _ = terminal::disable_raw_mode();
            let _ = emulate_default_handler(signal);
        }
    }
}

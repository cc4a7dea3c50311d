//! Keys, mouse and signals, each from a blocked thread into one channel.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use crossterm::event::{self, Event};
use crossterm::terminal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Once asked to end, how long a screen that is stuck in a write may take before the signal does its work by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What reaches the loop from the terminal and from other processes.
#[derive(Debug)]
pub enum Input {
    /// Key, mouse or paste.
    Terminal(Event),
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

/// Between two looks at a key whose edge was lost.
const LOST_EDGE_PAUSE: Duration = Duration::from_millis(20);

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

/// The terminal crossterm reads from: standard input, or the controlling terminal where that is something else.
fn tty() -> io::Result<OwnedFd> {
    match io::stdin().is_terminal() {
        true => Ok(rustix::io::dup(io::stdin())?),
        false => Ok(File::open("/dev/tty")?.into()),
    }
}

/// Waits by poll, since crossterm's own read never returns from a terminal that was hung up.
fn forward_keys(tty: &OwnedFd, to_loop: &Sender<Input>) {
    loop {
        let mut fds = [PollFd::new(tty, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => break,
        }
        if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            break;
        }
        // Crossterm waits for edges and loses that of a key which comes together with a resize; the next key brings both.
        let mut is_lost = true;
        while let Ok(true) = event::poll(Duration::ZERO) {
            is_lost = false;
            let sent = event::read().map(|event| to_loop.send(Input::Terminal(event)));
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        if is_lost {
            thread::sleep(LOST_EDGE_PAUSE);
        }
    }
    let _ = to_loop.send(Input::Lost);
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

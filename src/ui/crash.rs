//! Signals that say the program cannot go on: a mapped file that was cut short (SIGBUS), no memory (SIGABRT). The terminal is given
//! back all the same, by a handler that does nothing but what is allowed in one (`man 7 signal-safety`).

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::OnceLock;

use super::terminal;

/// What `terminal::restore` writes, ready made, and before it the end of a frame that was under way.
const SCREEN_BACK: &[u8] = b"\x1b[?2026l\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?25h\x1b[?1049l";
const CUT_SHORT: &[u8] = b"ebtop: a file was cut short while it was read (SIGBUS); start ebtop again\n";

/// The terminal and the mode it had before.
static BEFORE: OnceLock<(RawFd, libc::termios)> = OnceLock::new();

/// Catches the signals from now on, with or without a screen.
pub fn catch() {
    // SAFETY: an all-zero sigaction is valid (no flags, empty mask), and `on_crash` has the signature that comes without SA_SIGINFO.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_crash as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // Once: what goes wrong in the handler ends the process.
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
        for signal in [libc::SIGBUS, libc::SIGABRT] {
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

/// Keeps the mode that the terminal has now, the first time; to be called before it is changed.
pub(super) fn remember_mode() {
    let fd = match io::stdin().is_terminal() {
        true => io::stdin().as_raw_fd(),
        false => match (BEFORE.get(), File::open("/dev/tty")) {
            (None, Ok(tty)) => tty.into_raw_fd(),
            _ => return,
        },
    };
    // SAFETY: an all-zero termios is valid, and the kernel fills the one it is given.
    let mode = unsafe {
        let mut mode: libc::termios = std::mem::zeroed();
        (libc::tcgetattr(fd, &mut mode) == 0).then_some(mode)
    };
    if let Some(mode) = mode {
        let _ = BEFORE.set((fd, mode));
    }
}

extern "C" fn on_crash(signal: libc::c_int) {
    // SAFETY: write, tcsetattr, raise and _exit may be called in a handler; what they are given is constant or was set once and for all.
    unsafe {
        if terminal::was_taken() {
            if let Some((fd, mode)) = BEFORE.get() {
                libc::tcsetattr(*fd, libc::TCSANOW, mode);
            }
            libc::write(libc::STDOUT_FILENO, SCREEN_BACK.as_ptr().cast(), SCREEN_BACK.len());
        }
        if signal == libc::SIGBUS {
            libc::write(libc::STDERR_FILENO, CUT_SHORT.as_ptr().cast(), CUT_SHORT.len());
            libc::_exit(1);
        }
        // What was wrong is on the screen already. The signal waits until this returns, and then does what it does by default.
        libc::raise(signal);
    }
}

//! The terminal's mode: taken on entry, given back however ebtop ends: quit, signal, panic, suspension. (For signals
//! after which nothing may run but a handler see [`crash`].)
//!
//! [`restore`] may be called from any thread and any number of times.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{QueueableCommand, cursor, execute, queue};

use super::crash;
use super::pace::Written;
use crate::app::copy::Clipboard;

/// Buttons and wheel in SGR form. Crossterm's own command also reports every movement, which floods a slow line.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";

static TAKEN: AtomicBool = AtomicBool::new(false);
static PANICKED: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Holds the terminal in full-screen mode; dropping it gives the terminal back.
pub struct Guard {
    mouse: bool,
}

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, mouse where wanted, bracketed paste.
    pub fn enter(mouse: bool) -> io::Result<Guard> {
        HOOK.call_once(restore_before_panic_message);
        let guard = Guard { mouse };
        guard.take()?;
        Ok(guard)
    }

    /// Takes the terminal again, after something else may have changed its mode.
    pub fn take(&self) -> io::Result<()> {
        crash::remember_mode();
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        queue!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        if self.mouse {
            out.queue(Print(MOUSE_ON))?;
        }
        out.flush()
    }

    /// Puts a text into the clipboard of the terminal, by OSC 52: base64, so that nothing in it can be a sequence of its own.
    pub fn copy(text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Gives the terminal back, stops the job as Ctrl-Z does, and takes it again when the job continues.
    pub fn suspend(&self) -> io::Result<()> {
        restore();
        stop_job();
        self.take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if it is taken.
pub fn restore() {
    if was_taken() {
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), Print(MOUSE_OFF), DisableBracketedPaste, cursor::Show, LeaveAlternateScreen);
    }
}

/// Whether more than ASCII may be drawn, by the environment: the locale decides where one is set, and the console of Linux has no glyphs
/// for it.
pub fn takes_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let terminal = set("TERM").unwrap_or_default();
    if ["linux", "dumb", "vt100", "vt220"].contains(&terminal.as_str()) {
        return false;
    }
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Where text can be copied to, by the environment. `is_plain`: nothing but ASCII is to be sent.
pub fn clipboard(is_plain: bool, variable: impl Fn(&str) -> Option<String>) -> Clipboard {
    let terminal = variable("TERM").unwrap_or_default();
    match is_plain || ["linux", "dumb", "vt100", "vt220"].contains(&terminal.as_str()) {
        true => Clipboard::Nowhere,
        false if variable("TMUX").is_some_and(|socket| !socket.is_empty()) => Clipboard::Tmux,
        false => Clipboard::Terminal,
    }
}

/// Whether the terminal was taken, and to be given back by who asks.
pub(super) fn was_taken() -> bool {
    TAKEN.swap(false, Ordering::SeqCst)
}

/// Whether a thread panicked: then the terminal is no longer ours to draw on.
pub fn panicked() -> bool {
    PANICKED.load(Ordering::SeqCst)
}

fn restore_before_panic_message() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Ordering::SeqCst);
        restore();
        print(info);
    }));
}

/// Sends the job the stop that Ctrl-Z would have sent, with the kernel's own handling: it ignores it where no shell could ever continue
/// the job (`ssh -t host ebtop`), which a plain SIGSTOP would freeze for good.
fn stop_job() {
    // SAFETY: an all-zero sigaction is valid (SIG_DFL, empty mask, no flags); `ours` is filled by the first call before the last reads it.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        let mut ours: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGTSTP, &default, &mut ours) == 0 {
            libc::kill(0, libc::SIGTSTP);
            libc::sigaction(libc::SIGTSTP, &ours, std::ptr::null_mut());
        }
    }
}

/// Collects what one frame writes and hands it over in one piece, marked so that the terminal shows it at once and whole.
pub struct FrameWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
    /// Frames are marked as such.
    marks: bool,
    written: Written,
}

impl<W: Write> FrameWriter<W> {
    /// Frames go to `out`.
    pub fn new(out: W) -> Self {
        FrameWriter { out, frame: Vec::with_capacity(32 * 1024), marks: true, written: Written::default() }
    }

    /// The same without marks, which take as many bytes as a changed number does; and whoever asks `written` learns what goes out.
    #[must_use]
    pub fn for_slow_line(self, written: Written) -> Self {
        FrameWriter { marks: false, written, ..self }
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.frame.is_empty() && self.marks {
            queue!(self.frame, BeginSynchronizedUpdate)?;
        }
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        if self.marks {
            queue!(self.frame, EndSynchronizedUpdate)?;
        }
        self.written.add(self.frame.len());
        let written = self.out.write_all(&self.frame).and_then(|()| self.out.flush());
        self.frame.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_decides_and_the_console_takes_none() {
        let takes = |set: &[(&str, &str)]| takes_utf8(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()));
        assert!(takes(&[]) && takes(&[("LANG", "de_DE.UTF-8")]) && takes(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(takes(&[("TERM", "xterm"), ("LANG", "C.UTF-8")]) && takes(&[("TERM", "screen")]));
        for set in [[("LANG", "C")], [("LANG", "POSIX")], [("LC_ALL", "de_DE.ISO-8859-1")], [("TERM", "linux")], [("TERM", "dumb")]] {
            assert!(!takes(&set), "{set:?}");
        }
        assert!(!takes(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
    }

    #[test]
    fn the_console_has_no_clipboard_and_tmux_is_told_of() {
        let of = |set: &[(&str, &str)]| clipboard(false, |name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string()));
        assert_eq!(
            (of(&[]), of(&[("TERM", "xterm")]), of(&[("TERM", "linux")])),
            (Clipboard::Terminal, Clipboard::Terminal, Clipboard::Nowhere)
        );
        assert_eq!(of(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]), Clipboard::Tmux);
        assert_eq!(clipboard(true, |_| None), Clipboard::Nowhere);
    }

    #[test]
    fn a_frame_is_one_marked_piece() {
        let mut out = Vec::new();
        let mut writer = FrameWriter::new(&mut out);
        writer.write_all(b"ab").unwrap();
        writer.write_all(b"cd").unwrap();
        writer.flush().unwrap();
        writer.flush().unwrap();
        assert_eq!(out, b"\x1b[?2026habcd\x1b[?2026l");
    }

    #[test]
    fn a_slow_line_gets_no_marks_and_its_bytes_are_counted() {
        let (mut out, written) = (Vec::new(), Written::default());
        let mut writer = FrameWriter::new(&mut out).for_slow_line(written.clone());
        writer.write_all(b"abcd").unwrap();
        writer.flush().unwrap();
        assert_eq!((&out[..], written.get()), (&b"abcd"[..], 4));
    }
}

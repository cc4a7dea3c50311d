//! A program in a pseudo-terminal: what it wrote, byte for byte and as a screen, and the keys it is given.
//! Shared by the tests here and by the program that takes the screenshots.

use std::ffi::OsStr;
use std::io;
use std::num::NonZeroU16;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a machine that is busy with other tests, or emulated.
const PATIENCE: Duration = Duration::from_secs(300);
const GLANCE: Duration = Duration::from_millis(20);

/// Everything that came out of the terminal so far.
struct Output {
    raw: Vec<u8>,
    parser: vt100::Parser,
}

/// A child in a pseudo-terminal of its own, whose session it leads. Killed when dropped.
pub struct Session {
    child: Box<dyn Child + Send + Sync>,
    output: Arc<Mutex<Output>>,
    stop: Arc<AtomicBool>,
    stalled: Arc<AtomicBool>,
    /// Bytes a second that are taken; 0 = as they come.
    speed: Arc<AtomicU32>,
    reader: Option<JoinHandle<()>>,
    /// Gone after a hang-up. The slave side is held so that the settings of the terminal outlive the child.
    pair: Option<(Box<dyn MasterPty + Send>, Box<dyn SlavePty + Send>)>,
    settings_before: String,
}

impl Session {
    /// Starts `command` in a terminal of columns × rows.
    pub fn start((cols, rows): (u16, u16), command: CommandBuilder) -> Session {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let settings_before = settings(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).expect("start");
        let output = Arc::new(Mutex::new(Output { raw: Vec::new(), parser: vt100::Parser::new(cells(rows), cells(cols), 0) }));
        let stop = Arc::new(AtomicBool::new(false));
        let stalled = Arc::new(AtomicBool::new(false));
        let speed = Arc::new(AtomicU32::new(0));
        let reader = thread::spawn({
            let (output, stop, stalled, speed) = (output.clone(), stop.clone(), stalled.clone(), speed.clone());
            let fd = pair.master.as_raw_fd().expect("an fd");
            move || read_all(fd, &output, &stop, &stalled, &speed)
        });
        Session { child, output, stop, stalled, speed, reader: Some(reader), pair: Some((pair.master, pair.slave)), settings_before }
    }

    /// Text of the screen, a line for each row, without trailing blanks.
    pub fn screen(&self) -> String {
        self.with_screen(vt100::Screen::contents)
    }

    /// Looks at the screen with its colours.
    pub fn with_screen<T>(&self, f: impl FnOnce(&vt100::Screen) -> T) -> T {
        self.with_output(|output| f(output.parser.screen()))
    }

    /// Whether anything stands there in a colour of its own.
    pub fn is_coloured(&self) -> bool {
        self.with_screen(|screen| {
            let (rows, columns) = screen.size();
            let mut cells = (0..rows.get()).flat_map(|y| (0..columns.get()).map(move |x| (y, x)));
            cells.any(|(y, x)| screen.cell(y, x).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default))
        })
    }

    /// All bytes so far.
    pub fn raw(&self) -> Vec<u8> {
        self.with_output(|output| output.raw.clone())
    }

    /// Waits until the screen passes, and gives it. Panics with the screen when it never does.
    pub fn wait_for(&self, what: &str, passes: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let screen = self.screen();
            if passes(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "never came: {what}\n{screen}");
            thread::sleep(GLANCE);
        }
    }

    /// Waits until `text` stands on the screen.
    pub fn wait_for_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Types `keys`.
    pub fn keys(&self, keys: &str) {
        let (master, _) = self.pair.as_ref().expect("a terminal");
        let fd = master.as_raw_fd().expect("an fd");
        let mut bytes = keys.as_bytes();
        while !bytes.is_empty() {
            let written = rustix::io::write(borrow(fd), bytes).expect("write to the terminal");
            bytes = &bytes[written..];
        }
    }

    /// Makes the terminal another size, as a window manager would.
    pub fn resize(&self, (cols, rows): (u16, u16)) {
        let (master, _) = self.pair.as_ref().expect("a terminal");
        self.with_output(|output| output.parser.screen_mut().set_size(cells(rows), cells(cols)));
        master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("resize");
    }

    /// Stops taking what the program writes, as a stuck connection does, or takes it again.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    /// Takes no more than so many bytes a second from now on, as a slow line does; 0 = all that comes.
    pub fn throttle(&self, bytes_per_sec: u32) {
        self.speed.store(bytes_per_sec, Ordering::Relaxed);
    }

    /// Of the child.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a pid")
    }

    /// Sends a signal to the child.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid() as i32).expect("a pid");
        kill_process(pid, signal).expect("kill");
    }

    /// Takes the terminal away, as a lost connection does.
    pub fn hang_up(&mut self) {
        self.stop_reading();
        self.pair = None;
    }

    /// Waits for the child to end and for its last bytes.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                self.stop_reading();
                return status;
            }
            assert!(Instant::now() < end, "still running\n{}", self.screen());
            thread::sleep(GLANCE);
        }
    }

    /// Whether the program holds the terminal: its own screen, and no echo or line editing by the kernel.
    pub fn is_taken(&self) -> bool {
        self.with_screen(vt100::Screen::alternate_screen) && self.settings() != self.settings_before
    }

    /// What a program left behind in the terminal; empty when it is as it was.
    pub fn left_behind(&self) -> Vec<&'static str> {
        let mut left = self.with_screen(|screen| {
            let mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            let modes = [
                (screen.alternate_screen(), "alternate screen"),
                (screen.hide_cursor(), "hidden cursor"),
                (mouse, "mouse reports"),
                (screen.bracketed_paste(), "bracketed paste"),
                (screen.application_cursor(), "application cursor keys"),
            ];
            modes.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect::<Vec<_>>()
        });
        if self.settings() != self.settings_before {
            left.push("raw mode");
        }
        left
    }

    fn settings(&self) -> String {
        self.pair.as_ref().map(|(master, _)| settings(master.as_ref())).expect("a terminal")
    }

    fn with_output<T>(&self, f: impl FnOnce(&mut Output) -> T) -> T {
        f(&mut self.output.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stop_reading(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A program with an environment of known content.
pub fn command(program: impl AsRef<OsStr>) -> CommandBuilder {
    let mut command = CommandBuilder::new(program);
    command.env_clear();
    for (name, value) in
        [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent"), ("PS1", "$ ")]
    {
        command.env(name, value);
    }
    command.cwd("/");
    command
}

/// Modes, control characters and speeds of the terminal, to compare.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("settings of the terminal"))
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a size")
}

fn borrow<'a>(fd: i32) -> BorrowedFd<'a> {
    // SAFETY: the fd is that of `Session::pair`, which goes away only after the reader has been joined.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads until told to stop and nothing is left, or until the terminal is gone.
fn read_all(fd: i32, output: &Mutex<Output>, stop: &AtomicBool, stalled: &AtomicBool, speed: &AtomicU32) {
    let mut buffer = [0; 65536];
    let timeout = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    loop {
        let stopping = stop.load(Ordering::Relaxed);
        if stalled.load(Ordering::Relaxed) && !stopping {
            thread::sleep(GLANCE);
            continue;
        }
        match poll(&mut [PollFd::from_borrowed_fd(borrow(fd), PollFlags::IN)], Some(&timeout)) {
            Ok(0) if stopping => return,
            Ok(0) => continue,
            Ok(_) => {}
            Err(e) if io::Error::from(e).kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        let most = match speed.load(Ordering::Relaxed) as usize {
            0 => buffer.len(),
            speed => (speed * GLANCE.as_millis() as usize / 1000).clamp(1, buffer.len()),
        };
        let Ok(count @ 1..) = rustix::io::read(borrow(fd), &mut buffer[..most]) else { return };
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.raw.extend_from_slice(&buffer[..count]);
        output.parser.process(&buffer[..count]);
        drop(output);
        if most < buffer.len() {
            thread::sleep(GLANCE);
        }
    }
}

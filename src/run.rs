//! The only loop: waits for keys, samples and names, lets [`App`] take them in, draws.

mod recording;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, TryRecvError, TrySendError, after, never, select};
use crossterm::event::{Event as TerminalEvent, KeyEventKind};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::{Position, Rect};

use crate::app::look::Look;
use crate::app::recording::Recorded;
use crate::app::{App, Content, Effect, Event, Start, Writing};
use crate::collect::Collector;
use crate::config::Keeper;
use crate::control;
use crate::files;
use crate::profile;
use crate::record::Recording;
use crate::sample::Update;
use crate::symbols::{Answer, Symbols};
use crate::ui;
use crate::ui::backend::Screen;
use crate::ui::input::{self, Input};
use crate::ui::pace::{BYTES_AT_ONCE, Pace, SlowLine};
use crate::ui::terminal::{FrameWriter, Guard, panicked};
use crate::ui::theme::Theme;

/// Events taken in before the screen is drawn again, however many are waiting.
const EVENTS_PER_FRAME: usize = 64;

/// How the screen runs.
#[derive(Debug, Default)]
pub struct RunOptions {
    /// How it begins.
    pub start: Start,
    /// Clicks and the wheel are ours, not the terminal's.
    pub mouse: bool,
    /// How the terminal may be drawn on.
    pub theme: Theme,
    /// Where choices are saved.
    pub keeper: Option<Keeper>,
    /// End after so many samples.
    pub iterations: Option<u64>,
    /// The terminal is at the end of a line as slow as that.
    pub slow_line: Option<SlowLine>,
}

/// Stops the job and continues it.
pub trait Job {
    /// Gives the terminal back, stops, and takes it again once continued.
    fn suspend(&self) -> io::Result<()>;
    /// Takes the terminal again after somebody else stopped and continued the job.
    fn resume(&self) -> io::Result<()>;
    /// Puts a text into the clipboard of the terminal.
    fn copy(&self, text: &str) -> io::Result<()>;
}

impl Job for Guard {
    fn suspend(&self) -> io::Result<()> {
        Guard::suspend(self)
    }

    fn resume(&self) -> io::Result<()> {
        self.take()
    }

    fn copy(&self, text: &str) -> io::Result<()> {
        Guard::copy(text)
    }
}

/// Takes the terminal and runs until the user quits, a signal asks for an end, or the terminal is gone.
///
/// # Errors
/// The terminal cannot be taken, drawing on it fails while it is still there, or a thread panicked.
pub fn run(collector: &Collector, symbols: Symbols, options: RunOptions) -> anyhow::Result<()> {
    let guard = Guard::enter(options.mouse).context("cannot take the terminal")?;
    let inputs = input::spawn().context("cannot read the terminal")?;
    let writer = FrameWriter::new(io::stdout());
    let screen = match &options.slow_line {
        Some(line) => Screen::new(writer.for_slow_line(line.written.clone())).in_pieces(BYTES_AT_ONCE, line.written.clone()),
        None => Screen::new(writer),
    };
    let mut terminal = Terminal::new(screen)?;
    match run_on(&mut terminal, collector, symbols, &inputs, options, &guard) {
        Err(error) if is_gone(&error) => Ok(()),
        result => result,
    }
}

/// The loop itself, on any backend.
///
/// # Errors
/// The backend or the job fails, or a thread panicked.
pub fn run_on<B: Backend>(
    terminal: &mut Terminal<B>,
    collector: &Collector,
    (requests, answers): Symbols,
    inputs: &Receiver<Input>,
    mut options: RunOptions,
    job: &impl Job,
) -> anyhow::Result<()>
where
    B::Error: Send + Sync + 'static,
{
    let size = terminal.size()?;
    let mut app = App::new(options.start, (size.width, size.height));
    let mut sources = Sources { inputs, updates: collector.updates.clone(), answers };
    let mut samples_left = options.iterations.unwrap_or(u64::MAX);
    let mut pace = Pace::new(options.slow_line, Instant::now());
    let mut by_key = true;
    let mut recording: Option<Recording> = None;
    loop {
        if panicked() {
            anyhow::bail!("ended by a fault of its own: please report the lines above");
        }
        let wait = pace.wait(by_key, Instant::now()).filter(|_| samples_left > 0);
        if wait.is_none() {
            terminal.draw(|frame| ui::draw(frame, &app, options.theme))?;
            pace.drew(Instant::now());
            by_key = false;
        }
        let wait = wait.or_else(|| pace.rest(Instant::now()));
        if samples_left == 0 {
            return Ok(());
        }
        let mut next = Some(sources.wait(wait));
        let mut room = EVENTS_PER_FRAME;
        while let Some(woken) = next {
            samples_left -= u64::from(matches!(woken, Woken::Happened(Event::Update(Update::Sample(_)))));
            by_key |= woken.is_by_user();
            let ended = woken.update().and_then(|update| recording::feed(&mut recording, update, collector));
            let mut effects = match woken {
                Woken::Happened(event) => app.update(event),
                Woken::Continued => {
                    job.resume()?;
                    vec![Effect::Redraw]
                }
                Woken::Nothing => Vec::new(),
            };
            effects.extend(ended.into_iter().flat_map(|words| app.update(Event::Recorded(Recorded::Ended(words)))));
            let mut effects = VecDeque::from(effects);
            while let Some(effect) = effects.pop_front() {
                match effect {
                    Effect::Command(command) => collector.send(command),
                    Effect::Request(request) => {
                        if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) = requests.try_send(request) {
                            app.update(Event::NamesNotSent(request));
                        }
                    }
                    Effect::Save(look) => effects.extend(app.update(Event::Saved(save(options.keeper.as_mut(), &look)))),
                    Effect::Write(writing) => {
                        let Writing { path, content } = *writing;
                        let written = match content {
                            Content::Stacks(profile) => profile::save(&path, &profile),
                            Content::Table(table) => files::write_new(&path, &table),
                        };
                        let written = written.map_err(|error| (path, error));
                        effects.extend(app.update(Event::Written(written)));
                    }
                    Effect::Copy(text) => job.copy(&text)?,
                    Effect::Record(stem) => effects.extend(app.update(Event::Recorded(recording::switch(&mut recording, stem.as_deref())))),
                    Effect::Errand(errand) => effects.extend(app.update(Event::Outcome(control::run(errand)))),
                    Effect::Redraw => redraw(terminal, &mut app)?,
                    Effect::Suspend => {
                        job.suspend()?;
                        redraw(terminal, &mut app)?;
                    }
                    Effect::Quit => return Ok(()),
                }
            }
            room -= 1;
            next = if room > 0 && samples_left > 0 { sources.ready() } else { None };
        }
    }
}

/// Saves choices and says what came of it.
fn save(keeper: Option<&mut Keeper>, look: &Look) -> String {
    match keeper.map(|keeper| (keeper.save(look), keeper)) {
        Some((Ok(()), keeper)) => format!("Saved in {}", keeper.path().display()),
        Some((Err(error), _)) => error,
        None => "Not saved: there is no home directory, or the file cannot be read; --config names another".into(),
    }
}

/// Forgets what is on the terminal; its size may be another one too. (`Terminal::clear` would ask the terminal where its cursor is,
/// and the answer would go to the thread that reads keys.)
fn redraw<B: Backend>(terminal: &mut Terminal<B>, app: &mut App) -> anyhow::Result<()>
where
    B::Error: Send + Sync + 'static,
{
    let size = terminal.size()?;
    terminal.resize(Rect::from((Position::ORIGIN, size)))?;
    app.update(Event::Resize(size.width, size.height));
    Ok(())
}

/// Everything that may wake the loop.
struct Sources<'a> {
    inputs: &'a Receiver<Input>,
    updates: Receiver<Update>,
    answers: Receiver<Answer>,
}

/// Why the loop woke.
enum Woken {
    Happened(Event),
    Continued,
    Nothing,
}

impl Woken {
    /// What the collector told.
    fn update(&self) -> Option<&Update> {
        if let Woken::Happened(Event::Update(update)) = self { Some(update) } else { None }
    }

    /// Somebody waits for what comes of it.
    fn is_by_user(&self) -> bool {
        match self {
            Woken::Happened(event) => !matches!(event, Event::Update(_) | Event::Names(_) | Event::NamesNotSent(_)),
            Woken::Continued => true,
            Woken::Nothing => false,
        }
    }
}

impl Sources<'_> {
    /// Waits for whatever comes first, or no longer than that.
    fn wait(&mut self, at_most: Option<Duration>) -> Woken {
        select! {
            recv(at_most.map_or_else(never, after)) -> _ => Woken::Nothing,
            recv(self.inputs) -> input => input.map_or(Woken::Happened(Event::End), of_input),
            recv(self.updates) -> update => self.of_update(update.ok()),
            recv(self.answers) -> answer => self.of_answer(answer.ok()),
        }
    }

    /// What is there already, keys first.
    fn ready(&mut self) -> Option<Woken> {
        if let Ok(input) = self.inputs.try_recv() {
            return Some(of_input(input));
        }
        match self.updates.try_recv() {
            Ok(update) => return Some(self.of_update(Some(update))),
            Err(TryRecvError::Disconnected) => return Some(self.of_update(None)),
            Err(TryRecvError::Empty) => {}
        }
        self.answers.try_recv().ok().map(|answer| self.of_answer(Some(answer)))
    }

    /// A closed channel would wake the loop for ever: it is replaced by one that never does.
    fn of_update(&mut self, update: Option<Update>) -> Woken {
        Woken::Happened(Event::Update(update.unwrap_or_else(|| {
            self.updates = never();
            Update::End(Some("the collector stopped".into()))
        })))
    }

    fn of_answer(&mut self, answer: Option<Answer>) -> Woken {
        match answer {
            Some(answer) => Woken::Happened(Event::Names(answer)),
            None => {
                self.answers = never();
                Woken::Nothing
            }
        }
    }
}

fn of_input(input: Input) -> Woken {
    Woken::Happened(match input {
        Input::Terminal(TerminalEvent::Key(key)) if key.kind != KeyEventKind::Release => Event::Key(key),
        Input::Terminal(TerminalEvent::Mouse(mouse)) => Event::Mouse(mouse),
        Input::DoubleClick(mouse) => Event::DoubleClick(mouse),
        Input::Terminal(TerminalEvent::Paste(text)) => Event::Paste(text),
        Input::Terminal(TerminalEvent::Resize(columns, rows)) | Input::Size(columns, rows) => Event::Resize(columns, rows),
        Input::Terminal(_) => return Woken::Nothing,
        Input::Suspend => Event::Suspend,
        Input::Continued => return Woken::Continued,
        Input::End | Input::Lost => Event::End,
    })
}

/// The terminal was closed under us: an end, not an error.
fn is_gone(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe || e.raw_os_error() == Some(libc::EIO))
}

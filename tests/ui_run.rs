//! The loop on a backend without a terminal.

mod ui_world;

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ebtop::app::Start;
use ebtop::run::{Job, RunOptions, run_on};
use ebtop::symbols;
use ebtop::ui::input::Input;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ui_world::common::collector;
use ui_world::{server, text, told};

#[derive(Default)]
struct Stops(Cell<u32>);

impl Job for Stops {
    fn suspend(&self) -> io::Result<()> {
        self.0.set(self.0.get() + 1);
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        Ok(())
    }

    fn copy(&self, _text: &str) -> io::Result<()> {
        Ok(())
    }
}

fn run(inputs: &Receiver<Input>, iterations: Option<u64>, job: &Stops) -> String {
    let details = [1, 4112, 9920].map(|pid| (pid, told(pid))).to_vec();
    let (collector, _) = collector(vec![server(false), server(true)], details);
    let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
    let start = Start { interval: Duration::from_secs(1), who: "root".into(), ..Start::default() };
    let options = RunOptions { start, iterations, ..RunOptions::default() };
    run_on(&mut terminal, &collector, symbols::spawn(ebtop::sample::Origin::Here), inputs, options, job).unwrap();
    text(terminal.backend().buffer())
}

fn key(code: KeyCode) -> Input {
    Input::Terminal(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

#[test]
fn ends_after_so_many_samples_and_has_shown_them() {
    let (_keep, inputs) = unbounded();
    let screen = run(&inputs, Some(2), &Stops::default());
    assert!(screen.contains("88.4") && screen.contains("▾CPU%"), "{screen}");
}

#[test]
fn ends_at_once_when_asked_or_when_the_terminal_is_gone() {
    for last in [key(KeyCode::Char('q')), Input::End, Input::Lost] {
        let (sender, inputs) = unbounded();
        sender.send(last).unwrap();
        let asked = Instant::now();
        run(&inputs, None, &Stops::default());
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    let (sender, inputs) = unbounded();
    drop(sender);
    run(&inputs, None, &Stops::default());
}

#[test]
fn stops_and_goes_on() {
    let (sender, inputs) = unbounded();
    let job = Stops::default();
    sender.send(Input::Suspend).unwrap();
    sender.send(Input::Continued).unwrap();
    sender.send(key(KeyCode::Char('q'))).unwrap();
    run(&inputs, None, &job);
    assert_eq!(job.0.get(), 1);
}

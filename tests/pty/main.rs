//! The real binary in a real pseudo-terminal: keys in, screen out, and a terminal left as it was, however ebtop ends.

mod actions;
mod batch;
mod config;
mod first_minutes;
mod hostile;
mod naming;
mod restore;
mod rights;
mod session;
mod taking;
mod thin;
mod views;

use session::{Session, command};

/// The real ebtop without its kernel half (what every user can start), in a terminal of columns × rows.
fn ebtop(size: (u16, u16), args: &[&str]) -> Session {
    let mut command = command(env!("CARGO_BIN_EXE_ebtop"));
    command.arg("--no-bpf");
    command.args(args);
    Session::start(size, command)
}

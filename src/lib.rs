//! `ebtop`: the `top` you run over SSH when a machine misbehaves.
//!
//! Two halves meet in [`sample`]. The kernel half ends in a [`sample::Sample`]; the screen half starts from one.
//! Neither imports the other; only `main.rs` and [`run`] know both.
//!
//! ```text
//!  kernel              collector thread             UI thread                              terminal
//! ┌──────────────┐    ┌──────────────────────┐     ┌────────────────────────────────┐     ┌─────────┐
//! │ bpf/*.bpf.c  │───▶│ collect: Live,       │────▶│ model: rates of two samples    │────▶│ ui draws│
//! │ cumulative   │    │ ProcFs (Replay)      │     │ app: sort, filter, selection   │     └─────────┘
//! └──────────────┘    └──────────▲───────────┘     └───┬──────────────────────▲─────┘
//!                                └──── Command ────────┘                      │
//!                                              control: changes processes     │
//!                                                  symbol thread: address → name
//!  unwind thread: .eh_frame of what was sampled → tables for the stack walk
//! ```

#![warn(missing_docs, unsafe_op_in_unsafe_fn)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo, clippy::undocumented_unsafe_blocks))]

pub mod app;
pub mod batch;
pub mod bpf;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod config;
pub mod control;
pub mod delay;
pub mod export;
pub mod files;
pub mod format;
pub mod interrupt;
pub mod man;
pub mod model;
pub mod profile;
mod readers;
pub mod record;
pub mod rights;
pub mod run;
pub mod sample;
pub mod symbols;
pub mod ui;
pub mod unwind;
pub mod users;

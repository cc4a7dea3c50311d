//! Turns kernel maps, iterators and /proc into [`Sample`]s, on a thread of its own.
//!
//! A [`Source`] makes samples, a [`Collector`] runs one.

mod cgroups;
pub mod check;
pub mod choice;
mod details;
pub mod inspect;
mod lister;
pub mod live;
pub mod machine;
pub mod mem;
pub mod net;
mod proc_file;
pub mod proc_fs;
mod rest;
mod source;
pub mod stacks;
pub mod start;
pub mod tasks;
mod thread;
pub mod types;
pub mod watch;

pub(crate) use details::open_process;
pub use source::{Ready, Source, SourceError};
pub use thread::Collector;

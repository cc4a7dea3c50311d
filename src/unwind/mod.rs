//! Unwind tables for the stack walk in the kernel, so that it needs no frame pointers.
//!
//! Takes from the stack collector which processes were sampled and what their walks lacked, reads their mappings and the `.eh_frame` of
//! the files they map, and writes both, in few words, to maps that `src/bpf/unwind.bpf.h` reads. All on a thread of its own: nobody waits. What it reads of
//! others another thread reads for it, which is left behind where they do not answer.

mod arena;
pub(crate) mod elf;
mod files;
mod layout;
mod maps;
mod pages;
mod reading;
mod rule;
mod store;
mod table;
mod worker;

pub use maps::TableMaps;
pub use worker::{Miss, Sampled, Status, Unwinder};

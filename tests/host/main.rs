//! What comes from the host rather than from BPF, against truth that the tests make themselves.

mod check;
mod control;
mod other_user;
mod proc_fs;
mod record;

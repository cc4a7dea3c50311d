//! Runs of a program that the kernel left out: where one is still at work on a CPU (interrupted, or preempted by another that comes the
//! same way), the next is only counted, by `bpf_prog_inc_misses_counter` (tracing programs: Linux 5.12, tracepoints: 6.2).

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use libbpf_rs::libbpf_sys::{bpf_obj_get_info_by_fd, bpf_prog_info};

/// Programs whose missed runs count.
#[derive(Default)]
pub struct Missed(Vec<OwnedFd>);

impl Missed {
    /// Of these programs.
    ///
    /// # Errors
    /// There are no more file descriptors.
    pub fn of<'a>(programs: impl IntoIterator<Item = BorrowedFd<'a>>) -> io::Result<Missed> {
        programs.into_iter().map(|program| program.try_clone_to_owned()).collect::<io::Result<_>>().map(Missed)
    }

    /// How many runs were left out so far; 0 where the kernel does not count them.
    pub fn runs(&self) -> u64 {
        self.0.iter().map(misses).sum()
    }
}

fn misses(program: &OwnedFd) -> u64 {
    let mut info = bpf_prog_info::default();
    let mut bytes = size_of::<bpf_prog_info>() as u32;
    // SAFETY: the kernel writes at most `bytes` into `info`, which holds no pointers and asks for none to be followed.
    let error = unsafe { bpf_obj_get_info_by_fd(program.as_raw_fd(), (&raw mut info).cast::<c_void>(), &mut bytes) };
    if error == 0 { info.recursion_misses } else { 0 }
}

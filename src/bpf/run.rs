//! Runs programs of type `BPF_PROG_TYPE_SYSCALL`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libbpf_rs::libbpf_sys;

/// Runs a syscall program that takes no context, and gives what it returned.
pub fn run_syscall(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut opts = libbpf_sys::bpf_test_run_opts { sz: size_of::<libbpf_sys::bpf_test_run_opts>() as _, ..Default::default() };
    // SAFETY: `program` is open for the call; `opts` holds its own size and no pointers.
    let error = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &mut opts) };
    if error != 0 { Err(io::Error::from_raw_os_error(-error)) } else { Ok(opts.retval) }
}

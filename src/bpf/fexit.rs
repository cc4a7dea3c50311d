//! Whether this kernel lets programs run where functions return.

use libbpf_rs::libbpf_sys::{self, BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, bpf_insn, bpf_prog_load_opts};

/// `r0 = 0; exit`.
const NOTHING: [u8; 2] = [0xb7, 0x95];

/// Whether it forbids that altogether. A kernel that lets nobody patch its text says so before it looks at the program, here at one
/// that names no function, which others find invalid. False says little: one function or another may still be refused.
///
/// To know it beforehand spares loading an object whose other programs are welcome for nothing.
pub fn is_forbidden() -> bool {
    let program = NOTHING.map(|code| bpf_insn { code, ..bpf_insn::default() });
    let mut options = bpf_prog_load_opts {
        sz: size_of::<bpf_prog_load_opts>() as _,
        attempts: 1,
        expected_attach_type: BPF_TRACE_FEXIT,
        ..bpf_prog_load_opts::default()
    };
    // SAFETY: instructions, licence and options outlive the call; the options hold their own size and no pointers.
    let refusal = unsafe {
        libbpf_sys::bpf_prog_load(
            BPF_PROG_TYPE_TRACING,
            std::ptr::null(),
            c"GPL".as_ptr(),
            program.as_ptr(),
            program.len() as _,
            &mut options,
        )
    };
    refusal == -libc::EPERM
}

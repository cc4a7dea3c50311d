//! Software perf events that run a BPF program: a timer (`cpu-clock`) or page faults of one CPU. Closing the descriptor ends the event.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys;

use crate::files;

/// `_IOW('$', 8, __u32)` of `linux/perf_event.h`.
const IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
/// `_IO('$', 0)`.
const IOC_ENABLE: libc::c_ulong = 0x2400;

/// An event that runs a program, for as long as this lives and its CPU is online.
pub struct Event {
    fd: OwnedFd,
    /// For how long it had been on when that was looked at, ns.
    on_ns: u64,
}

impl Event {
    /// Whether it was on since the look before. It can die without a word: its CPU went away and came back, or whoever may reach our
    /// descriptors turned it off. A clock that cannot be read says nothing. A look interrupts the CPU.
    pub fn went_on(&mut self) -> bool {
        match self.clock_ns() {
            Ok(now) => std::mem::replace(&mut self.on_ns, now) < now,
            Err(_) => true,
        }
    }

    fn clock_ns(&self) -> io::Result<u64> {
        // The count, then the time, as perf_event_open(2) has it for that read format.
        let mut told = [0; 16];
        match rustix::io::read(&self.fd, &mut told)? {
            16 => Ok(u64::from_ne_bytes(*told.last_chunk().ok_or(io::ErrorKind::UnexpectedEof)?)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Does to it what somebody with our descriptors might.
    #[cfg(test)]
    pub(crate) fn turn_off(&self) {
        /// `_IO('$', 1)`.
        const IOC_DISABLE: libc::c_ulong = 0x2401;
        ioctl(&self.fd, IOC_DISABLE, 0).unwrap();
    }
}

/// Runs `program` `hz` times a second on `cpu`, but not in its idle task.
///
/// Fails with `EACCES`/`EPERM` without `CAP_PERFMON` (or where `perf_event_paranoid` forbids it), `ENODEV` when the CPU is offline and
/// `EINVAL` when `hz` is above `perf_event_max_sample_rate`.
pub fn tick_on_cpu(cpu: u32, hz: u32, program: BorrowedFd<'_>) -> io::Result<Event> {
    let mut attr = software(libbpf_sys::PERF_COUNT_SW_CPU_CLOCK);
    attr.__bindgen_anon_1.sample_freq = u64::from(hz);
    attr.set_freq(1);
    attr.set_exclude_idle(1);
    run(attr, cpu, program)
}

/// Runs `program` at every minor (or major) page fault that user memory takes on `cpu`.
///
/// Fails as [`tick_on_cpu`] does.
pub fn each_fault_on_cpu(cpu: u32, major: bool, program: BorrowedFd<'_>) -> io::Result<Event> {
    let which = if major { libbpf_sys::PERF_COUNT_SW_PAGE_FAULTS_MAJ } else { libbpf_sys::PERF_COUNT_SW_PAGE_FAULTS_MIN };
    let mut attr = software(which);
    attr.__bindgen_anon_1.sample_period = 1;
    run(attr, cpu, program)
}

fn software(which: libbpf_sys::perf_sw_ids) -> libbpf_sys::perf_event_attr {
    let mut attr = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: size_of::<libbpf_sys::perf_event_attr>() as u32,
        config: u64::from(which),
        read_format: u64::from(libbpf_sys::PERF_FORMAT_TOTAL_TIME_ENABLED),
        ..Default::default()
    };
    attr.set_disabled(1);
    attr
}

fn run(attr: libbpf_sys::perf_event_attr, cpu: u32, program: BorrowedFd<'_>) -> io::Result<Event> {
    let fd = open(&attr, cpu)?;
    ioctl(&fd, IOC_SET_BPF, program.as_raw_fd())?;
    ioctl(&fd, IOC_ENABLE, 0)?;
    Ok(Event { fd, on_ns: 0 })
}

/// Whether this thread may have such timers, tried on the first CPU.
pub fn is_allowed() -> bool {
    !matches!(attempt(), Err(error) if error.kind() == io::ErrorKind::PermissionDenied)
}

/// Opens such a timer on the first CPU, and lets it go at once.
///
/// # Errors
/// As of [`tick_on_cpu`].
pub fn attempt() -> io::Result<()> {
    open(&software(libbpf_sys::PERF_COUNT_SW_CPU_CLOCK), 0).map(drop)
}

/// A stopped event of one CPU, whichever task runs there.
fn open(attr: &libbpf_sys::perf_event_attr, cpu: u32) -> io::Result<OwnedFd> {
    let cpu = libc::c_int::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (every_task, no_group) = (-1, -1);
    // SAFETY: `attr` is whole and lives through the call; the kernel only reads it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            attr as *const libbpf_sys::perf_event_attr,
            every_task,
            cpu,
            no_group,
            libc::c_ulong::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC),
        )
    };
    let fd = libc::c_int::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us, and nobody else has it.
    let event = unsafe { OwnedFd::from_raw_fd(fd) };
    // Each CPU takes some: they must not take the last.
    match files::leaves_room(event.as_fd()) {
        true => Ok(event),
        false => Err(io::Error::from_raw_os_error(libc::EMFILE)),
    }
}

fn ioctl(event: &OwnedFd, request: libc::c_ulong, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: both requests take an int by value; the descriptor is open.
    match unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

//! Parsers of the files of /proc/PID: bytes to numbers. A process chooses its name, so none of it is trusted.

use crate::sample::{Comm, Counter, Counters, Memory};

/// `PF_KTHREAD` of `include/linux/sched.h`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What `/proc/PID/stat` tells of a whole process (fields as in proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect) struct Stat {
    pub(super) comm: Comm,
    pub(super) state: u8,
    pub(super) ppid: u32,
    pub(super) kernel_thread: bool,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    pub(super) user_ticks: u64,
    pub(super) system_ticks: u64,
    pub(super) nice: i8,
    pub(super) threads: u32,
    pub(in crate::collect) start_ticks: u64,
    pub(super) resident_pages: u64,
    pub(super) last_cpu: u32,
}

/// Parses `/proc/PID/stat`. The name may hold spaces and brackets: it ends at the last `)`.
pub(in crate::collect) fn stat(bytes: &[u8]) -> Option<Stat> {
    let open = bytes.iter().position(|&b| b == b'(')?;
    let close = bytes.iter().rposition(|&b| b == b')')?;
    let comm = Comm::new(bytes.get(open + 1..close)?);
    let mut fields = std::str::from_utf8(bytes.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let mut field = |skip| fields.nth(skip);
    Some(Stat {
        comm,
        state: if state.is_ascii_alphabetic() { state } else { b'?' },
        ppid: field(0)?.parse().ok()?,
        kernel_thread: field(4)?.parse::<u64>().ok()? & KERNEL_THREAD != 0,
        minor_faults: field(0)?.parse().ok()?,
        major_faults: field(1)?.parse().ok()?,
        user_ticks: field(1)?.parse().ok()?,
        system_ticks: field(0)?.parse().ok()?,
        nice: field(3)?.parse().ok()?,
        threads: field(0)?.parse().ok()?,
        start_ticks: field(1)?.parse().ok()?,
        resident_pages: field(1)?.parse().ok()?,
        last_cpu: field(14).and_then(|cpu| cpu.parse().ok()).unwrap_or(0),
    })
}

/// What `/proc/PID/status` tells. The switches are those of the first thread alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::collect) struct Status {
    pub(in crate::collect) uid: Option<u32>,
    /// Its pid in its own pid namespace, where that is another than that of this /proc.
    pub(in crate::collect) inner_pid: Option<u32>,
    pub(super) memory: Option<Memory>,
    pub(super) voluntary_switches: Option<u64>,
    pub(super) involuntary_switches: Option<u64>,
}

/// Parses `/proc/PID/status`. Kernel threads and zombies have no memory lines.
pub(in crate::collect) fn status(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    let mut memory = Memory::default();
    let mut has_rss = false;
    for line in bytes.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let Some(value) = first_number(&line[colon + 1..]) else { continue };
        let bytes = value.saturating_mul(1024);
        match &line[..colon] {
            b"Uid" => status.uid = u32::try_from(value).ok(),
            b"NSpid" => status.inner_pid = innermost(&line[colon + 1..]),
            b"VmSize" => memory.vm_bytes = bytes,
            b"RssAnon" => {
                memory.anon_bytes = bytes;
                has_rss = true;
            }
            b"RssFile" => memory.file_bytes = bytes,
            b"RssShmem" => memory.shmem_bytes = bytes,
            b"VmSwap" => memory.swap_bytes = bytes,
            b"voluntary_ctxt_switches" => status.voluntary_switches = Some(value),
            b"nonvoluntary_ctxt_switches" => status.involuntary_switches = Some(value),
            _ => {}
        }
    }
    status.memory = has_rss.then_some(memory);
    status
}

/// Adds `/proc/PID/io` to what is known.
pub(super) fn io(bytes: &[u8], counters: &mut Counters) {
    for line in bytes.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else { continue };
        let counter = match &line[..colon] {
            b"read_bytes" => Counter::ReadBytes,
            b"write_bytes" => Counter::WriteBytes,
            b"cancelled_write_bytes" => Counter::CancelledWriteBytes,
            _ => continue,
        };
        if let Some(value) = first_number(&line[colon + 1..]) {
            counters.set(counter, value);
        }
    }
}

/// What `/proc/PID/schedstat` tells of the first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SchedStat {
    /// On-CPU time, ns.
    pub(super) cpu_ns: u64,
    /// Time runnable but not running, ns.
    pub(super) wait_ns: u64,
    /// How often it got a CPU.
    pub(super) runs: u64,
}

/// Parses `/proc/PID/schedstat`; `None` for the zeros of a kernel that does not keep them.
pub(super) fn schedstat(bytes: &[u8]) -> Option<SchedStat> {
    let mut fields = std::str::from_utf8(bytes).ok()?.split_ascii_whitespace().map(str::parse);
    let stat = SchedStat { cpu_ns: fields.next()?.ok()?, wait_ns: fields.next()?.ok()?, runs: fields.next()?.ok()? };
    (stat.runs > 0).then_some(stat)
}

/// The last of several numbers: one for each pid namespace, from that of this /proc to the process's own.
fn innermost(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok()?.split_ascii_whitespace().skip(1).last()?.parse().ok()
}

fn first_number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_cannot_forge_fields() {
        let line = b"42 (a) R 1 (b) S 7 42 42 0 -1 4194560 11 5 22 6 33 44 1 2 20 -5 3 0 777 51720192 4738 18446744073709551615 1 1 0 0 0 0 0 4096 1256 0 0 0 17 6 0 0 0 0 0\n";
        let parsed = stat(line).unwrap();
        assert_eq!(parsed.comm.bytes(), b"a) R 1 (b");
        assert_eq!((parsed.state, parsed.ppid, parsed.kernel_thread), (b'S', 7, false));
        assert_eq!((parsed.minor_faults, parsed.major_faults, parsed.user_ticks, parsed.system_ticks), (11, 22, 33, 44));
        assert_eq!((parsed.nice, parsed.threads, parsed.start_ticks, parsed.last_cpu), (-5, 3, 777, 6));
    }

    #[test]
    fn agrees_with_the_procfs_crate() {
        let bytes = std::fs::read("/proc/self/stat").unwrap();
        let ours = stat(&bytes).unwrap();
        let theirs: procfs::process::Stat = procfs::FromRead::from_read(bytes.as_slice()).unwrap();
        assert_eq!((ours.start_ticks, ours.minor_faults, ours.user_ticks), (theirs.starttime, theirs.minflt, theirs.utime));
        assert_eq!(ours.last_cpu as i32, theirs.processor.unwrap());
    }

    #[test]
    fn status_of_a_process_and_of_a_kernel_thread() {
        let text = b"Name:\tx\nUid:\t1000\t0\t0\t0\nVmSize:\t  100 kB\nRssAnon:\t 4 kB\nRssFile:\t 8 kB\nRssShmem:\t 12 kB\nVmSwap:\t 16 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n";
        let memory = Memory { anon_bytes: 4096, file_bytes: 8192, shmem_bytes: 12288, swap_bytes: 16384, vm_bytes: 102_400 };
        let expected = Status {
            uid: Some(1000),
            memory: Some(memory),
            voluntary_switches: Some(5),
            involuntary_switches: Some(6),
            ..Status::default()
        };
        assert_eq!(status(text), expected);
        assert_eq!(status(b"Name:\tk\nUid:\t0\t0\t0\t0\n"), Status { uid: Some(0), ..Status::default() });
        let inner = |text: &[u8]| status(text).inner_pid;
        assert_eq!((inner(b"NSpid:\t4112\t30\t7\n"), inner(b"NSpid:\t4112\n"), inner(b"NSpid:\t\n")), (Some(7), None, None));
    }

    #[test]
    fn schedstat_that_is_not_kept_is_unknown() {
        assert_eq!(schedstat(b"0 0 0\n"), None);
        assert_eq!(schedstat(b"5 6 7\n"), Some(SchedStat { cpu_ns: 5, wait_ns: 6, runs: 7 }));
    }

    proptest! {
        #[test]
        fn odd_bytes_never_panic(text in "[0-9]{0,3} ?\\(?.{0,8}\\)? ?[A-Z]?( -?[0-9x]{0,21}){0,45}|((Uid|RssAnon|read_bytes):\t ?[0-9]{0,22} kB\n){0,4}", noise: Vec<u8>) {
            for bytes in [text.as_bytes(), &noise] {
                let _ = (stat(bytes), status(bytes), schedstat(bytes));
                io(bytes, &mut Counters::default());
            }
        }
    }
}

//! No list and no text of a recording is longer than those that ebtop itself records: what comes after trusts that it can look through
//! all of them, again and again. (Lists of processes are bounded by the bytes of a frame, and looked through in order.)

use std::sync::Arc;

use super::codec::Frame;
use crate::sample::{Domain, Sample, StackCount, Stacks};

/// Most CPUs that any kernel can be built for (`CONFIG_NR_CPUS` with `MAXSMP`).
const CPUS_MAX: usize = 8192;
/// Most devices of /proc/diskstats that are listed.
const DISKS_MAX: usize = 1024;
/// Most interfaces; those that record do not look at them at all.
const INTERFACES_MAX: usize = 4096;
/// Sockets that the kernel half watches (`EB_MAX_USES`).
const SOCKETS_MAX: usize = 32_768;
/// Last words that wait in the kernel while nobody reads: those in the ring, and twice the 65,536 beside it.
const EXITS_MAX: usize = 1 << 18;
/// Twice what 4 MiB hold of the shortest records: of the timer, and of what is watched.
const STACKS_MAX: usize = 1 << 17;
/// Kernel frames of a stack, and native ones of user code (`EB_DEPTH`).
const FRAMES_MAX: usize = 128;
/// The same with Python frames among them (`EB_PY_FRAMES`).
const MIXED_FRAMES_MAX: usize = 2 * FRAMES_MAX;
/// Lines of interpreted code with a number at one time.
const LINES_MAX: usize = 65_536;
/// Bytes of text: the longest file of a process that is read, where each byte became the three of `�`.
const TEXT_MAX: usize = 3 * (16 << 10);
/// Bytes of a name of something: the kernel has none longer than 255, which may have become three times as many.
const NAME_MAX: usize = 3 * 255;

/// Cuts every list of a frame; of events the newest stay.
pub(super) fn cut_lists(frame: &mut Frame) {
    let Sample { exits, sockets, stacks, machine, status, .. } = &mut frame.sample;
    exits.drain(..exits.len().saturating_sub(EXITS_MAX));
    sockets.truncate(SOCKETS_MAX);
    machine.cpus.sort_by_key(|(number, _)| *number);
    machine.cpus.dedup_by_key(|(number, _)| *number);
    machine.cpus.truncate(CPUS_MAX);
    machine.disks.truncate(DISKS_MAX);
    machine.interfaces.truncate(INTERFACES_MAX);
    let mut told = [false; Domain::ALL.len()];
    status.retain(|status| !std::mem::replace(&mut told[status.domain as usize], true));
    cut_stacks(stacks);
}

fn cut_stacks(stacks: &mut Stacks) {
    let Stacks { counts, interpreted, .. } = stacks;
    counts.drain(..counts.len().saturating_sub(STACKS_MAX));
    interpreted.truncate(LINES_MAX);
    for StackCount { kernel, user, waker, .. } in counts {
        cut_frames(kernel, FRAMES_MAX);
        cut_frames(user, MIXED_FRAMES_MAX);
        if let Some(waker) = waker.as_mut().map(Arc::make_mut) {
            cut_frames(&mut waker.kernel, FRAMES_MAX);
            cut_frames(&mut waker.user, FRAMES_MAX);
        }
    }
}

fn cut_frames(frames: &mut Arc<[u64]>, most: usize) {
    if let Some(first) = frames.get(..most).filter(|first| first.len() < frames.len()) {
        *frames = first.into();
    }
}

/// Cuts what was read from a process or from a file.
pub(super) fn cut_text(text: &mut String) {
    cut(text, TEXT_MAX);
}

/// Cuts the name of a thing.
pub(super) fn cut_name(name: &mut String) {
    cut(name, NAME_MAX);
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate((0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{CpuTimes, Disk, DomainStatus, Exit, Health, Interface, InterpretedFrame, Socket, Waker};

    fn socket(cookie: u64) -> Socket {
        let anywhere = std::net::SocketAddr::from(([0; 4], 0));
        Socket {
            cookie,
            owner: None,
            protocol: Default::default(),
            state: 1,
            local: anywhere,
            remote: anywhere,
            netns: 0,
            tx_bytes: 0,
            rx_bytes: 0,
            tx_messages: 0,
            rx_messages: 0,
            since_ns: 0,
            tcp: None,
            closed: false,
        }
    }

    #[test]
    fn no_list_is_longer_than_ebtop_writes_it() {
        const MANY: usize = 1 << 19;
        let exits = (0..MANY).map(|at| Exit { at_ns: at as u64, ..Exit::default() }).collect();
        let mut sample = Sample { exits, sockets: (0..MANY as u64).map(socket).collect(), ..Sample::default() };
        sample.machine.cpus = (0..MANY as u32).rev().map(|cpu| (cpu / 2, CpuTimes::default())).collect();
        sample.machine.disks = vec![Disk::default(); MANY];
        sample.machine.interfaces = vec![Interface::default(); MANY];
        let status = |at: usize| DomainStatus { domain: Domain::ALL[at % 5], health: Health::Live, lost: at as u64, cost: None };
        sample.status = (0..MANY).map(status).collect();
        let frames: Arc<[u64]> = vec![7; MANY].into();
        let waker = Waker { kernel: frames.clone(), user: frames.clone(), ..Waker::default() };
        let deep = StackCount { kernel: frames.clone(), user: frames, waker: Some(waker.into()), ..StackCount::default() };
        sample.stacks.counts = vec![StackCount::default(); MANY];
        sample.stacks.counts.push(deep);
        let line = |at| (at as u64, InterpretedFrame { function: "f".into(), file: "f".into(), line: 1 });
        sample.stacks.interpreted = (0..MANY).map(line).collect();
        let mut frame = Frame { sample, details: Vec::new() };
        cut_lists(&mut frame);

        let Sample { exits, sockets, stacks, machine, status, .. } = frame.sample;
        assert_eq!((exits.len(), exits[0].at_ns as usize, sockets.len()), (EXITS_MAX, MANY - EXITS_MAX, SOCKETS_MAX));
        assert!(machine.cpus.iter().map(|(cpu, _)| *cpu as usize).eq(0..CPUS_MAX));
        assert_eq!((machine.disks.len(), machine.interfaces.len()), (DISKS_MAX, INTERFACES_MAX));
        assert_eq!(status.iter().map(|s| (s.domain, s.lost)).collect::<Vec<_>>(), Domain::ALL.into_iter().zip(0..).collect::<Vec<_>>());
        assert_eq!((stacks.counts.len(), stacks.interpreted.len()), (STACKS_MAX, LINES_MAX));
        let StackCount { kernel, user, waker: Some(waker), .. } = stacks.counts.last().unwrap() else { panic!("it has a waker") };
        assert_eq!((kernel.len(), user.len(), waker.kernel.len(), waker.user.len()), (128, 256, 128, 128));
    }

    #[test]
    fn text_is_cut_between_letters() {
        let mut name = "é".repeat(NAME_MAX);
        cut_name(&mut name);
        assert_eq!(name, "é".repeat(NAME_MAX / 2));
        let mut short = String::from("eth0");
        cut_text(&mut short);
        assert_eq!(short, "eth0");
    }
}

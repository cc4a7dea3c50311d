//! The bytes of a recording: header and frames. Reading trusts nothing: lengths are capped, sums are checked, and memory grows only
//! with bytes that are really there.

use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{distrust, groups};
use crate::sample::{Cgroups, Details, ProcKey, Sample};

/// First bytes of every recording.
pub(super) const MAGIC: [u8; 9] = *b"ebtop\0rec";
/// Changes with every change of the frames' content.
pub(super) const VERSION: u16 = 5;
/// The oldest that is read: its frames end before the control groups.
pub(super) const OLDEST: u16 = 4;
/// Bytes of magic and version.
pub(super) const HEADER_LEN: usize = MAGIC.len() + 2;
/// No frame is longer, so that a hostile length costs no more than this, and what is decoded from it a small multiple.
pub(super) const FRAME_LIMIT: usize = 32 << 20;

/// What one frame holds, as it is read; from format 5 on control groups follow, which end up in the sample.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Frame {
    pub(super) sample: Sample,
    pub(super) details: Vec<(ProcKey, Details)>,
}

/// The same, as it is written.
#[derive(Serialize)]
pub(super) struct FrameRef<'a> {
    pub(super) sample: &'a Sample,
    pub(super) details: &'a [(ProcKey, Details)],
    cgroups: Option<&'a Cgroups>,
}

impl<'a> FrameRef<'a> {
    pub(super) fn new(sample: &'a Sample, details: &'a [(ProcKey, Details)]) -> Self {
        FrameRef { sample, details, cgroups: sample.cgroups.as_deref() }
    }
}

/// How reading the next frame went.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A whole frame.
    Frame(Box<Frame>),
    /// The file ends after a whole frame.
    End,
    /// The file ends within a frame.
    Torn,
    /// The bytes are not what was written.
    Damaged,
}

/// Magic and version.
pub(super) fn header() -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[..MAGIC.len()].copy_from_slice(&MAGIC);
    header[MAGIC.len()..].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// The version in a header; `None` where the magic is another.
pub(super) fn version_of(header: &[u8; HEADER_LEN]) -> Option<u16> {
    let version = header.strip_prefix(&MAGIC)?;
    Some(u16::from_le_bytes(version.try_into().ok()?))
}

/// Puts the bytes of a frame into `out`, which is emptied first.
pub(super) fn encode(frame: &FrameRef<'_>, out: &mut Vec<u8>) -> Result<(), postcard::Error> {
    out.clear();
    out.extend([0; 8]);
    *out = postcard::to_extend(frame, std::mem::take(out))?;
    let (prefix, body) = out.split_at_mut(8);
    prefix[..4].copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    prefix[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    Ok(())
}

/// Reads the next frame of a recording of that version; `buffer` is kept between calls.
pub(super) fn next_frame(input: &mut impl Read, version: u16, buffer: &mut Vec<u8>) -> io::Result<Next> {
    let mut prefix = [0; 8];
    match read_full(input, &mut prefix)? {
        0 => return Ok(Next::End),
        8 => {}
        _ => return Ok(Next::Torn),
    }
    let [l0, l1, l2, l3, c0, c1, c2, c3] = prefix;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > FRAME_LIMIT {
        return Ok(Next::Damaged);
    }
    buffer.clear();
    if input.take(length as u64).read_to_end(buffer)? < length {
        return Ok(Next::Torn);
    }
    if crc32fast::hash(buffer) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Ok(Next::Damaged);
    }
    let Ok(mut frame) = decode(buffer, version) else { return Ok(Next::Damaged) };
    distrust::clean(&mut frame);
    Ok(Next::Frame(frame))
}

fn decode(bytes: &[u8], version: u16) -> Result<Box<Frame>, postcard::Error> {
    let (mut frame, rest) = postcard::take_from_bytes::<Box<Frame>>(bytes)?;
    if version > OLDEST {
        frame.sample.cgroups = postcard::from_bytes::<Option<groups::AsRead>>(rest)?.map(|groups| Arc::new(groups.into()));
    }
    Ok(frame)
}

/// Fills `out` as far as the input reaches.
pub(super) fn read_full(input: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < out.len() {
        match input.read(&mut out[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::*;
    use proptest::prelude::*;

    fn full_sample() -> Sample {
        let key = ProcKey { pid: 7, start_ns: 123_456_789 };
        let task = Task {
            key,
            comm: Comm::new(b"worker"),
            state: b'R',
            counters: Counters::default().with(Counter::CpuNs, 1 << 60).with(Counter::RxBytes, 0),
            memory: Some(Memory { anon_bytes: 4096, ..Memory::default() }),
            ..Task::default()
        };
        let socket = Socket {
            cookie: 9,
            owner: Some(key),
            protocol: Protocol::Udp,
            state: 7,
            local: "[::1]:53".parse().unwrap(),
            remote: "10.1.2.3:4".parse().unwrap(),
            netns: 1,
            tx_bytes: 2,
            rx_bytes: 3,
            tx_messages: 4,
            rx_messages: 5,
            since_ns: 6,
            tcp: Some(TcpInfo::default()),
            closed: true,
        };
        let count = StackCount {
            key,
            tid: 8,
            comm: task.comm,
            weight: Weight::OnCpu,
            count: 3,
            value: 3,
            kernel: Arc::from([u64::MAX, 1]),
            user: Arc::from([]),
            quality: StackQuality::Deep,
            waker: Some(Arc::new(Waker { key, comm: task.comm, user: Arc::from([5]), ..Waker::default() })),
        };
        let health = [Health::Live, Health::Standby, Health::Degraded { reason: "a".into() }, Health::Off { reason: "b".into() }];
        let status = Domain::ALL.into_iter().zip(health);
        let group = Cgroup {
            path: "/web".into(),
            key: 3,
            pids: Some(vec![7]),
            cpu_ns: Some(1 << 50),
            periods: Some(9),
            throttled_periods: Some(4),
            throttled_ns: Some(5),
            cpu_max_milli: Some(1500),
            memory_bytes: Some(6),
            memory_max_bytes: Some(8),
            anon_bytes: Some(1),
            file_bytes: Some(2),
            pressure: [Some(1.5), None, Some(0.0)],
            device_read_bytes: Some(10),
            device_write_bytes: Some(11),
            parent: Some(0),
            id: 77,
            inode: 78,
            holds_all: false,
        };
        let root = Cgroup { path: "/".into(), key: 1, holds_all: true, ..Cgroup::default() };
        let cgroups = Cgroups { at_ns: 3, list: vec![root, group], left_out: 1, trouble: Some("one file".into()) };
        Sample {
            at_ns: 1,
            cgroups: Some(Arc::new(cgroups)),
            tasks: vec![task].into(),
            exits: vec![Exit { task, at_ns: 2, code: 1, signal: 9, peak_rss_bytes: Some(1) }],
            sockets: vec![socket],
            stacks: Stacks {
                hz: 49,
                counts: vec![count],
                interpreted: vec![(INTERPRETED, InterpretedFrame { function: "f".into(), file: "a.py".into(), line: 3 })],
            },
            machine: Machine {
                pressure: Some(Pressure { cpu_pct: 1.5, ..Pressure::default() }),
                disks: vec![Disk { name: "sda".into(), read_ms: 7, ..Disk::default() }],
                ..Machine::default()
            },
            status: status.map(|(domain, health)| DomainStatus { domain, health, lost: 1, cost: Some("~".into()) }).collect(),
            ..Sample::default()
        }
    }

    fn encoded() -> (Vec<u8>, Frame) {
        let sample = full_sample();
        let details = vec![(sample.tasks[0].key, Details { cmdline: "a b".into(), ..Details::default() })];
        let mut bytes = Vec::new();
        encode(&FrameRef::new(&sample, &details), &mut bytes).unwrap();
        (bytes, Frame { sample, details })
    }

    #[test]
    fn every_field_survives() {
        let (bytes, frame) = encoded();
        let mut input = bytes.as_slice();
        assert_eq!(next_frame(&mut input, VERSION, &mut Vec::new()).unwrap(), Next::Frame(Box::new(frame)));
        assert_eq!(next_frame(&mut input, VERSION, &mut Vec::new()).unwrap(), Next::End);
    }

    #[test]
    fn the_format_before_ends_where_control_groups_begin() {
        let (_, Frame { mut sample, details }) = encoded();
        let mut body = postcard::to_allocvec(&(&sample, &details)).unwrap();
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.append(&mut body);
        assert_eq!(next_frame(&mut bytes.as_slice(), VERSION, &mut Vec::new()).unwrap(), Next::Damaged, "it is no frame of this format");
        sample.cgroups = None;
        let read = next_frame(&mut bytes.as_slice(), OLDEST, &mut Vec::new()).unwrap();
        assert_eq!(read, Next::Frame(Box::new(Frame { sample, details })));
    }

    #[test]
    fn a_cut_anywhere_is_torn() {
        let (bytes, _) = encoded();
        for length in 1..bytes.len() {
            assert_eq!(next_frame(&mut &bytes[..length], VERSION, &mut Vec::new()).unwrap(), Next::Torn, "at {length}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_allocates_nothing() {
        let mut buffer = Vec::new();
        assert_eq!(next_frame(&mut [0xff; 64].as_slice(), VERSION, &mut buffer).unwrap(), Next::Damaged);
        assert_eq!(buffer.capacity(), 0);
    }

    #[test]
    fn a_promise_of_many_tasks_with_a_right_sum_is_damaged() {
        let body = [1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend(crc32fast::hash(&body).to_le_bytes());
        bytes.extend(body);
        assert_eq!(next_frame(&mut bytes.as_slice(), VERSION, &mut Vec::new()).unwrap(), Next::Damaged);
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), change in 1u8..) {
            let (mut bytes, frame) = encoded();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert_ne!(next_frame(&mut bytes.as_slice(), VERSION, &mut Vec::new()).unwrap(), Next::Frame(Box::new(frame)));
        }

        #[test]
        fn noise_with_a_right_sum_never_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
            bytes.extend(crc32fast::hash(&body).to_le_bytes());
            bytes.extend(body);
            for version in OLDEST..=VERSION {
                next_frame(&mut bytes.as_slice(), version, &mut Vec::new()).unwrap();
            }
        }
    }
}

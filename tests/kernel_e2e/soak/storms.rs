//! Storms that know their own truth, and what ebtop said of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::any_kernel::own;
use crate::assert_within;
use crate::program::{list, number, rows};
use crate::workload::{Usage, Workload};

/// Bytes over each connection.
const CHUNK: usize = 700;
/// Between two connections: the port of each is taken for a minute after it, and there are 28,000.
const PAUSE: Duration = Duration::from_millis(4);

/// Children without end, children that run a program, and connections.
pub struct Storms {
    children: [(&'static str, Workload); 2],
    connections: JoinHandle<u64>,
}

/// What they did.
pub struct Made {
    children: Vec<(&'static str, u32, usize, Usage)>,
    bytes: u64,
}

impl Storms {
    pub fn start(time: Duration) -> Storms {
        let seconds = time.as_secs().to_string();
        let children = ["forks", "execs"].map(|mode| (mode, Workload::start("tasks", &[mode, &seconds])));
        Storms { children, connections: std::thread::spawn(move || connect_for(time)) }
    }

    /// Waits for them.
    pub fn end(self) -> Made {
        let children = self.children.into_iter().map(|(mode, mut parent)| {
            let (pid, made) = (parent.pid(), parent.made());
            let usage = parent.usage();
            parent.end();
            (mode, pid, made, usage)
        });
        Made { children: children.collect(), bytes: self.connections.join().unwrap() }
    }
}

fn connect_for(time: Duration) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (end, mut bytes) = (Instant::now() + time, 0);
    while Instant::now() < end {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        client.write_all(&[7; CHUNK]).unwrap();
        server.read_exact(&mut [0; CHUNK]).unwrap();
        bytes += CHUNK as u64;
        std::thread::sleep(PAUSE);
    }
    bytes
}

/// What ebtop said, tick by tick.
pub struct Seen {
    parents: [u32; 2],
    /// By parent: exits, CPU time, minor faults.
    children: [(usize, u64, u64); 2],
    bytes: [u64; 2],
    lost: BTreeMap<String, u64>,
    last_ns: Option<u64>,
}

impl Seen {
    pub fn of(storms: &Storms) -> Seen {
        let parents = storms.children.each_ref().map(|(_, parent)| parent.pid());
        Seen { parents, children: [(0, 0, 0); 2], bytes: [0; 2], lost: BTreeMap::new(), last_ns: None }
    }

    pub fn add(&mut self, tick: &Value) {
        let at = number(tick, "at_ns");
        if let Some(last) = self.last_ns.replace(at) {
            assert_eq!(number(tick, "interval_ns"), at - last, "time goes on, whatever the clock on the wall does");
        }
        for row in rows(tick) {
            if let Some(i) = self.parents.iter().position(|pid| number(row, "ppid") == u64::from(*pid)) {
                self.children[i].1 += number(row, "cpu_ns");
                self.children[i].2 += number(row, "min_flt");
            }
            if own(row) {
                self.bytes[0] += number(row, "tx_bytes");
                self.bytes[1] += number(row, "rx_bytes");
            }
        }
        for row in list(tick, "exited") {
            if let Some(i) = self.parents.iter().position(|pid| number(row, "ppid") == u64::from(*pid)) {
                self.children[i].0 += 1;
            }
        }
        for (domain, lost) in tick["lost"].as_object().unwrap() {
            self.lost.insert(domain.clone(), lost.as_u64().unwrap());
        }
    }

    /// When the newest sample was taken.
    pub fn last_ns(&self) -> Option<u64> {
        self.last_ns
    }

    /// Each event was seen, or is among those that ebtop said it lost.
    pub fn assert_true(&self, made: &Made) {
        println!("lost: {:?}; {} bytes each way", self.lost, made.bytes);
        let lost = self.lost["tasks"];
        for ((mode, _, made, usage), (exits, cpu_ns, minor)) in made.children.iter().zip(self.children) {
            println!("{mode}: {made} made, {exits} exits seen");
            assert!(exits <= *made && exits as u64 + lost >= *made as u64, "{mode}: {exits} of {made}, {lost} lost");
            if lost == 0 {
                assert_eq!(minor, usage.minor, "minor faults of {mode}");
                assert_within(mode, cpu_ns, usage.cpu_ns, 2.0);
            }
        }
        if self.lost["net"] == 0 {
            assert_eq!(self.bytes, [made.bytes; 2], "bytes of connections");
        }
    }
}

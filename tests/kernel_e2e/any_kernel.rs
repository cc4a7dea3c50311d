//! What must be true on every kernel from 5.10 on, whatever hooks it has. `script/kernels` runs these in guests, where time means nothing:
//! they compare counts. Lines that begin with `TABLE` are for the table it makes.

mod cgroups;
mod hooks;
pub mod refusals;
mod rungs;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::objects::{self, left_since};
use crate::program::{Batch, PATIENCE, list, number, rows, sum};
use crate::workload::Workload;

const CHUNK: usize = 7000;
const CHUNKS: usize = 50;
const PACKET: usize = 900;

pub fn own(row: &Value) -> bool {
    number(row, "pid") == u64::from(std::process::id())
}

/// State and reason of a domain in the last tick.
fn health(ebtop: &Batch, domain: &str) -> (String, String) {
    let health = &ebtop.ticks.last().unwrap()["health"][domain];
    let text = |name| health[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

#[test]
#[ignore = "root"]
fn every_domain_works_and_leaves_nothing() {
    let before = objects::all();
    let mut ebtop = Batch::start(&["-d", "0.5", "--fields", "pid,page_allocs,tx_bytes"]);
    ebtop.settle();
    for domain in ["tasks", "net", "stacks", "mem"] {
        let (state, reason) = health(&ebtop, domain);
        // Socket bytes may come from the last rung, which says what it cannot tell.
        assert!(state == "live" || (domain == "net" && reason.starts_with("counted by kprobes")), "{domain}: {state} {reason}");
        assert_eq!(ebtop.ticks.last().unwrap()["lost"][domain], 0, "{domain}");
    }
    hooks::print_used(ebtop.pid(), &before);
    let ticks = ebtop.stop();
    let row = rows(ticks.last().unwrap()).find(|row| own(row)).unwrap();
    assert!(row["page_allocs"].is_u64() && row["tx_bytes"].is_u64(), "{row}");
    assert_eq!(left_since(&before), objects::Objects::new());
}

/// The time of a process until it is reaped; its parent's rusage knows a little less of it.
#[test]
#[ignore = "root"]
fn cpu_and_faults_of_short_lives_are_true() {
    let ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    assert_short_lives(ebtop);
}

fn assert_short_lives(mut ebtop: Batch) {
    let mut parent = Workload::start("tasks", &["children", "20", "1"]);
    let truth = parent.usage();
    let of_parent = |row: &Value| number(row, "ppid") == u64::from(parent.pid());
    ebtop.settle();
    // Where the kernel does not say that it freed a process, its exit comes some seconds late.
    ebtop.read_for(Duration::from_secs(5));
    let ticks = ebtop.stop();
    let seen = sum(&ticks, "cpu_ns", of_parent);
    println!("children of 20 ms: {seen} of {}", truth.cpu_ns);
    // An emulated CPU that its host takes away in a child's last moments stands still for it, and rusage does not know them.
    assert!(seen * 100 >= truth.cpu_ns * 98 && seen * 100 <= truth.cpu_ns * 125, "{seen} ns of {}", truth.cpu_ns);
    assert_eq!(sum(&ticks, "min_flt", of_parent), truth.minor, "their minor faults");
    parent.end();
}

#[test]
#[ignore = "root"]
fn socket_bytes_are_true() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    assert_socket_bytes(&mut ebtop);
    ebtop.stop();
}

/// TCP and UDP, both versions of IP, and nothing for what was only looked at or failed.
pub fn assert_socket_bytes(ebtop: &mut Batch) {
    for (family, any) in [("v4", "127.0.0.1:0"), ("v6", "[::1]:0")] {
        let so_far = |ebtop: &Batch| ["tx_bytes", "rx_bytes"].map(|field| sum(&ebtop.ticks, field, own));
        let before = so_far(ebtop);
        let listener = TcpListener::bind(any).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        let (sender, receiver) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
        let to = receiver.local_addr().unwrap();
        receiver.set_nonblocking(true).unwrap();
        assert!(receiver.recv(&mut [0; 9]).is_err(), "there is nothing yet");
        // Where ksoftirqd was woken, what is sent arrives only when it had the CPU.
        receiver.set_nonblocking(false).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..CHUNKS {
            client.write_all(&[7; CHUNK]).unwrap();
            server.peek(&mut [0; 100]).unwrap();
            server.read_exact(&mut [0; CHUNK]).unwrap();
            sender.send_to(&[7; PACKET], to).unwrap();
            receiver.recv_from(&mut [0; PACKET]).unwrap();
        }
        ebtop.settle();
        let after = so_far(ebtop);
        let truth = ((CHUNK + PACKET) * CHUNKS) as u64;
        assert_eq!([after[0] - before[0], after[1] - before[1]], [truth; 2], "{family}");
    }
}

/// Names come while the program still runs.
#[test]
#[ignore = "root"]
fn a_hot_function_has_its_name() {
    let mut ebtop = Batch::start(&["--view", "stacks", "--hz", "99"]);
    let load = Workload::start("hot", &["60"]);
    let of_load = |stack: &&Value| number(stack, "pid") == u64::from(load.pid());
    let is_hot = |stack: &&Value| {
        let leaf = list(stack, "frames").last();
        leaf.and_then(|frame| frame["name"].as_str()).is_some_and(|name| name.starts_with("hot_"))
    };
    let count = |stacks: &mut dyn Iterator<Item = &Value>| stacks.map(|stack| number(stack, "samples")).sum::<u64>();
    let stacks = |ticks: &[Value]| ticks.iter().flat_map(|tick| list(tick, "stacks").to_vec()).collect::<Vec<_>>();
    ebtop.read_until("samples in hot functions", |ebtop| count(&mut stacks(&ebtop.ticks).iter().filter(of_load).filter(is_hot)) >= 20);
    let ticks = ebtop.stop();
    let of_load: Vec<Value> = stacks(&ticks).into_iter().filter(|stack| of_load(&stack)).collect();
    let (hot, all) = (count(&mut of_load.iter().filter(is_hot)), count(&mut of_load.iter()));
    println!("{hot} of {all} samples in hot functions");
    assert!(hot * 2 > all, "{hot} of {all}: the rest starts the program, or is asked for before it can be named");
}

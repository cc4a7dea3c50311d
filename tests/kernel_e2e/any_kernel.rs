//! What must be true on every kernel from 5.10 on, whatever hooks it has. `script/kernels` runs these in guests, where time means nothing:
//! they compare counts.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::assert_within;
use crate::objects::{self, left_since};
use crate::program::{Batch, list, number, rows, sum};
use crate::workload::Workload;

const CHUNK: usize = 7000;
const CHUNKS: usize = 50;
const PACKET: usize = 900;

fn own(row: &Value) -> bool {
    number(row, "pid") == u64::from(std::process::id())
}

fn state(tick: &Value, domain: &str) -> String {
    format!("{} {}", tick["health"][domain]["state"].as_str().unwrap(), tick["health"][domain]["reason"].as_str().unwrap_or_default())
}

#[test]
#[ignore = "root"]
fn every_domain_works_and_leaves_nothing() {
    let before = objects::all();
    let mut ebtop = Batch::start(&["-d", "0.5", "--fields", "pid,page_allocs,tx_bytes"]);
    ebtop.settle();
    let ticks = ebtop.stop();
    let last = ticks.last().unwrap();
    for domain in ["tasks", "net", "stacks", "mem"] {
        let state = state(last, domain);
        println!("STATE\t{domain}\t{state}");
        // Socket bytes may come from a lower rung, which says what it cannot tell.
        assert!(state.trim() == "live" || (domain == "net" && state.starts_with("degraded counted by kprobes")), "{domain}: {state}");
        assert_eq!(last["lost"][domain], 0, "{domain}");
    }
    let row = rows(last).find(|row| own(row)).unwrap();
    assert!(row["page_allocs"].is_u64() && row["tx_bytes"].is_u64(), "{row}");
    assert_eq!(left_since(&before), objects::Objects::new());
}

/// The time of a process until it is reaped; its parent's rusage knows a little less of it.
#[test]
#[ignore = "root"]
fn cpu_and_faults_of_short_lives_are_true() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    let mut parent = Workload::start("tasks", &["children", "20", "1"]);
    let truth = parent.usage();
    let of_parent = |row: &Value| number(row, "ppid") == u64::from(parent.pid());
    ebtop.settle();
    // Where the kernel does not say that it freed a process, its exit comes some seconds late.
    ebtop.read_for(Duration::from_secs(5));
    let ticks = ebtop.stop();
    assert_within("children of 20 ms", sum(&ticks, "cpu_ns", of_parent), truth.cpu_ns, 2.0);
    assert_eq!(sum(&ticks, "min_flt", of_parent), truth.minor, "their minor faults");
    parent.end();
}

/// TCP and UDP, both versions of IP, and nothing for what was only looked at or failed.
#[test]
#[ignore = "root"]
fn socket_bytes_are_true() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5"]);
    for (family, any) in [("v4", "127.0.0.1:0"), ("v6", "[::1]:0")] {
        let listener = TcpListener::bind(any).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        let (sender, receiver) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
        let to = receiver.local_addr().unwrap();
        receiver.set_nonblocking(true).unwrap();
        assert!(receiver.recv(&mut [0; 9]).is_err(), "there is nothing yet");
        for _ in 0..CHUNKS {
            client.write_all(&[7; CHUNK]).unwrap();
            server.peek(&mut [0; 100]).unwrap();
            server.read_exact(&mut [0; CHUNK]).unwrap();
            sender.send_to(&[7; PACKET], to).unwrap();
            receiver.recv_from(&mut [0; PACKET]).unwrap();
        }
        let before = ["tx_bytes", "rx_bytes"].map(|field| sum(&ebtop.ticks, field, own));
        ebtop.settle();
        let after = ["tx_bytes", "rx_bytes"].map(|field| sum(&ebtop.ticks, field, own));
        let truth = ((CHUNK + PACKET) * CHUNKS) as u64;
        assert_eq!([after[0] - before[0], after[1] - before[1]], [truth; 2], "{family}");
    }
    ebtop.stop();
}

#[test]
#[ignore = "root"]
fn a_hot_function_has_its_name() {
    let mut ebtop = Batch::start(&["--view", "stacks", "--hz", "99"]);
    let mut load = Workload::start("hot", &["3"]);
    load.line();
    ebtop.settle();
    let ticks = ebtop.stop();
    let (mut hot, mut all) = (0, 0);
    for stack in ticks.iter().flat_map(|tick| list(tick, "stacks")).filter(|stack| number(stack, "pid") == u64::from(load.pid())) {
        let name = list(stack, "frames").last().and_then(|frame| frame["name"].as_str()).unwrap_or_default();
        hot += if name.starts_with("hot_") { number(stack, "samples") } else { 0 };
        all += number(stack, "samples");
    }
    println!("{hot} of {all} samples in hot functions");
    assert!(all >= 20 && hot * 10 >= all * 8, "{hot} of {all}");
}

//! Listeners, remote addresses and interfaces, beside what this test itself made of them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use serde_json::Value;

use crate::program::{Batch, list, number};

fn row<'a>(tick: &'a Value, name: &str, field: &str, value: &str) -> Option<&'a Value> {
    list(tick, name).iter().find(|row| row[field] == value)
}

/// The backlog of a socket that listens already becomes another one.
fn listen_again(listener: &TcpListener, backlog: i32) {
    // SAFETY: a system call with the number of a descriptor that is open.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), backlog) }, 0);
}

#[test]
#[ignore = "root"]
fn connections_that_wait_are_counted_until_they_are_accepted() {
    const BACKLOG: u64 = 7;
    const WAITING: u64 = 5;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5", "--view", "listeners"]);
    listen_again(&listener, BACKLOG as i32);
    let mut clients: Vec<TcpStream> = (0..WAITING).map(|_| TcpStream::connect(address).unwrap()).collect();
    let figures = |ebtop: &mut Batch| {
        ebtop.settle();
        let tick = ebtop.ticks.last().unwrap();
        let row = row(tick, "listeners", "local", &address.to_string()).unwrap_or_else(|| panic!("{tick}"));
        assert_eq!(row["pid"], std::process::id(), "{row}");
        ["backlog", "backlog_max", "backlog_dropped_total", "connections"].map(|field| number(row, field))
    };
    assert_eq!(figures(&mut ebtop), [WAITING, BACKLOG, 0, WAITING]);
    let accepted: Vec<TcpStream> = (0..2).map(|_| listener.accept().unwrap().0).collect();
    assert_eq!(figures(&mut ebtop), [WAITING - 2, BACKLOG, 0, WAITING]);
    // The kernel takes one more than it was told, and turns away the next.
    while clients.len() < (BACKLOG + 1 + 2) as usize {
        clients.push(TcpStream::connect(address).unwrap());
    }
    let refused = TcpStream::connect_timeout(&address, std::time::Duration::from_millis(300));
    assert!(refused.is_err(), "no room is left");
    let [waiting, most, dropped, _] = figures(&mut ebtop);
    assert_eq!((waiting, most), (BACKLOG + 1, BACKLOG));
    assert!(dropped > 0, "the one that was turned away");
    drop((accepted, clients));
    ebtop.stop();
}

#[test]
#[ignore = "root"]
fn bytes_of_a_remote_are_those_of_all_its_sockets() {
    const BYTES: usize = 300_000;
    const CONNECTIONS: usize = 3;
    // An address that nobody else on this machine talks from.
    let from = Ipv4Addr::new(127, 77, 1, (std::process::id() % 250 + 1) as u8);
    let listener = TcpListener::bind((from, 0)).unwrap();
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5", "--view", "remotes"]);
    let mut pairs: Vec<(TcpStream, TcpStream)> = (0..CONNECTIONS)
        .map(|_| {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        })
        .collect();
    for (client, server) in &mut pairs {
        let sent = std::thread::spawn({
            let mut client = client.try_clone().unwrap();
            move || client.write_all(&[7; BYTES]).unwrap()
        });
        server.read_exact(&mut vec![0; BYTES]).unwrap();
        sent.join().unwrap();
    }
    ebtop.settle();
    let tick = ebtop.ticks.last().unwrap();
    let SocketAddr::V4(server) = listener.local_addr().unwrap() else { panic!() };
    let remote = row(tick, "remotes", "remote", &server.ip().to_string()).unwrap_or_else(|| panic!("{tick}"));
    let of_remote = |field| number(remote, field);
    // Both ends are on this machine: the clients talk to that address from another one.
    assert_eq!((of_remote("sockets"), of_remote("processes")), (CONNECTIONS as u64, 1), "{remote}");
    assert_eq!((of_remote("tx_bytes_total"), of_remote("rx_bytes_total")), ((BYTES * CONNECTIONS) as u64, 0), "{remote}");
    assert_eq!(remote["pid"], std::process::id());
    assert!(of_remote("rtt_min_us") > 0 && of_remote("rtt_min_us") <= of_remote("rtt_max_us"), "{remote}");
    let rows = ebtop.ticks.iter().filter_map(|tick| row(tick, "remotes", "remote", &server.ip().to_string()));
    assert_eq!(
        rows.map(|row| number(row, "tx_bytes")).sum::<u64>(),
        (BYTES * CONNECTIONS) as u64,
        "growth adds up, from their first byte on"
    );
    ebtop.stop();
}

/// Bytes and packets that loopback received, as the kernel tells them.
fn loopback() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/net/dev").unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().map(|field| field.parse().unwrap()).collect();
    [numbers[0], numbers[1]]
}

#[test]
#[ignore = "root"]
fn an_interface_counts_as_the_kernel_does() {
    const BYTES: usize = 20_000_000;
    let mut ebtop = Batch::start(&["--no-bpf", "-d", "0.5", "--view", "interfaces"]);
    let before = loopback();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = listener.accept().unwrap().0;
    let sent = std::thread::spawn(move || client.write_all(&vec![7; BYTES]).unwrap());
    server.read_exact(&mut vec![0; BYTES]).unwrap();
    sent.join().unwrap();
    ebtop.settle();
    let ticks = ebtop.stop();
    let after = loopback();
    let lo = |tick| row(tick, "interfaces", "interface", "lo").unwrap_or_else(|| panic!("{tick}"));
    for (field, before, after) in [("rx_bytes", before[0], after[0]), ("rx_packets", before[1], after[1])] {
        let totals: Vec<u64> = ticks.iter().map(|tick| number(lo(tick), &format!("{field}_total"))).collect();
        let (first, last) = (totals[0], totals[totals.len() - 1]);
        assert!(totals.is_sorted() && first <= before && last <= after, "{field}: {before} to {after}, {totals:?}");
        let grown: u64 = ticks[1..].iter().map(|tick| number(lo(tick), field)).sum();
        assert_eq!(grown, last - first, "{field}: growth adds up to the totals");
        assert!(field != "rx_bytes" || last - before >= BYTES as u64, "{field}: {before}, {totals:?}");
    }
    assert_eq!(lo(&ticks[0])["speed_mbit"], Value::Null);
}

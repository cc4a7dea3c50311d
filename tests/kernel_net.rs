//! What the socket hooks count, against bytes this test itself moved. Needs root; all traffic stays on loopback.
//!
//! `cargo test --test kernel_net -- --ignored --test-threads=1`

#[path = "kernel_net/calls.rs"]
mod calls;
#[path = "kernel_net/heirs.rs"]
mod heirs;
#[path = "kernel_net/lives.rs"]
mod lives;
#[path = "kernel_net/load.rs"]
mod load;
#[path = "kernel_net/owners.rs"]
mod owners;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use ebtop::collect::net::{Net, NetReading};
use ebtop::sample::{Counter, Counters, Health, ProcKey, Protocol, Socket};

fn open() -> Net {
    Net::open().expect("the socket hooks must load as root")
}

/// This process as the kernel knows it: the only key with our pid.
fn own(reading: &NetReading) -> Option<(ProcKey, Counters)> {
    of_pid(reading, std::process::id())
}

fn of_pid(reading: &NetReading, pid: u32) -> Option<(ProcKey, Counters)> {
    reading.totals.iter().copied().find(|(key, _)| key.pid == pid)
}

/// tx bytes, rx bytes, tx messages, rx messages.
fn moved(counters: Option<(ProcKey, Counters)>) -> [u64; 4] {
    let counters = counters.map(|(_, c)| c).unwrap_or_default();
    [Counter::TxBytes, Counter::RxBytes, Counter::TxMessages, Counter::RxMessages].map(|c| counters.get(c).unwrap_or(0))
}

/// What this process moved while `work` ran.
fn growth(net: &mut Net, work: impl FnOnce()) -> [u64; 4] {
    let before = moved(own(&net.read(false)));
    work();
    let after = moved(own(&net.read(false)));
    std::array::from_fn(|i| after[i] - before[i])
}

fn tcp_pair(address: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn udp_pair(address: &str) -> (UdpSocket, UdpSocket) {
    let server = UdpSocket::bind(address).unwrap();
    let client = UdpSocket::bind(address).unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    (client, server)
}

fn local(sockets: &[Socket], address: SocketAddr) -> Vec<Socket> {
    sockets.iter().copied().filter(|s| s.local == address).collect()
}

#[test]
#[ignore = "root"]
fn tcp_bytes_are_exact_at_both_ends() {
    let mut net = open();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (mut client, mut server) = tcp_pair(address);
        let grown = growth(&mut net, || {
            for size in [1usize, 1000, 65536] {
                client.write_all(&vec![7; size]).unwrap();
                server.read_exact(&mut vec![0; size]).unwrap();
            }
        });
        assert_eq!(&grown[..2], &[66537, 66537], "{address}");
        assert!(grown[2] >= 3 && grown[3] >= 3);
        let sockets = net.read(true).sockets;
        let [one] = local(&sockets, client.local_addr().unwrap())[..] else { panic!("{sockets:?}") };
        assert_eq!((one.tx_bytes, one.rx_bytes, one.protocol, one.state, one.closed), (66537, 0, Protocol::Tcp, 1, false));
        assert_eq!(one.remote, server.local_addr().unwrap());
        assert_eq!(one.owner.unwrap().pid, std::process::id());
        // The kernel counts the acknowledged SYN of the side that connected as a byte.
        assert_eq!(one.tcp.unwrap().acked_bytes, 66538);
    }
}

#[test]
#[ignore = "root"]
fn udp_bytes_and_messages_are_exact_at_both_ends() {
    let mut net = open();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (client, server) = udp_pair(address);
        let grown = growth(&mut net, || {
            for size in [0usize, 1, 1000, 9000] {
                client.send(&vec![7; size]).unwrap();
                assert_eq!(server.recv(&mut [0; 9000]).unwrap(), size);
            }
        });
        assert_eq!(grown, [10001, 10001, 4, 4], "{address}");
    }
}

#[test]
#[ignore = "root"]
fn the_status_is_live() {
    let mut net = open();
    net.read(true);
    let status = net.status();
    assert_eq!((status.health, status.lost), (Health::Live, 0));
}

//! Bytes over sockets that this test itself owns.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use serde_json::Value;

use crate::program::{Batch, assert_nothing_lost, list, number, sum};

const CHUNK: usize = 50_000;
const CHUNKS: usize = 100;
const PACKET: usize = 1200;

fn at(address: SocketAddr) -> impl Fn(&&Value) -> bool {
    move |socket| socket["local"] == address.to_string()
}

fn entries(ticks: &[Value], address: SocketAddr) -> Vec<&Value> {
    ticks.iter().flat_map(|tick| list(tick, "sockets")).filter(at(address)).collect()
}

/// Growth of tx and rx over all ticks of the socket with this local address.
fn moved(ticks: &[Value], address: SocketAddr) -> [u64; 2] {
    ["tx_bytes", "rx_bytes"].map(|field| entries(ticks, address).iter().map(|socket| number(socket, field)).sum())
}

#[test]
#[ignore = "root"]
fn bytes_are_exact_and_a_closed_socket_is_told_once() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5", "--view", "sockets"]);
    for (family, any) in [("v4", "127.0.0.1:0"), ("v6", "[::1]:0")] {
        let listener = TcpListener::bind(any).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut server = listener.accept().unwrap().0;
        let (sender, receiver) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
        let (from, to) = (client.local_addr().unwrap(), sender.local_addr().unwrap());
        let receives_at = receiver.local_addr().unwrap();
        for _ in 0..CHUNKS {
            client.write_all(&[7; CHUNK]).unwrap();
            server.read_exact(&mut [0; CHUNK]).unwrap();
            server.write_all(&[7; 10]).unwrap();
            client.read_exact(&mut [0; 10]).unwrap();
            sender.send_to(&[7; PACKET], receives_at).unwrap();
            receiver.recv_from(&mut [0; PACKET]).unwrap();
        }
        ebtop.settle();
        let last = ebtop.ticks.last().unwrap();
        let one = |address| list(last, "sockets").iter().find(at(address)).unwrap();
        let open = one(from);
        assert_eq!([number(open, "tx_bytes_total"), number(open, "rx_bytes_total")], [(CHUNK * CHUNKS) as u64, 10 * CHUNKS as u64]);
        assert_eq!((&open["remote"], &open["state"]), (&Value::from(listener.local_addr().unwrap().to_string()), &"ESTABLISHED".into()));
        assert_eq!(number(one(to), "tx_messages_total"), CHUNKS as u64, "{family}");
        drop((client, server, sender, receiver));
        ebtop.settle();
        let (tcp, udp) = ((CHUNK * CHUNKS) as u64, (PACKET * CHUNKS) as u64);
        assert_eq!(moved(&ebtop.ticks, from), [tcp, 10 * CHUNKS as u64], "{family}");
        assert_eq!([moved(&ebtop.ticks, to), moved(&ebtop.ticks, receives_at)], [[udp, 0], [0, udp]], "{family}");
        for address in [from, to, receives_at] {
            let entries = entries(&ebtop.ticks, address);
            assert!(entries.iter().all(|socket| socket["pid"] == std::process::id()), "{entries:?}");
            assert_eq!(entries.iter().filter(|socket| socket["closed"] == true).count(), 1, "{entries:?}");
            assert!(entries.last().unwrap()["closed"] == true, "{entries:?}");
        }
    }
    let ticks = ebtop.stop();
    let own = |row: &Value| number(row, "pid") == u64::from(std::process::id());
    let sent = 2 * CHUNKS * (CHUNK + 10 + PACKET);
    assert_eq!(["tx_bytes", "rx_bytes"].map(|field| sum(&ticks, field, own)), [sent as u64; 2], "of the process");
    assert_nothing_lost(&ticks, "net");
}

/// Sockets that did nothing since ebtop began are there too, with the process that holds them.
#[test]
#[ignore = "root"]
fn idle_sockets_of_before_are_listed() {
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
    let ebtop = Batch::start(&["--hz", "0", "--view", "sockets"]);
    for (address, state) in [(tcp.local_addr().unwrap(), "LISTEN"), (udp.local_addr().unwrap(), "CLOSE")] {
        let entries = entries(&ebtop.ticks, address);
        let [one] = entries[..] else { panic!("{entries:?}") };
        assert_eq!((one["pid"].as_u64(), &one["state"]), (Some(u64::from(std::process::id())), &state.into()));
    }
    ebtop.stop();
}

//! Sockets that come and go.

use std::os::fd::AsRawFd;

use super::*;

/// Ends a connection by a reset, so that no port stays in TIME_WAIT.
fn reset(stream: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the option's value is a linger and lives through the call.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

#[test]
#[ignore = "root"]
fn sockets_closed_between_ticks_are_shown_once_with_their_last_words() {
    let mut net = open();
    net.read(true);
    let (mut client, mut server) = tcp_pair("127.0.0.1:0");
    let (udp_client, udp_server) = udp_pair("127.0.0.1:0");
    client.write_all(&[0; 1234]).unwrap();
    server.read_exact(&mut [0; 1234]).unwrap();
    udp_client.send(&[0; 99]).unwrap();
    udp_server.recv(&mut [0; 99]).unwrap();
    let addresses = [client.local_addr().unwrap(), udp_client.local_addr().unwrap()];
    reset(client);
    drop((server, udp_client, udp_server));
    // The kernel frees a UDP socket a grace period after its close.
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.extend(net.read(true).sockets.into_iter().filter(|s| s.closed && addresses.contains(&s.local)));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    seen.sort_by_key(|s| s.protocol);
    let [tcp, udp] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((tcp.local, tcp.tx_bytes, tcp.state), (addresses[0], 1234, 7));
    assert_eq!(tcp.tcp.unwrap().acked_bytes, 1235);
    assert_eq!((udp.local, udp.tx_bytes), (addresses[1], 99));
}

/// More sockets than there are slots: none is lost, and all bytes are counted.
#[test]
#[ignore = "root"]
fn short_lives_leave_nothing_behind() {
    let mut net = open();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let before = moved(own(&net.read(false)));
    for i in 0..20_000 {
        let mut client = TcpStream::connect(address).unwrap();
        let mut server = listener.accept().unwrap().0;
        client.write_all(&[0; 10]).unwrap();
        server.read_exact(&mut [0; 10]).unwrap();
        reset(client);
        if i % 1000 == 0 {
            net.read(i % 2000 == 0);
        }
    }
    for i in 0..20_000 {
        let (client, server) = udp_pair("127.0.0.1:0");
        client.send(&[0; 5]).unwrap();
        server.recv(&mut [0; 5]).unwrap();
        if i % 1000 == 0 {
            net.read(i % 2000 == 0);
        }
    }
    let after = moved(own(&net.read(false)));
    assert_eq!(std::array::from_fn(|i| after[i] - before[i]), [300_000u64, 300_000, 40_000, 40_000]);
    assert_eq!(net.status().lost, 0);
    std::thread::sleep(std::time::Duration::from_millis(200));
    net.read(true);
    let own = net.read(true).sockets.into_iter().filter(|s| s.owner.is_some_and(|o| o.pid == std::process::id())).count();
    assert!(own < 50, "{own} sockets left");
}

/// A filter on the receiver drops everything, so that the sender must repeat itself.
#[test]
#[ignore = "root"]
fn retransmits_go_to_the_sender() {
    let mut net = open();
    let (mut client, mut server) = tcp_pair("127.0.0.1:0");
    client.write_all(&[0; 10]).unwrap();
    server.read_exact(&mut [0; 10]).unwrap();
    let before = retransmits(&mut net);
    receive_nothing(&server);
    client.write_all(&[0; 10]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let counted = retransmits(&mut net) - before;
    let told = local(&net.read(true).sockets, client.local_addr().unwrap())[0].tcp.unwrap().retransmits;
    assert!(counted >= 2 && told.abs_diff(counted) <= 1, "counted {counted}, TCP says {told}");
    reset(client);
}

/// Has a socket drop all that it should receive.
fn receive_nothing(socket: &std::net::TcpStream) {
    let mut drop_all = libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &mut drop_all };
    // SAFETY: the program and its one instruction live through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

/// TCP counts from 0 again after a disconnect, while what is kept of the socket lives on.
#[test]
#[ignore = "root"]
fn retransmits_go_on_after_a_disconnect() {
    let mut net = open();
    let (mut client, server) = tcp_pair("127.0.0.1:0");
    client.write_all(&[0; 10]).unwrap();
    let before = retransmits(&mut net);
    receive_nothing(&server);
    client.write_all(&[0; 10]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let first = retransmits(&mut net) - before;
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    // SAFETY: the address lives through the call, and its length is given.
    let result = unsafe { libc::connect(client.as_raw_fd(), &nowhere, size_of::<libc::sockaddr>() as libc::socklen_t) };
    assert_eq!(result, 0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
        sin_zero: [0; 8],
    };
    // SAFETY: as above.
    let result =
        unsafe { libc::connect(client.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_in>() as libc::socklen_t) };
    assert_eq!(result, 0);
    let server = listener.accept().unwrap().0;
    receive_nothing(&server);
    client.write_all(&[0; 10]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    let second = retransmits(&mut net) - before - first;
    assert!(first >= 2 && (1..100).contains(&second), "{first}, then {second}");
    reset(client);
}

fn retransmits(net: &mut Net) -> u64 {
    own(&net.read(false)).unwrap().1.get(Counter::Retransmits).unwrap()
}

//! Who moved the bytes: several processes on a socket, other namespaces, processes that are gone.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::*;

/// Runs `work` in a child, which must only make system calls; gives its pid once it has ended well.
fn in_child(work: impl FnOnce() -> bool) -> u32 {
    // SAFETY: the child calls nothing but `work` and _exit.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::_exit(i32::from(!work()));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(pid, &mut status, 0), pid);
        assert_eq!(status, 0, "the child failed");
        pid as u32
    }
}

fn send(fd: i32, len: usize) -> bool {
    // SAFETY: the buffer is longer than any len used here.
    unsafe { libc::send(fd, [0u8; 4096].as_ptr().cast(), len, 0) == len as isize }
}

#[test]
#[ignore = "root"]
fn a_socket_used_by_parent_and_child_is_split() {
    let mut net = open();
    let (client, mut server) = tcp_pair("127.0.0.1:0");
    let fd = client.as_raw_fd();
    let before = moved(own(&net.read(false)));
    assert!(send(fd, 100));
    let child = in_child(|| send(fd, 2000) && send(fd, 1));
    assert!(send(fd, 30));
    server.read_exact(&mut [0; 2131]).unwrap();
    let reading = net.read(true);
    assert_eq!(moved(own(&reading))[0] - before[0], 130);
    assert_eq!(moved(of_pid(&reading, child)), [2001, 0, 2, 0]);
    let mut sent: Vec<_> =
        local(&reading.sockets, client.local_addr().unwrap()).iter().map(|s| (s.owner.unwrap().pid, s.tx_bytes)).collect();
    sent.sort_unstable();
    let mut expected = [(std::process::id(), 130), (child, 2001)];
    expected.sort_unstable();
    assert_eq!(sent, expected);
    drop((client, server));
    let closed = net.read(true).sockets;
    assert_eq!(closed.iter().filter(|s| s.closed && s.owner.is_some_and(|o| o.pid == child)).count(), 1);
}

#[test]
#[ignore = "root"]
fn a_passed_socket_belongs_to_whoever_sends() {
    let mut net = open();
    let (client, mut server) = tcp_pair("127.0.0.1:0");
    let mut ends = [0; 2];
    // SAFETY: socketpair fills both descriptors, which we then own.
    let (left, right) = unsafe {
        assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()), 0);
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    let (from, to) = (right.as_raw_fd(), left.as_raw_fd());
    pass(to, client.as_raw_fd());
    let own_fd = client.as_raw_fd();
    let child = in_child(|| {
        // SAFETY: closes the inherited copy, so that only the passed one is left.
        unsafe { libc::close(own_fd) };
        send(take(from), 777)
    });
    server.read_exact(&mut [0; 777]).unwrap();
    let reading = net.read(false);
    assert_eq!(moved(of_pid(&reading, child)), [777, 0, 1, 0]);
}

/// A control message with room for one descriptor.
#[repr(C)]
struct Passed {
    header: libc::cmsghdr,
    fd: i32,
    padding: i32,
}

fn with_message<R>(passed: &mut Passed, call: impl FnOnce(*mut libc::msghdr) -> R) -> R {
    let mut byte = 0u8;
    let mut vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all-zero is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &mut vector;
    message.msg_iovlen = 1;
    message.msg_control = std::ptr::from_mut(passed).cast();
    message.msg_controllen = size_of::<Passed>();
    call(&mut message)
}

fn pass(over: i32, fd: i32) {
    let header = libc::cmsghdr { cmsg_len: size_of::<libc::cmsghdr>() + 4, cmsg_level: libc::SOL_SOCKET, cmsg_type: libc::SCM_RIGHTS };
    // SAFETY: the message and its control part live through the call.
    assert_eq!(with_message(&mut Passed { header, fd, padding: 0 }, |m| unsafe { libc::sendmsg(over, m, 0) }), 1);
}

fn take(over: i32) -> i32 {
    let header = libc::cmsghdr { cmsg_len: 0, cmsg_level: 0, cmsg_type: 0 };
    let mut passed = Passed { header, fd: -1, padding: 0 };
    // SAFETY: as above.
    with_message(&mut passed, |m| unsafe { libc::recvmsg(over, m, 0) });
    passed.fd
}

#[test]
#[ignore = "root"]
fn a_v4_mapped_socket_is_shown_as_v4() {
    let mut net = open();
    let listener = TcpListener::bind("[::]:0").unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", listener.local_addr().unwrap().port())).unwrap();
    let mut server = listener.accept().unwrap().0;
    client.write_all(&[0; 9]).unwrap();
    server.read_exact(&mut [0; 9]).unwrap();
    let sockets = net.read(true).sockets;
    let port = server.local_addr().unwrap().port();
    let [one] = local(&sockets, SocketAddr::from(([127, 0, 0, 1], port)))[..] else { panic!("{sockets:?}") };
    assert_eq!((one.remote, one.rx_bytes), (client.local_addr().unwrap(), 9));
}

#[test]
#[ignore = "root"]
fn sockets_of_another_namespace_are_shown() {
    let mut net = open();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        // SAFETY: moves only this thread to a new, empty network namespace.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        raise_loopback();
        let (mut client, mut server) = tcp_pair("127.0.0.1:0");
        client.write_all(&[0; 321]).unwrap();
        server.read_exact(&mut [0; 321]).unwrap();
        let inode = std::fs::metadata("/proc/thread-self/ns/net").map(|m| std::os::unix::fs::MetadataExt::ino(&m)).unwrap();
        ready.send((client.local_addr().unwrap(), inode)).unwrap();
        let _ = is_done.recv();
    });
    let (address, inode) = is_ready.recv().unwrap();
    let sockets = net.read(true).sockets;
    let [one] = local(&sockets, address)[..] else { panic!("{sockets:?}") };
    assert_eq!((one.tx_bytes, u64::from(one.netns), one.state), (321, inode, 1));
    assert_eq!(one.tcp.unwrap().acked_bytes, 322);
    drop(done);
    other.join().unwrap();
}

fn raise_loopback() {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: all-zero is a valid ifreq; the name is NUL-terminated by the zeroes.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as _;
        request.ifr_name[1] = b'o' as _;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as _;
        assert_eq!(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &request), 0);
    }
}

#[test]
#[ignore = "root"]
fn idle_sockets_have_an_owner() {
    let before = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut net = open();
    let after = TcpListener::bind("127.0.0.1:0").unwrap();
    let _waiting = TcpStream::connect(after.local_addr().unwrap()).unwrap();
    let sockets = net.read(true).sockets;
    for (address, state) in [before.local_addr(), udp.local_addr(), after.local_addr()].map(Result::unwrap).into_iter().zip([10, 7, 10]) {
        let one = local(&sockets, address).into_iter().find(|s| s.remote.port() == 0).unwrap();
        assert_eq!((one.state, one.owner.unwrap().pid, one.tx_bytes, one.closed), (state, std::process::id(), 0, false));
        if address == after.local_addr().unwrap() {
            assert_eq!(one.tcp.unwrap().receive_queue_bytes, 1, "a connection waits to be accepted");
        }
    }
}

/// More idle sockets than places wait for the kernel half: it lists them bit by bit, and those that move bytes find one meanwhile.
#[test]
#[ignore = "root"]
fn crowds_of_idle_sockets_leave_room_for_busy_ones() {
    const CROWD: usize = 6000;
    ebtop::files::allow_many();
    let mut net = open();
    let idle: Vec<UdpSocket> = (0..CROWD).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let ports: std::collections::BTreeSet<u16> = idle.iter().map(|s| s.local_addr().unwrap().port()).collect();
    let listed = |sockets: &[Socket]| sockets.iter().filter(|s| ports.contains(&s.local.port())).count();
    let first = listed(&net.read(true).sockets);
    assert!(first > 0 && first < CROWD, "{first}");
    let Health::Degraded { reason } = net.status().health else { panic!("{:?}", net.status()) };
    assert!(reason.ends_with("idle sockets have no place in the list, or not yet"), "{reason}");
    let (client, server) = udp_pair("127.0.0.1:0");
    client.send(&[7; 99]).unwrap();
    server.recv(&mut [0; 99]).unwrap();
    let second = net.read(true).sockets;
    assert_eq!(local(&second, client.local_addr().unwrap())[0].tx_bytes, 99);
    let all = (0..10).map(|_| listed(&net.read(true).sockets)).find(|count| *count == CROWD);
    assert_eq!((all, net.status().health, net.status().lost), (Some(CROWD), Health::Live, 0));
}

#[test]
#[ignore = "root"]
fn an_exited_process_keeps_its_totals_until_forgotten() {
    let mut net = open();
    let (client, server) = udp_pair("127.0.0.1:0");
    let fd = client.as_raw_fd();
    let child = in_child(|| send(fd, 55));
    let (key, _) = of_pid(&net.read(false), child).unwrap();
    drop((client, server));
    for want in [true, false] {
        assert_eq!(moved(of_pid(&net.read(want), child)), [55, 0, 1, 0]);
    }
    net.forget(key);
    assert_eq!(of_pid(&net.read(true), child), None);
}

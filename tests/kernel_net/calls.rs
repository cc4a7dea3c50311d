//! Calls whose bytes are easily counted wrong.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::*;

const MIB: usize = 1 << 20;

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut fds = [0; 2];
    // SAFETY: pipe2 fills both and we own them.
    unsafe {
        assert_eq!(libc::pipe2(fds.as_mut_ptr(), 0), 0);
        (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))
    }
}

fn splice(from: &impl AsRawFd, to: &impl AsRawFd, len: usize) -> usize {
    // SAFETY: both descriptors are open; no offsets are passed.
    let moved = unsafe { libc::splice(from.as_raw_fd(), std::ptr::null_mut(), to.as_raw_fd(), std::ptr::null_mut(), len, 0) };
    usize::try_from(moved).unwrap()
}

fn receive(socket: &impl AsRawFd, buffer: &mut [u8], flags: i32) -> isize {
    // SAFETY: the buffer is as long as we say.
    unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) }
}

#[test]
#[ignore = "root"]
fn peeks_add_nothing() {
    let mut net = open();
    let (mut client, server) = tcp_pair("127.0.0.1:0");
    let (udp_client, udp_server) = udp_pair("127.0.0.1:0");
    let grown = growth(&mut net, || {
        client.write_all(&[1; 100]).unwrap();
        udp_client.send(&[1; 50]).unwrap();
        for _ in 0..1000 {
            assert_eq!(receive(&server, &mut [0; 200], libc::MSG_PEEK), 100);
            assert_eq!(receive(&udp_server, &mut [0; 200], libc::MSG_PEEK), 50);
        }
        assert_eq!(receive(&server, &mut [0; 200], 0), 100);
        assert_eq!(receive(&udp_server, &mut [0; 200], 0), 50);
    });
    assert_eq!(grown, [150, 150, 2, 2]);
}

#[test]
#[ignore = "root"]
fn failed_calls_add_nothing() {
    let mut net = open();
    let (mut client, mut server) = tcp_pair("127.0.0.1:0");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let grown = growth(&mut net, || {
        for _ in 0..1000 {
            assert_eq!(server.read(&mut [0; 10]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let mut refused = 0;
        while refused < 1000 {
            match client.write(&[1; 10000]) {
                Ok(n) => sent += n as u64,
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::WouldBlock);
                    refused += 1;
                }
            }
        }
        assert_eq!(udp.send_to(&vec![0; 70000], udp.local_addr().unwrap()).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
        assert!(udp.send(&[0; 5]).is_err(), "not connected");
    });
    assert_eq!((grown[0], grown[1], grown[3]), (sent, 0, 0));
}

#[test]
#[ignore = "root"]
fn every_message_of_a_batch_counts() {
    let mut net = open();
    let (client, server) = udp_pair("127.0.0.1:0");
    let mut buffers = [[3u8; 100]; 10];
    let mut vectors = buffers.each_mut().map(|b| libc::iovec { iov_base: b.as_mut_ptr().cast(), iov_len: b.len() });
    // SAFETY: all-zero is a valid mmsghdr.
    let mut headers: [libc::mmsghdr; 10] = unsafe { std::mem::zeroed() };
    for (header, vector) in headers.iter_mut().zip(&mut vectors) {
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    let grown = growth(&mut net, || {
        // SAFETY: ten headers, each with one vector over its own buffer, all alive here.
        unsafe {
            assert_eq!(libc::sendmmsg(client.as_raw_fd(), headers.as_mut_ptr(), 10, 0), 10);
            assert_eq!(libc::recvmmsg(server.as_raw_fd(), headers.as_mut_ptr(), 10, 0, std::ptr::null_mut()), 10);
        }
    });
    assert_eq!(grown, [1000, 1000, 10, 10]);
}

#[test]
#[ignore = "root"]
fn a_cut_datagram_counts_what_the_call_returned() {
    let mut net = open();
    let (client, server) = udp_pair("127.0.0.1:0");
    let grown = growth(&mut net, || {
        for flags in [0, libc::MSG_TRUNC] {
            client.send(&[1; 300]).unwrap();
            assert_eq!(receive(&server, &mut [0; 10], flags), if flags == 0 { 10 } else { 300 });
        }
        client.send(&[]).unwrap();
        assert_eq!(receive(&server, &mut [0; 10], 0), 0);
    });
    assert_eq!(grown, [600, 310, 3, 3]);
}

#[test]
#[ignore = "root"]
fn the_end_of_a_stream_is_no_message() {
    let mut net = open();
    let (client, mut server) = tcp_pair("127.0.0.1:0");
    let grown = growth(&mut net, || {
        drop(client);
        assert_eq!(server.read(&mut [0; 10]).unwrap(), 0);
    });
    assert_eq!(grown, [0; 4]);
}

#[test]
#[ignore = "root"]
fn sendfile_and_splice_out_are_counted_once() {
    let mut net = open();
    let (client, mut server) = tcp_pair("127.0.0.1:0");
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![5; MIB]).unwrap();
    let reader = std::thread::spawn(move || {
        server.read_exact(&mut vec![0; MIB + 40000]).unwrap();
        server
    });
    let grown = growth(&mut net, || {
        send_whole_file(&file, &client);
        let (from, to) = pipe();
        File::from(to).write_all(&[6; 40000]).unwrap();
        let mut left = 40000;
        while left > 0 {
            left -= splice(&from, &client, left);
        }
        reader.join().unwrap();
    });
    assert_eq!(&grown[..2], &[(MIB + 40000) as u64; 2]);
}

fn send_whole_file(file: &File, socket: &TcpStream) {
    let mut offset = 0;
    while (offset as usize) < MIB {
        // SAFETY: both descriptors are open and the offset is ours.
        assert!(unsafe { libc::sendfile(socket.as_raw_fd(), file.as_raw_fd(), &mut offset, MIB - offset as usize) } > 0);
    }
}

/// Splice reads pass every hook of kernels without fexit: TCP's own counters tell them.
#[test]
#[ignore = "root"]
fn splice_in_is_counted_while_open_and_after_the_end() {
    let mut net = open();
    let before = moved(own(&net.read(false)));
    let (mut client, mut server) = tcp_pair("127.0.0.1:0");
    let (from, to) = pipe();
    let address = server.local_addr().unwrap();
    for _ in 0..10 {
        client.write_all(&[1; 30000]).unwrap();
        let mut left = 30000;
        while left > 0 {
            let n = splice(&server, &to, left);
            assert_eq!(File::from(from.try_clone().unwrap()).read(&mut vec![0; n]).unwrap(), n);
            left -= n;
        }
    }
    client.write_all(&[1; 7]).unwrap();
    server.read_exact(&mut [0; 7]).unwrap();
    let reading = net.read(true);
    let [one] = local(&reading.sockets, address).into_iter().filter(|s| s.remote.port() != 0).collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!(one.rx_bytes, 300_007);
    assert_eq!(moved(own(&reading))[1] - before[1], 300_007);
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0, "the FIN is read");
    drop(server);
    for want in [false, true, false] {
        assert_eq!(moved(own(&net.read(want)))[1] - before[1], 300_007, "after the end");
    }
}

/// A socket that was never read otherwise goes to the process that closes it.
#[test]
#[ignore = "root"]
fn splice_in_alone_is_counted_at_the_end() {
    let mut net = open();
    let grown = growth(&mut net, || {
        let (mut client, server) = tcp_pair("127.0.0.1:0");
        let (_from, to) = pipe();
        client.write_all(&[1; 5000]).unwrap();
        assert_eq!(splice(&server, &to, 5000), 5000);
        drop((server, client));
    });
    assert_eq!(&grown[..3], &[5000, 5000, 1]);
    assert!(grown[3] <= 1, "a message only where function exits see the call");
}

#[test]
#[ignore = "root"]
fn waiting_for_all_counts_once() {
    let mut net = open();
    let (mut client, server) = tcp_pair("127.0.0.1:0");
    let waiter = std::thread::spawn(move || receive(&server, &mut [0; 2000], libc::MSG_WAITALL));
    let grown = growth(&mut net, || {
        client.write_all(&[1; 1000]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        client.write_all(&[1; 1000]).unwrap();
        assert_eq!(waiter.join().unwrap(), 2000);
    });
    assert_eq!(grown, [2000, 2000, 2, 1]);
}

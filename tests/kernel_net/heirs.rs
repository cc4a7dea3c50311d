//! Idle sockets that pass from one process to another: by a child that outlives its parent, by a parent that lets go.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::*;

/// A parent that has a socket open, and the child that it made when asked to.
struct Family {
    orders: File,
    answers: File,
    parent: u32,
    /// What is closed with this ends the child.
    _life: OwnedFd,
}

fn pipe() -> [OwnedFd; 2] {
    let mut ends = [0; 2];
    // SAFETY: pipe2 fills both descriptors, which we then own.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), 0), 0);
        ends.map(|end| OwnedFd::from_raw_fd(end))
    }
}

impl Family {
    /// The parent gets a copy of `socket`.
    fn of(socket: &impl AsRawFd) -> Family {
        let ([orders, to], [from, answers], [life, own_life]) = (pipe(), pipe(), pipe());
        let [orders, answers, life] = [orders, answers, life].map(|end| (end.as_raw_fd(), end));
        let fds = [orders.0, answers.0, life.0, own_life.as_raw_fd(), to.as_raw_fd(), socket.as_raw_fd()];
        // SAFETY: the child makes only system calls and ends in _exit.
        let parent = unsafe { libc::fork() };
        if parent == 0 {
            lead(fds);
        }
        Family { orders: File::from(to), answers: File::from(from), parent: parent as u32, _life: own_life }
    }

    /// Has the parent do one thing: `l`isten, `f`ork, `c`lose, e`x`it. Gives the pid of the child that it made.
    fn tell(&mut self, order: u8) -> u32 {
        self.orders.write_all(&[order]).unwrap();
        if order == b'x' {
            // SAFETY: waits for our own child.
            assert_eq!(unsafe { libc::waitpid(self.parent as i32, std::ptr::null_mut(), 0) }, self.parent as i32);
            return 0;
        }
        let mut answer = [0; 4];
        self.answers.read_exact(&mut answer).unwrap();
        u32::from_ne_bytes(answer)
    }
}

/// The parent: does as it is told until it is to end, or nobody is left to tell it. Never returns.
fn lead([orders, answers, life, own_life, to, socket]: [i32; 6]) -> ! {
    // SAFETY: system calls on descriptors and buffers of our own.
    unsafe {
        libc::close(own_life);
        libc::close(to);
        let mut order = 0u8;
        while libc::read(orders, (&raw mut order).cast(), 1) == 1 && order != b'x' {
            let answer = match order {
                b'l' => libc::listen(socket, 5),
                b'c' => libc::close(socket),
                _ => libc::fork(),
            };
            if order == b'f' && answer == 0 {
                libc::read(life, (&raw mut order).cast(), 1);
                libc::_exit(0);
            }
            libc::write(answers, (&raw const answer).cast(), 4);
        }
        libc::_exit(0);
    }
}

/// A TCP socket with a port of its own that does not listen yet.
fn bound() -> (OwnedFd, SocketAddr) {
    // SAFETY: makes a descriptor, which we then own; the address lives through the calls.
    unsafe {
        let socket = OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0));
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as u16;
        address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
        let mut len = size_of::<libc::sockaddr_in>() as u32;
        assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len), 0);
        assert_eq!(libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &mut len), 0);
        (socket, SocketAddr::from(([127, 0, 0, 1], u16::from_be(address.sin_port))))
    }
}

/// Who the table says owns the only socket between two addresses.
fn owner(net: &mut Net, local: SocketAddr, remote: Option<SocketAddr>) -> ProcKey {
    let sockets = net.read(true).sockets;
    let of_it = |s: &&Socket| s.local == local && remote.is_none_or(|remote| s.remote == remote);
    let [one] = sockets.iter().filter(of_it).collect::<Vec<_>>()[..] else { panic!("{sockets:?}") };
    one.owner.expect("it is open somewhere")
}

/// The files of all processes are searched when the table is opened.
fn reopen(net: &mut Net) {
    net.read(false);
    net.read(true);
}

#[test]
#[ignore = "root"]
fn a_daemon_owns_the_listener_of_its_parent_that_exited() {
    let mut net = open();
    net.read(true);
    let (socket, address) = bound();
    let mut family = Family::of(&socket);
    drop(socket);
    family.tell(b'l');
    let parent = owner(&mut net, address, None);
    assert_eq!(parent.pid, family.parent);
    let child = family.tell(b'f');
    family.tell(b'x');
    net.forget(parent);
    // Between two searches there is a rest, but not the half minute of those that nothing calls for.
    let began = Instant::now();
    while owner(&mut net, address, None).pid != child {
        assert!(began.elapsed() < Duration::from_secs(15));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "root"]
fn a_parent_that_died_unseen_is_found_out_when_the_table_opens() {
    let mut net = open();
    net.read(false);
    let (socket, address) = bound();
    let mut family = Family::of(&socket);
    drop(socket);
    family.tell(b'l');
    let child = family.tell(b'f');
    family.tell(b'x');
    assert_eq!(owner(&mut net, address, None).pid, child);
}

#[test]
#[ignore = "root"]
fn an_idle_connection_that_is_handed_on_belongs_to_who_has_it_open() {
    let mut net = open();
    let (client, server) = tcp_pair("127.0.0.1:0");
    let (local, remote) = (server.local_addr().unwrap(), client.local_addr().unwrap());
    let mut family = Family::of(&server);
    drop(server);
    reopen(&mut net);
    assert_eq!(owner(&mut net, local, Some(remote)).pid, family.parent);
    let child = family.tell(b'f');
    reopen(&mut net);
    assert_eq!(owner(&mut net, local, Some(remote)).pid, family.parent, "both have it");
    family.tell(b'c');
    reopen(&mut net);
    assert_eq!(owner(&mut net, local, Some(remote)).pid, child, "the parent lives, but let go of it");
    family.tell(b'x');
}

/// This process was there first, and is met first by each search.
#[test]
#[ignore = "root"]
fn who_listens_stays_the_owner_while_it_has_the_socket() {
    let mut net = open();
    let (socket, address) = bound();
    let mut family = Family::of(&socket);
    family.tell(b'l');
    for _ in 0..3 {
        reopen(&mut net);
        assert_eq!(owner(&mut net, address, None).pid, family.parent);
    }
    family.tell(b'c');
    reopen(&mut net);
    assert_eq!(owner(&mut net, address, None).pid, std::process::id());
    family.tell(b'x');
}

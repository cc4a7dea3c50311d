//! The columns of socket tables.

use std::net::SocketAddr;

use super::row::SocketView;
use super::value::{Value, Value::*, bytes, known};
use super::{Columns, Spec, columns, num, share, size, time, word};
use crate::sample::{Backlog, Protocol, Socket};

columns! {
    /// A column of a table of sockets.
    pub enum SocketColumn(row: SocketView)
    Protocol: word("PROTO", "proto", &["proto"], 5, 125).also(&["protocol"]),
        "Transport: tcp or udp."
        => Text(protocol(row.socket.protocol).into());
    Local: word("LOCAL", "local", &["local"], 21, 220),
        "Local address and port; v4-mapped addresses are shown as v4."
        => Text(address(&row.socket.local).into());
    Remote: word("REMOTE", "remote", &["remote"], 21, 240),
        "Remote address and port; * when not connected."
        => Text(address(&row.socket.remote).into());
    State: word("STATE", "state", &["state"], 9, 170),
        "TCP state, as in ss. UDP: ESTAB when connected, else UNCONN."
        => Text(state(row.socket).into());
    Rx: size("RX/s", "rx", &["rx_bytes"], 6, 210),
        "Application bytes a second that the process received over the socket; peeks excluded."
        => known(row.per_sec(row.row.rx_bytes), BytesPerSec);
    Tx: size("TX/s", "tx", &["tx_bytes"], 6, 209),
        "Application bytes a second that the process sent over the socket."
        => known(row.per_sec(row.row.tx_bytes), BytesPerSec);
    RxTotal: size("RX", "rxtotal", &["rx_bytes_total"], 5, 100),
        "Application bytes received since ebtop first saw the socket."
        => bytes(Some(row.socket.rx_bytes));
    TxTotal: size("TX", "txtotal", &["tx_bytes_total"], 5, 99),
        "Application bytes sent since ebtop first saw the socket."
        => bytes(Some(row.socket.tx_bytes));
    Rtt: time("RTT", "rtt", &["rtt_us"], 6, 150),
        "TCP's smoothed round-trip time; blank without a measurement."
        => known(row.socket.tcp.and_then(|t| t.rtt_us), Micros);
    Retransmits: num("RETR", "retr", &["retransmits_total"], 5, 140),
        "TCP segments retransmitted over the life of the socket."
        => known(row.socket.tcp, |t| Count(t.retransmits as f64));
    SendQueue: size("SENDQ", "sendq", &["send_queue_bytes"], 5, 130),
        "Bytes sent and not yet acknowledged by the peer."
        => bytes(row.socket.tcp.map(|t| t.send_queue_bytes.into()));
    ReceiveQueue: size("RECVQ", "recvq", &["receive_queue_bytes"], 5, 129),
        "Bytes received and not yet read; of a listener, connections waiting to be accepted."
        => receive_queue(row.socket);
    Waiting: num("WAITING", "waiting", &["backlog"], 7, 160).also(&["backlog"]),
        "Of a listener: connections that are made and that nobody has accepted yet. Once there are more than MAX, new ones are turned away."
        => known(backlog(row.socket), |b| Count(b.waiting.into()));
    Backlog: num("MAX", "max", &["backlog_max"], 5, 159),
        "Of a listener: as many connections may wait, as its program asked of listen() and net.core.somaxconn allowed."
        => known(backlog(row.socket), |b| Count(b.most.into()));
    BacklogUse: share("FULL%", "full", &["backlog", "backlog_max"], 5, 165),
        "Of a listener: WAITING as a share of MAX. Near 100 its program accepts too slowly, and clients will wait or be refused."
        => known(backlog(row.socket).and_then(full_percent), Percent);
    Turned: num("DROPPED", "dropped", &["backlog_dropped_total"], 7, 158).also(&["drops"]),
        "Of a listener: connections and requests for them that were turned away since it listens, for want of room in the backlog or of memory, or as not wanted."
        => known(backlog(row.socket), |b| Count(b.dropped.into()));
    Connections: num("CONN", "conn", &["connections"], 5, 157),
        "Of a listener: open connections to its port, in its network namespace, that were accepted or wait to be."
        => known(row.connections, |connections| Count(connections.into()));
    Netns: num("NETNS", "netns", &["netns"], 10, 40),
        "Inode of the network namespace; that of a process is the target of /proc/PID/ns/net."
        => Exact(row.socket.netns.into());
    Age: time("AGE", "age", &["since_ns"], 6, 50),
        "Time since ebtop first saw the socket."
        => Duration(row.at_ns.saturating_sub(row.socket.since_ns));
    Pid: num("PID", "pid", &["pid"], 7, 195),
        "Process that moved the bytes; blank for an open socket whose owner is not known."
        => known(row.socket.owner, |key| Exact(key.pid.into()));
    User: word("USER", "user", &["user"], 8, 60),
        "User of that process: the name of the real user id, the number until the name has been read."
        => known(row.user(), Text);
    Command: word("COMMAND", "command", &["comm", "cmdline"], 12, 200).also(&["name", "comm", "cmdline", "cmd"]),
        "Command line of the owner; the name of its leader thread until it has been read."
        => row.command();
}

/// Number of the state in `include/net/tcp_states.h`.
pub const TCP_LISTEN: u8 = 10;
const TCP_CLOSE: u8 = 7;

/// `tcp` or `udp`.
pub fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Name of the state, as ss writes it (`include/net/tcp_states.h` gives the numbers).
pub fn state(socket: &Socket) -> &'static str {
    match (socket.protocol, socket.state) {
        (_, _) if socket.closed => "CLOSED",
        (_, 1) => "ESTAB",
        (Protocol::Udp, _) => "UNCONN",
        (_, 2) => "SYN-SENT",
        (_, 3 | 12) => "SYN-RECV",
        (_, 4) => "FIN-WAIT1",
        (_, 5) => "FIN-WAIT2",
        (_, 6) => "TIME-WAIT",
        (_, TCP_CLOSE) => "UNCONN",
        (_, 8) => "CLOSEWAIT",
        (_, 9) => "LAST-ACK",
        (_, TCP_LISTEN) => "LISTEN",
        (_, 11) => "CLOSING",
        _ => "?",
    }
}

/// Name of the state, as the kernel writes it (`include/net/tcp_states.h`).
pub fn kernel_state(socket: &Socket) -> &'static str {
    const NAMES: [&str; 13] = [
        "UNKNOWN",
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
        "NEW_SYN_RECV",
    ];
    NAMES.get(usize::from(socket.state)).unwrap_or(&NAMES[0])
}

/// `10.0.0.1:443`, `[fe80::1]:22`, `*:53` for any address.
pub fn address(address: &SocketAddr) -> String {
    match (address.ip().is_unspecified(), address.port()) {
        (true, 0) => "*".into(),
        (true, port) => format!("*:{port}"),
        (false, _) => SocketAddr::new(address.ip(), address.port()).to_string(),
    }
}

fn backlog(socket: &Socket) -> Option<Backlog> {
    socket.tcp.and_then(|tcp| tcp.backlog)
}

/// A backlog of 0 holds one connection: full is then more than nothing.
fn full_percent(backlog: Backlog) -> Option<f64> {
    Some(f64::from(backlog.waiting) / f64::from(backlog.most.max(1)) * 100.0)
}

fn receive_queue(socket: &Socket) -> Value<'static> {
    let Some(tcp) = socket.tcp else { return Unknown };
    match socket.state {
        TCP_LISTEN => Count(tcp.receive_queue_bytes.into()),
        _ => Bytes(tcp.receive_queue_bytes.into()),
    }
}

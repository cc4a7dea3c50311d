//! Interfaces one by one: counters from /proc/net/dev, state and speed of the link from /sys/class/net.
//!
//! The speed takes the lock of all network configuration: while somebody holds it, a driver that resets its card for one, the kernel
//! has the read begin again and again (`speed_show`, `restart_syscall`). So links are read on a thread of their own.

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use rustc_hash::FxHashMap;
use rustix::fs::CWD;

use crate::collect::proc_file::read_once;
use crate::sample::{Interface, InterfaceCounters, printable};

/// State and speed are read again this often: for the speed the kernel may ask the driver.
const LINK_EVERY: Duration = Duration::from_secs(5);
/// How long a sample waits for them.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest state has 14 letters, the largest speed 10 digits.
const BUFFER_BYTES: usize = 32;

/// Reads interfaces again and again.
#[derive(Default)]
pub(super) struct Links {
    known: FxHashMap<String, Link>,
    asked_at: Option<Instant>,
    /// What was asked last is not answered yet.
    waits: bool,
    thread: Option<Thread>,
}

/// Takes names, gives what is told of them.
struct Thread {
    questions: Sender<Vec<String>>,
    answers: Receiver<FxHashMap<String, Link>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Link {
    state: String,
    speed_mbit: Option<u32>,
}

impl Links {
    /// All interfaces of a text of /proc/net/dev.
    pub(super) fn list(&mut self, net_dev: &str) -> Vec<Interface> {
        let rows: Vec<(&str, InterfaceCounters)> = net_dev.lines().filter_map(row).collect();
        let all_known = rows.len() == self.known.len() && rows.iter().all(|(name, _)| self.known.contains_key(*name));
        if !all_known || self.asked_at.is_none_or(|at| at.elapsed() >= LINK_EVERY) {
            self.ask(rows.iter().map(|(name, _)| (*name).to_owned()).collect());
        }
        let interface = |(name, counters): (&str, InterfaceCounters)| {
            let Link { state, speed_mbit } = self.known.get(name).cloned().unwrap_or_default();
            Interface { name: printable(name.as_bytes()), state, speed_mbit, counters }
        };
        rows.into_iter().map(interface).collect()
    }

    /// Has these links read. Those that are not told in time are as they were, until the next sample.
    fn ask(&mut self, names: Vec<String>) {
        let thread = self.thread.get_or_insert_with(|| spawn(Path::new("/sys/class/net")));
        let patience = if self.waits { Duration::ZERO } else { PATIENCE };
        if !self.waits {
            self.waits = thread.questions.try_send(names).is_ok();
        }
        if let Ok(links) = thread.answers.recv_timeout(patience) {
            (self.known, self.waits, self.asked_at) = (links, false, Some(Instant::now()));
        }
    }
}

/// It ends when nobody can ask any more. One that cannot be started shows as answers that never come.
fn spawn(class: &'static Path) -> Thread {
    let (questions, inbox) = bounded::<Vec<String>>(1);
    let (outbox, answers) = bounded(1);
    let work = move || {
        for names in inbox {
            let link_of = |name: String| {
                let link = Link::read(class, &name);
                (name, link)
            };
            if outbox.send(names.into_iter().map(link_of).collect()).is_err() {
                return;
            }
        }
    };
    let _ = std::thread::Builder::new().name("links".into()).spawn(work);
    Thread { questions, answers }
}

impl Link {
    fn read(class: &Path, name: &str) -> Link {
        // The kernel allows neither in a name; the text might.
        let is_name = !name.contains('/') && name != "." && name != "..";
        let read = |file: &str| -> Option<String> {
            let mut buffer = [0; BUFFER_BYTES];
            let bytes = read_once(CWD, class.join(name).join(file), &mut buffer).ok().filter(|_| is_name)?;
            Some(printable(bytes.trim_ascii()))
        };
        Link {
            state: read("operstate").unwrap_or_default(),
            // Without a link it is -1, with a driver that does not know 0xffffffff; loopback refuses.
            speed_mbit: read("speed").and_then(|text| text.parse().ok()).filter(|&speed| speed != 0 && speed != u32::MAX),
        }
    }
}

/// `name: rx_bytes packets errs drop fifo frame compressed multicast tx_bytes packets errs drop …`; the two header lines have no colon.
fn row(line: &str) -> Option<(&str, InterfaceCounters)> {
    let (name, counters) = line.rsplit_once(':')?;
    let mut counters = counters.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
    let mut four = || Some([counters.next()??, counters.next()??, counters.next()??, counters.next()??]);
    let [rx_bytes, rx_packets, rx_errors, rx_dropped] = four()?;
    four()?;
    let [tx_bytes, tx_packets, tx_errors, tx_dropped] = four()?;
    let counters = InterfaceCounters { rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped };
    Some((name.trim(), counters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    #[test]
    fn counters_are_those_of_their_columns() {
        let text = "Inter-| Receive\n face |bytes\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n lo:7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n short: 1 2\n";
        let listed = Links::default().list(text);
        let counters = InterfaceCounters {
            rx_bytes: 1,
            rx_packets: 2,
            rx_errors: 3,
            rx_dropped: 4,
            tx_bytes: 9,
            tx_packets: 10,
            tx_errors: 11,
            tx_dropped: 12,
        };
        assert_eq!(listed.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["eth0", "lo"]);
        assert_eq!((listed[0].counters, listed[1].counters.tx_bytes), (counters, 7));
    }

    #[test]
    fn a_read_that_hangs_is_not_waited_for_and_taken_when_it_comes() {
        let (questions, inbox) = bounded(1);
        let (outbox, answers) = bounded(1);
        let mut links = Links { thread: Some(Thread { questions, answers }), ..Links::default() };
        let text = " eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        let mut speed = || links.list(text)[0].speed_mbit;
        assert_eq!(speed(), None);
        let again = Instant::now();
        assert!((0..100).all(|_| speed().is_none()));
        assert!(again.elapsed() < 10 * PATIENCE, "one question waits; the next samples do not");
        assert_eq!(inbox.len(), 1);
        outbox.send([("eth0".to_owned(), Link { state: "up".into(), speed_mbit: Some(10) })].into_iter().collect()).unwrap();
        assert_eq!(speed(), Some(10));
    }

    #[test]
    fn a_link_tells_its_speed_or_nothing() {
        let class = tempfile::tempdir().unwrap();
        for (name, state, speed) in [("fast", "up\n", "25000\n"), ("cut", "down\n", "-1\n"), ("odd", "\x1b[2J\n", "4294967295\n")] {
            fs::create_dir(class.path().join(name)).unwrap();
            fs::write(class.path().join(name).join("operstate"), state).unwrap();
            fs::write(class.path().join(name).join("speed"), speed).unwrap();
        }
        let told = |name: &str| {
            let link = Link::read(class.path(), name);
            (link.state, link.speed_mbit)
        };
        assert_eq!(told("fast"), ("up".into(), Some(25_000)));
        assert_eq!(told("cut"), ("down".into(), None));
        assert_eq!(told("odd"), ("\u{fffd}[2J".into(), None));
        assert_eq!((told("none"), told("fast/../fast")), ((String::new(), None), (String::new(), None)));
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "( {0,2}[a-z:/.]{0,5}:( [0-9x]{0,21}){0,17}\n|\\PC{0,20}\n){0,8}") {
            Links::default().list(&text);
        }
    }
}

use super::*;

const PATIENCE: Duration = Limits::USUAL.patience;
const STUCK_MAX: usize = Limits::USUAL.stuck;

fn key(pid: u32) -> ProcKey {
    ProcKey { pid, start_ns: 1 }
}

type Read = Box<dyn FnMut(ProcKey, ()) -> String>;

/// Processes from 100 on hang until `release` is dropped.
fn readers(released: Receiver<()>) -> Readers<(), String, impl Fn() -> Read + Send + Sync> {
    Readers::new("test", move || {
        let released = released.clone();
        let read: Read = Box::new(move |key: ProcKey, ()| {
            if key.pid >= 100 {
                let _ = released.recv();
            }
            key.pid.to_string()
        });
        read
    })
}

fn asked(pids: impl IntoIterator<Item = u32>) -> Vec<(ProcKey, ())> {
    pids.into_iter().map(|pid| (key(pid), ())).collect()
}

fn pids(found: &[(ProcKey, String)]) -> Vec<u32> {
    assert!(found.iter().all(|(key, answer)| *answer == key.pid.to_string()));
    found.iter().map(|(key, _)| key.pid).collect()
}

#[test]
fn one_that_hangs_is_left_out_and_asked_again_once_it_answers() {
    let (release, released) = unbounded::<()>();
    let mut readers = readers(released);
    let all = asked([1, 100, 2]);
    assert_eq!(pids(&readers.read(all.clone())), [1, 2]);
    let start = Instant::now();
    assert_eq!(pids(&readers.read(all.clone())), [1, 2]);
    assert!(start.elapsed() < PATIENCE, "nobody waits for it twice");
    drop(release);
    let deadline = Instant::now() + Duration::from_secs(10);
    while readers.stuck[&key(100)].strong_count() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(pids(&readers.read(all)), [1, 100, 2]);
}

#[test]
fn no_more_than_some_threads_hang() {
    let (release, released) = unbounded::<()>();
    let mut readers = readers(released);
    let many = (100..100 + 2 * STUCK_MAX as u32).chain([1]);
    assert_eq!(pids(&readers.read(asked(many))), [0; 0]);
    assert_eq!(readers.stuck.len(), STUCK_MAX);
    let start = Instant::now();
    assert_eq!(pids(&readers.read(asked([1]))), [0; 0]);
    assert!(start.elapsed() < PATIENCE);
    drop(release);
}

/// Short enough that the tests below take a second.
const SHORT: Limits = Limits { patience: Duration::from_millis(100), stuck: 8 };

#[test]
fn computing_is_not_hanging() {
    let until = |time: Duration| {
        let begin = Instant::now();
        while begin.elapsed() < time {
            std::hint::spin_loop();
        }
    };
    let mut readers = Readers::with_limits("test", SHORT, move || {
        move |_, ()| {
            until(2 * SLOW * SHORT.patience);
            "done"
        }
    });
    assert_eq!(readers.ask(key(1), ()), Some("done"));
    assert!(!readers.hangs(key(1)));
}

#[test]
fn drop_by_drop_is_waited_for_but_not_for_ever() {
    let drops = |drops: u32| (0..drops).for_each(|_| std::thread::sleep(SHORT.patience / 10));
    let mut readers = Readers::with_limits("test", SHORT, move || move |key: ProcKey, ()| drops(key.pid));
    // Twice its patience.
    assert_eq!(readers.ask(key(20), ()), Some(()));
    let begin = Instant::now();
    assert_eq!(readers.ask(key(1000), ()), None);
    assert!(readers.hangs(key(1000)) && begin.elapsed() >= SLOW * SHORT.patience);
    assert_eq!(readers.ask(key(1), ()), Some(()), "others are not held up");
}

#[test]
fn a_status_tells_sleep_from_work() {
    let status =
        |state, switches| format!("Name:\tx\nState:\t{state}\nvoluntary_ctxt_switches:\t{switches}\nnonvoluntary_ctxt_switches:\t9\n");
    let seen = ["R (running)", "D (disk sleep)", "S (sleeping)"].map(|state| doing(&status(state, 7)));
    assert!(seen == [Some(Doing::Runs), Some(Doing::Sleeps(7)), Some(Doing::Sleeps(7))]);
    assert!(doing("").is_none() && doing("State:\tS (sleeping)\n").is_none());
    let own = File::open("/proc/thread-self/status").unwrap();
    assert!(doing(&std::io::read_to_string(own).unwrap()) == Some(Doing::Runs));
}

//! From Enter to names: a process that was sampled for a while, with a large binary. Root, as stacks need the kernel half.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::session::{Session, command};

/// What the issue of whole stacks promises.
const FIRST_NAMES: Duration = Duration::from_millis(300);
/// A key is answered at once, whatever is being named.
const ANSWER: Duration = Duration::from_millis(150);

#[inline(never)]
fn burn_in_the_test(mut x: u64) -> u64 {
    for _ in 0..100_000 {
        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    x
}

/// This process burns: its binary, with all that the tests are linked to, is a large one.
struct Burner(Arc<AtomicBool>);

impl Burner {
    fn start() -> Burner {
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                black_box(burn_in_the_test(1));
            }
        });
        Burner(stop)
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Until it is on the screen; looked for more often than [`Session::wait_for`] does.
fn time_until(session: &Session, what: &str, passes: impl Fn(&str) -> bool) -> Duration {
    let begin = Instant::now();
    while !passes(&session.screen()) {
        assert!(begin.elapsed() < Duration::from_secs(20), "never came: {what}\n{}", session.screen());
        std::thread::sleep(Duration::from_millis(2));
    }
    begin.elapsed()
}

/// A fresh ebtop each time, as names are kept: nothing is known of the binary but what sampling needed.
#[test]
#[ignore = "root"]
fn enter_shows_names_at_once_and_no_key_waits_for_them() {
    let _burner = Burner::start();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut ebtop = command(env!("CARGO_BIN_EXE_ebtop"));
        ebtop.args(["-d", "1s", "-p", &std::process::id().to_string()]);
        let session = Session::start((120, 40), ebtop);
        session.wait_for_text("COMMAND");
        // It has been sampled for some seconds, in view of nobody.
        std::thread::sleep(Duration::from_secs(5));
        // A key right behind Enter is answered while names are looked for.
        let begin = Instant::now();
        session.keys("\rH");
        time_until(&session, "threads apart", |screen| screen.contains("by thread"));
        let key = begin.elapsed();
        time_until(&session, "the function", |screen| screen.contains("burn_in_the_test"));
        seen.push((begin.elapsed(), key));
    }
    println!("from Enter to the first names, and to the answer to the key behind it: {seen:?}");
    let best = |of: fn(&(Duration, Duration)) -> Duration| seen.iter().map(of).min().unwrap();
    assert!(best(|s| s.0) <= FIRST_NAMES && best(|s| s.1) <= ANSWER, "{seen:?}");
}

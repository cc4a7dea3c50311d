//! The tasks domain against truth that the tests make themselves. Needs root: `cargo test --test kernel_tasks -- --ignored --test-threads=1`.

use ebtop::collect::tasks::Tasks;

#[test]
#[ignore = "root"]
fn opens() {
    let mut tasks = Tasks::open().unwrap();
    let r = tasks.read();
    for t in r.tasks.iter().rev().take(8) {
        eprintln!("{t:?}");
    }
    eprintln!("{} {:?} {:?}", r.tasks.len(), tasks.status(), tasks.apart());
    for _ in 0..5 {
        for _ in 0..30 {
            std::process::Command::new("true").status().unwrap();
        }
        let r = tasks.read();
        eprintln!("exits {} limbo {} {:?}", r.exits.len(), r.tasks.iter().filter(|t| t.state == b'X').count(), r.exits.last());
    }
}

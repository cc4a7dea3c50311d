//! Page allocations against a helper that knows how many pages it touched. Root.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ebtop::collect::mem::Mem;
use ebtop::sample::{Counter, Counters, Health, ProcKey};

/// A running `hot_pages`: touches as many fresh pages as each line of its input says.
struct Toucher {
    child: Child,
    replies: std::io::Lines<BufReader<std::process::ChildStdout>>,
    _dir: tempfile::TempDir,
}

impl Toucher {
    fn start() -> Toucher {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("hot_pages");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/hot_pages.c");
        assert!(Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(source).status().unwrap().success());
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let replies = BufReader::new(child.stdout.take().unwrap()).lines();
        Toucher { child, replies, _dir: dir }
    }

    fn touch(&mut self, pages: u64) {
        writeln!(self.child.stdin.as_ref().unwrap(), "{pages}").unwrap();
        assert_eq!(self.replies.next().unwrap().unwrap(), pages.to_string());
    }

    fn counted(&self, mem: &mut Mem) -> Option<(ProcKey, Counters)> {
        mem.read()?.into_iter().find(|(key, _)| key.pid == self.child.id())
    }
}

impl Drop for Toucher {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn links() -> usize {
    let list = Command::new("bpftool").args(["link", "list"]).output().unwrap();
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let programs = Command::new("bpftool").args(["prog", "list"]).output().unwrap();
    let programs = String::from_utf8_lossy(&programs.stdout).into_owned();
    let ours = programs.lines().filter(|l| l.contains("name mem_alloc "));
    ours.filter_map(|l| l.split(':').next()).filter(|id| list.contains(&format!("prog {id}"))).count()
}

#[test]
#[ignore = "root"]
fn counts_the_pages_a_program_touched() {
    const PAGES: u64 = 20_000;
    let mut mem = Mem::open().unwrap();
    assert_eq!(mem.status().health, Health::Standby);
    let mut toucher = Toucher::start();
    toucher.touch(PAGES);
    assert_eq!(mem.read(), None, "nothing is counted before it is wanted");

    mem.want(true);
    assert_eq!(mem.status().health, Health::Live);
    toucher.touch(PAGES);
    let (key, counters) = toucher.counted(&mut mem).unwrap();
    let (allocs, bytes) = (counters.get(Counter::PageAllocs).unwrap(), counters.get(Counter::PageAllocBytes).unwrap());
    println!("{PAGES} pages touched: {allocs} allocations, {bytes} bytes");
    // Each page, a page table for every 512 and a little for the kernel's own needs.
    assert!((PAGES..PAGES * 103 / 100).contains(&allocs), "{allocs} allocations");
    assert!((PAGES * 4096..PAGES * 4096 * 104 / 100).contains(&bytes), "{bytes} bytes");

    mem.want(false);
    toucher.touch(PAGES);
    assert_eq!(mem.read(), None, "nor while it is detached");

    mem.want(true);
    let unwatched = toucher.counted(&mut mem).unwrap().1.since(&counters).get(Counter::PageAllocs).unwrap();
    assert!(unwatched < PAGES / 100, "kept, and no growth while detached: {unwatched} allocations");
    toucher.touch(PAGES);
    let again = toucher.counted(&mut mem).unwrap().1.since(&counters).get(Counter::PageAllocs).unwrap();
    assert!((PAGES..PAGES * 103 / 100).contains(&again), "{again} allocations");
    let status = mem.status();
    assert_eq!((status.lost, status.cost.is_some()), (0, true));

    let keys: Vec<_> = mem.read().unwrap().into_iter().map(|(key, _)| key).collect();
    assert!(keys.is_sorted() && keys.iter().all(|k| k.pid != 0));
    mem.want(false);
    mem.forget(key);
    mem.want(true);
    assert_eq!(toucher.counted(&mut mem), None);
}

#[test]
#[ignore = "root"]
fn of_thousands_of_processes_each_is_told() {
    const PROCESSES: usize = 3000;
    let mut mem = Mem::open().unwrap();
    mem.want(true);
    let run = || {
        let mut child = Command::new("true").spawn().unwrap();
        assert!(child.wait().unwrap().success());
        child.id()
    };
    let pids: Vec<u32> = (0..PROCESSES).map(|_| run()).collect();
    let told: Vec<u32> = mem.read().unwrap().into_iter().map(|(key, _)| key.pid).collect();
    let missing = pids.iter().filter(|pid| !told.contains(pid)).count();
    assert_eq!(missing, 0, "of {PROCESSES}, {} processes told", told.len());
    assert_eq!(mem.status().lost, 0);
}

#[test]
#[ignore = "root"]
fn attached_only_while_wanted() {
    let before = links();
    let mut mem = Mem::open().unwrap();
    assert_eq!(links(), before);
    mem.want(true);
    mem.want(true);
    assert_eq!(links(), before + 1);
    mem.want(false);
    assert_eq!(links(), before);
    mem.want(true);
    drop(mem);
    assert_eq!(links(), before);
}

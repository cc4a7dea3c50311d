//! The store over a kernel in ordinary memory.

#[cfg(target_arch = "x86_64")]
mod room;

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::*;
use crate::readers::Devices;
use crate::unwind::arena::tests::Memory;
use crate::unwind::reading::{Question, Stopwatch, read};

/// A kernel in ordinary memory.
#[derive(Default)]
struct Fake {
    memory: Memory,
    rules: FxHashMap<u16, Rule>,
    procs: FxHashMap<u32, Vec<u8>>,
}

impl Words for Fake {
    fn add_chunk(&mut self, chunk: u32) -> io::Result<()> {
        self.memory.add_chunk(chunk)
    }

    fn write(&mut self, at: u32, words: &[u32]) -> io::Result<()> {
        self.memory.write(at, words)
    }
}

impl Kernel for Fake {
    fn set_rule(&mut self, number: u16, rule: &Rule) -> io::Result<()> {
        self.rules.insert(number, *rule);
        Ok(())
    }

    fn set_proc(&mut self, tgid: u32, value: &[u8]) -> io::Result<()> {
        self.procs.insert(tgid, value.to_vec());
        Ok(())
    }

    fn drop_proc(&mut self, tgid: u32) {
        self.procs.remove(&tgid);
    }

    fn rest(&mut self) {}
}

fn own_key() -> ProcKey {
    key_of(std::process::id())
}

fn key_of(pid: u32) -> ProcKey {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    ProcKey { pid, start_ns: ticks * 10_000_000 }
}

#[test]
fn a_process_is_known_with_its_code_until_it_is_forgotten() {
    let mut store = Store::new(Fake::default(), Reading::default(), 64 << 20);
    let key = own_key();
    assert_eq!(store.look(key, LARGE_BYTES), Looked::Changed);
    while let Some(bytes) = store.lacks_bytes(key) {
        assert!(bytes > LARGE_BYTES);
        assert_eq!(store.look(key, bytes - 1), Looked::Same, "that one is larger");
        assert_eq!(store.look(key, bytes), Looked::Changed);
    }
    assert_eq!(store.look(key, u64::MAX), Looked::Same);
    let here = own_key as fn() -> ProcKey as usize as u64;
    let entry = store.procs[&key].entries.iter().find(|e| (e.start..e.end).contains(&here)).unwrap();
    assert_eq!(entry.kind, Kind::Table);
    let page = entry.pages_at as usize + ((here - entry.bias) / 2048 * 2) as usize;
    assert!(store.kernel.memory.0[page + 1] > 0, "the page of a function has rows");
    assert!(store.kernel.procs[&key.pid].starts_with(&key.start_ns.to_ne_bytes()));
    let status = store.count();
    assert!(status.processes == 1 && status.tables > 2 && status.rows > 10_000 && status.left_out == 0, "{status:?}");
    store.forget(key);
    assert!(store.kernel.procs.is_empty());
    store.sweep(Instant::now() + Duration::from_secs(100));
    assert_eq!(store.count().tables, 1, "all but the vDSO's");
}

#[test]
fn what_walks_remember_of_a_process_ends_when_it_is_told_anew() {
    let (mut store, key) = complete();
    let version = |store: &Store<Fake>| store.kernel.procs[&key.pid][24..28].to_vec();
    let before = version(&store);
    // Tables may have come to lie elsewhere, though its mappings are the same.
    assert_eq!(store.look(key, u64::MAX), Looked::Same);
    assert!(version(&store) != before && version(&store) != [0; 4] && before != [0; 4]);
}

#[test]
fn what_finds_no_room_is_told() {
    let mut store = Store::new(Fake::default(), Reading::default(), 256 << 10);
    let key = own_key();
    store.look(key, u64::MAX);
    let status = store.count();
    assert!(status.left_out > 0 && status.table_bytes == 256 << 10, "{status:?}");
}

#[test]
fn the_dead_are_not_known() {
    let mut store = Store::new(Fake::default(), Reading::default(), 1 << 20);
    assert_eq!(store.look(ProcKey { pid: u32::MAX, start_ns: 1 }, LARGE_BYTES), Looked::Failed);
    assert_eq!(store.count().processes, 0);
}

/// Whether the function [`own_key`] has a table.
fn is_here_known(store: &Store<Fake>) -> bool {
    let here = own_key as fn() -> ProcKey as usize as u64;
    let entry = store.procs[&own_key()].entries.iter().find(|e| (e.start..e.end).contains(&here)).unwrap();
    entry.kind == Kind::Table
}

#[test]
fn who_does_not_answer_costs_nobody_else_a_table() {
    // As the lock of a process's memory: whoever reads waits for it.
    let lock = Arc::new(Mutex::new(()));
    let mut child = Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap();
    let theirs = key_of(child.id());
    let (locked, devices) = (Arc::clone(&lock), Devices::default());
    let reading = Reading::by(move || {
        let (locked, devices, stopwatch) = (Arc::clone(&locked), devices.clone(), Stopwatch::of_this_thread());
        Box::new(move |key: ProcKey, question: Question| {
            let _held = (key == theirs && !matches!(question, Question::Mappings)).then(|| locked.lock().unwrap());
            read(key, question, &devices, &stopwatch)
        })
    });
    let mut store = Store::new(Fake::default(), reading, 64 << 20);
    let held = lock.lock().unwrap();
    assert_eq!(store.look(theirs, u64::MAX), Looked::Silent);
    build_all(&mut store, own_key());
    assert!(is_here_known(&store) && store.count().processes == 1);
    let began = Instant::now();
    assert_eq!(store.look(theirs, u64::MAX), Looked::Silent);
    assert!(began.elapsed() < Duration::from_millis(100), "nobody waits for it twice");
    drop(held);
    let until_known = |store: &mut Store<Fake>| {
        while store.look(theirs, u64::MAX) == Looked::Silent {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    until_known(&mut store);
    assert_eq!(store.count().processes, 2);
    store.procs.get_mut(&theirs).unwrap().files.clear();
    let held = lock.lock().unwrap();
    assert_eq!(store.look(theirs, u64::MAX), Looked::Silent);
    assert!(store.kernel.procs.contains_key(&theirs.pid), "what was known of it stays");
    drop(held);
    until_known(&mut store);
    child.kill().and_then(|()| child.wait()).unwrap();
}

#[test]
fn a_process_that_ends_while_its_files_are_read_leaves_others_their_tables() {
    let is_head = |question: &Question| matches!(question, Question::Head(..));
    let is_section = |question: &Question| matches!(question, Question::Bytes(..));
    for ends_at in [is_head, is_section] {
        let child = Arc::new(Mutex::new(Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap()));
        let theirs = key_of(child.lock().unwrap().id());
        let ends = Arc::clone(&child);
        let reading = Reading::by(move || {
            let (ends, stopwatch, devices) = (Arc::clone(&ends), Stopwatch::of_this_thread(), Devices::default());
            Box::new(move |key: ProcKey, question: Question| {
                // What its files are is known by now.
                if key == theirs && ends_at(&question) {
                    let mut child = ends.lock().unwrap();
                    child.kill().and_then(|()| child.wait()).unwrap();
                }
                read(key, question, &devices, &stopwatch)
            })
        });
        let mut store = Store::new(Fake::default(), reading, 64 << 20);
        assert_eq!(store.look(theirs, u64::MAX), Looked::Failed);
        // It maps the C library, as this process does.
        build_all(&mut store, own_key());
        let kinds = |store: &Store<Fake>| store.procs[&own_key()].entries.iter().map(|entry| (entry.start, entry.kind)).collect::<Vec<_>>();
        assert_eq!(kinds(&store), kinds(&complete().0));
    }
}

/// Builds all tables that a process can have.
fn build_all(store: &mut Store<Fake>, key: ProcKey) {
    store.look(key, LARGE_BYTES);
    while let Some(bytes) = store.lacks_bytes(key) {
        store.look(key, bytes);
    }
}

/// This process, with all tables it can have.
fn complete() -> (Store<Fake>, ProcKey) {
    let (mut store, key) = (Store::new(Fake::default(), Reading::default(), 64 << 20), own_key());
    build_all(&mut store, key);
    (store, key)
}

#[test]
fn a_table_that_was_given_up_is_built_again() {
    let (mut store, key) = complete();
    let tables = store.count().tables;
    for (_, _, file) in store.procs[&key].files.clone() {
        store.files.remove(file, &mut store.arena, &mut store.rules);
    }
    assert_eq!(store.count().tables, 0);
    build_all(&mut store, key);
    assert_eq!(store.count().tables, tables);
    assert!(store.procs[&key].entries.iter().all(|entry| entry.kind != Kind::Pending));
}

#[test]
fn who_had_a_pid_before_takes_nothing_from_who_has_it_now() {
    let (mut store, key) = complete();
    let former = ProcKey { start_ns: key.start_ns - 1, ..key };
    let run = store.arena.take(1, &mut store.kernel, Instant::now()).unwrap();
    store.procs.insert(former, Proc { run, entries: Vec::new(), files: Vec::new(), seen: Instant::now() });
    store.look(key, u64::MAX);
    // News of its end come late.
    store.forget(former);
    assert!(store.kernel.procs[&key.pid].starts_with(&key.start_ns.to_ne_bytes()));
    assert_eq!(store.count().processes, 1);
}

#[test]
fn room_that_came_back_is_used_by_those_that_found_none() {
    let (mut store, key) = (Store::new(Fake::default(), Reading::default(), 32 << 20), own_key());
    let long_ago = Instant::now().checked_sub(2 * HOT).unwrap();
    let taken: Vec<Run> = std::iter::from_fn(|| store.arena.take(1, &mut store.kernel, Instant::now())).collect();
    assert_eq!(store.look(key, u64::MAX), Looked::Failed);
    let left_out = store.count().left_out;
    assert!(left_out > 2 && store.count().tables == 0);
    // Not a table is left that could be given up, but those who had the room are gone.
    taken.into_iter().for_each(|run| store.arena.give(run, long_ago));
    store.files.age_all_but(&[], long_ago);
    build_all(&mut store, key);
    assert_eq!((store.count().left_out, store.count().tables), (0, left_out), "{:?}", store.count());
    assert!(store.procs[&key].entries.iter().all(|entry| entry.kind != Kind::Pending));
}

#[test]
fn tables_of_the_process_that_is_looked_at_are_not_given_up() {
    let (mut store, key) = complete();
    store.held = store.procs[&key].files.iter().map(|(_, _, file)| *file).collect();
    store.files.age_all_but(&[], Instant::now().checked_sub(2 * HOT).unwrap());
    assert!(!store.make_room(4) && store.count().evicted == 0, "however long building them took");
    store.held.clear();
    assert!(store.make_room(4) && store.count().evicted == 4);
}

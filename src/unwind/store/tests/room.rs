//! More tables than there is room for: what is used keeps its own, and the rest takes turns.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;

/// A program that waits for its end, with a table of 352 KiB: three rows of four bytes for each of its functions.
fn large_program(dir: &Path) -> PathBuf {
    const FUNCTIONS: usize = 30_000;
    let function = "push %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset 3, -16\npop %rbx\n.cfi_def_cfa_offset 8\nret\n";
    let code = format!(
        ".text\n.rept {FUNCTIONS}\n.cfi_startproc\n{function}.cfi_endproc\n.endr\n\
         .globl main\nmain:\ncall pause@PLT\njmp main\n.section .note.GNU-stack,\"\",@progbits\n"
    );
    std::fs::write(dir.join("code.s"), code).unwrap();
    let built = Command::new("cc").arg("-o").args([dir.join("program"), dir.join("code.s")]).status().unwrap();
    assert!(built.success());
    dir.join("program")
}

/// A process with a table of its own, killed when dropped.
struct Waiting(Child, ProcKey);

impl Waiting {
    fn start(program: &Path) -> Waiting {
        let child = Command::new(program).stdin(Stdio::null()).spawn().unwrap();
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        while !stat().contains(") S ") {
            std::thread::yield_now();
        }
        let ticks: u64 = stat().rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
        let key = ProcKey { pid: child.id(), start_ns: ticks * 10_000_000 };
        Waiting(child, key)
    }

    /// Looks until there is nothing more to be built; whether its own code has its table.
    fn look(&self, store: &mut Store<Fake>) -> bool {
        store.look(self.1, LARGE_BYTES);
        for _ in 0..8 {
            if store.lacks_bytes(self.1).is_some() {
                store.look(self.1, u64::MAX);
            }
        }
        self.has_table(store)
    }

    /// Of the code that it maps as one large piece, each place has rows.
    fn has_table(&self, store: &Store<Fake>) -> bool {
        let entries = store.procs.get(&self.1).map_or(&[][..], |known| &known.entries);
        let largest = entries.iter().filter(|entry| entry.kind == Kind::Table).max_by_key(|entry| entry.end - entry.start);
        let rows = |entry: &MappingEntry| {
            let page = entry.pages_at as usize + ((entry.end - entry.start) / 2 / 2048 * 2) as usize;
            store.kernel.memory.0[page + 1]
        };
        store.kernel.procs.contains_key(&self.1.pid)
            && entries.iter().all(|entry| entry.kind != Kind::Pending)
            && largest.is_some_and(|entry| rows(entry) > 1)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

#[test]
fn what_is_hot_keeps_its_table_while_others_take_turns() {
    const TABLE_BYTES: u64 = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let program = large_program(dir.path());
    let copy = |n: usize| {
        let copy = dir.path().join(format!("copy{n}"));
        std::fs::copy(&program, &copy).unwrap();
        Waiting::start(&copy)
    };
    let mut store = Store::new(Fake::default(), Reading::default(), TABLE_BYTES);
    let hot = Waiting::start(&program);
    assert!(hot.look(&mut store));
    let mut others = Vec::new();
    for n in 0..3 {
        let other = copy(n);
        store.touch(hot.1, Instant::now());
        assert!(other.look(&mut store), "{n}: {:?}", store.count());
        // It exits, and its file is nobody's.
        store.forget(other.1);
        assert!(hot.has_table(&store));
    }
    assert_eq!((store.count().evicted, store.count().left_out), (2, 0), "there is room for two: {:?}", store.count());
    others.push(copy(3));
    assert!(others[0].look(&mut store));
    // As long as both are used, a third finds no room; once one was not sampled for a while, it does.
    others.push(copy(4));
    assert!(!others[1].look(&mut store) && store.count().left_out == 1, "{:?}", store.count());
    let long_ago = Instant::now().checked_sub(2 * HOT).unwrap();
    store.procs.get_mut(&others[0].1).unwrap().seen = long_ago;
    store.files.age_all_but(&[hot.1].map(|key| store.procs[&key].files.iter().map(|f| f.2).collect::<Vec<_>>()).concat(), long_ago);
    assert!(others[1].look(&mut store), "{:?}", store.count());
    assert!(hot.has_table(&store) && !others[0].has_table(&store));
    assert!(store.count().table_bytes <= TABLE_BYTES && store.count().evicted == 4, "{:?}", store.count());
}

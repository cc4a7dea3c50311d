//! More tables than there is memory for: what is used keeps its own, and the rest takes turns. For a machine that runs nothing else, as
//! whatever is sampled wants tables, too.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::collect::stacks::Stacks;
use ebtop::sample::{ProcKey, StackCount, StackQuality};

const HZ: u32 = 499;
/// Half of it is for tables.
const MEMORY_BYTES: u64 = 16 << 20;
/// Each has three rows of four bytes in the table, and so a program of so many takes 3 MiB of the 8.
const FUNCTIONS: usize = 250_000;
const PROGRAMS: usize = 5;
/// For a machine that builds something meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program whose table is large, by an assembler's directives.
fn large_program(dir: &Path) -> PathBuf {
    let function =
        ".cfi_startproc\npush %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset 3, -16\npop %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n";
    let code = dir.join("code.s");
    std::fs::write(&code, format!(".text\n.rept {FUNCTIONS}\n{function}.endr\n.section .note.GNU-stack,\"\",@progbits\n")).unwrap();
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/evict.c");
    let program = dir.join("program");
    let built =
        Command::new("cc").args(["-O2", "-fomit-frame-pointer", "-Wl,--no-gc-sections", "-o"]).arg(&program).args([main, code]).status();
    assert!(built.unwrap().success());
    program
}

/// A program that burns, killed when dropped.
struct Burner(Child);

impl Burner {
    fn start(program: &Path) -> Burner {
        Burner(Command::new(program).stdout(Stdio::null()).spawn().unwrap())
    }

    fn samples<'a>(&'a self, counts: &'a [StackCount]) -> impl Iterator<Item = &'a StackCount> {
        counts.iter().filter(|c| c.key.pid == self.0.id() && !c.user.is_empty())
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Samples, and those of them whose stack is whole.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    all: u32,
    whole: u32,
}

impl Seen {
    fn add<'a>(&mut self, counts: impl Iterator<Item = &'a StackCount>) {
        for count in counts {
            self.all += count.count;
            self.whole += if count.quality == StackQuality::Complete { count.count } else { 0 };
        }
    }
}

/// Reads until a program's last stacks are all whole; gives what it is known by. What another had meanwhile is added up.
fn until_whole(stacks: &mut Stacks, burner: &Burner, other: Option<(&Burner, &mut Seen)>) -> ProcKey {
    let begin = Instant::now();
    let mut of_other = Seen::default();
    let key = loop {
        assert!(begin.elapsed() < PATIENCE, "no whole stacks: {:?}", stacks.status());
        std::thread::sleep(Duration::from_millis(200));
        let counts = stacks.read().counts;
        let mut seen = Seen::default();
        seen.add(burner.samples(&counts));
        if let Some((hot, _)) = &other {
            of_other.add(hot.samples(&counts));
        }
        let first = burner.samples(&counts).next();
        if let Some(count) = first.filter(|_| seen.all >= 5 && seen.all == seen.whole) {
            break count.key;
        }
    };
    println!("whole after {:?}; {:?}", begin.elapsed(), stacks.unwinder().unwrap().status());
    if let Some((_, seen)) = other {
        *seen = Seen { all: seen.all + of_other.all, whole: seen.whole + of_other.whole };
    }
    key
}

#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "root"]
fn what_is_hot_keeps_its_table_while_others_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let program = large_program(dir.path());
    let copy = |n: usize| {
        let copy = dir.path().join(format!("copy{n}"));
        std::fs::copy(&program, &copy).unwrap();
        copy
    };
    let mut stacks = Stacks::with_memory(HZ, MEMORY_BYTES).unwrap();
    let hot = Burner::start(&program);
    until_whole(&mut stacks, &hot, None);
    let mut seen = Seen::default();
    for n in 0..PROGRAMS {
        let burner = Burner::start(&copy(n));
        let key = until_whole(&mut stacks, &burner, Some((&hot, &mut seen)));
        drop(burner);
        stacks.forget(vec![key]);
    }
    let status = stacks.unwinder().unwrap().status();
    println!("{seen:?}, {status:?}");
    assert!(status.table_bytes <= MEMORY_BYTES / 2, "{status:?}");
    // With the hot one and what else the machine runs, at most one more has room.
    assert!(status.evicted as usize >= PROGRAMS - 2, "{status:?}");
    assert!(seen.all > 100 && seen.whole * 100 >= seen.all * 99, "{seen:?}");
}

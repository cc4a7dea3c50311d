//! Stacks and names beside a process that whoever looks into it hangs in. Root, /dev/fuse; one test at a time.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ebtop::collect::stacks::Stacks;
use ebtop::sample::{INTERPRETED, Origin, StackCount, StackQuality};
use ebtop::symbols::{Answer, Request, Symbols, spawn};

const HZ: u32 = 499;
/// For what takes a moment.
const PATIENCE: Duration = Duration::from_secs(30);

fn build(dir: &Path, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads").join(name).with_extension("c");
    let program = dir.join(name);
    // Without frame pointers: no table, no stack.
    let built =
        Command::new("cc").args(["-O1", "-fno-inline", "-fomit-frame-pointer", "-pthread", "-o"]).arg(&program).arg(source).status();
    assert!(built.unwrap().success());
    program
}

/// Killed when dropped, and with it whatever hangs in it.
struct Running {
    child: Child,
    /// The processes that burn CPU.
    pids: Vec<u32>,
}

impl Running {
    fn hot(program: &Path) -> Running {
        let child = Command::new(program).arg("1000").stdout(Stdio::null()).spawn().unwrap();
        Running { pids: vec![child.id()], child }
    }

    /// Processes that do not answer.
    fn hanging(dir: &Path, (kind, count): (&str, u32)) -> Running {
        let (program, mount) = (build(dir, "hang"), dir.join("mount"));
        std::fs::create_dir(&mount).unwrap();
        let mut command = Command::new(program);
        command.arg(&mount).arg(kind).arg(dir.join("hot")).arg(count.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let running = Running { pids: line.split_whitespace().map(|pid| pid.parse().unwrap()).collect(), child };
        // They have run all of their code by then, and taken their lock.
        std::thread::sleep(Duration::from_secs(3));
        for pid in &running.pids {
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
            assert_eq!(comm.trim(), if kind == "file" { "served" } else { "hang" });
        }
        writeln!(running.child.stdin.as_ref().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        running
    }

    /// Whether of each somebody who reads its program or a page of its memory is still at it after a second.
    fn hang(&self) -> bool {
        let reads = self.pids.iter().map(|pid| {
            let done = Arc::new(AtomicU32::new(0));
            for file in ["exe", "cmdline"] {
                let (path, done) = (format!("/proc/{pid}/{file}"), Arc::clone(&done));
                std::thread::spawn(move || {
                    let _ = std::fs::read(path);
                    done.fetch_add(1, Ordering::Relaxed)
                });
            }
            done
        });
        let reads: Vec<_> = reads.collect();
        std::thread::sleep(Duration::from_secs(1));
        reads.iter().all(|done| done.load(Ordering::Relaxed) < 2)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn of(counts: &[StackCount], pid: u32) -> Vec<&StackCount> {
    counts.iter().filter(|count| count.key.pid == pid && !count.user.is_empty()).collect()
}

fn ask((requests, answers): &Symbols, counts: &[&StackCount], only_keep: bool) -> Option<Answer> {
    let user = counts.iter().flat_map(|count| count.user.iter().copied()).filter(|address| *address < INTERPRETED).collect();
    requests.send(Request { key: counts.first()?.key, user, only_keep, ..Request::default() }).unwrap();
    (!only_keep).then(|| answers.recv_timeout(PATIENCE).expect("an answer"))
}

/// Percent of the samples that `right` holds for, and how many they are.
fn share(counts: &[&StackCount], right: impl Fn(&StackCount) -> bool) -> (f64, u32) {
    let samples = |counts: &mut dyn Iterator<Item = &&StackCount>| counts.map(|count| count.count).sum::<u32>();
    let all = samples(&mut counts.iter());
    (f64::from(samples(&mut counts.iter().filter(|count| right(count)))) * 100.0 / f64::from(all.max(1)), all)
}

fn others_are_whole_and_named(kind: &str, count: u32) {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), "hot");
    let hanging = Running::hanging(dir.path(), (kind, count));
    assert!(hanging.hang(), "{kind}: nothing to be tested");
    let mut stacks = Stacks::open(HZ).unwrap();
    let symbols = spawn(Origin::Here);
    // The unwinder and the namer meet it while there is no other.
    let (begin, mut theirs) = (Instant::now(), Vec::new());
    let is_met = |theirs: &[StackCount], pid: &u32| share(&of(theirs, *pid), |_| true).1 > 50;
    while begin.elapsed() < Duration::from_secs(2) || !hanging.pids.iter().all(|pid| is_met(&theirs, pid)) {
        assert!(begin.elapsed() < PATIENCE, "{kind}: they have hardly any samples");
        std::thread::sleep(Duration::from_millis(50));
        theirs.extend(stacks.read().counts);
    }
    for pid in &hanging.pids {
        let theirs = of(&theirs, *pid);
        let (complete, samples) = share(&theirs, |count| count.quality == StackQuality::Complete);
        assert!(complete == 0.0, "{kind}: {complete} % of its own {samples} samples are whole");
        let begin = Instant::now();
        ask(&symbols, &theirs, true);
        let silent = ask(&symbols, &theirs, false).unwrap();
        println!("{kind}: {} after {:?}", silent.reason.as_deref().unwrap_or_default(), begin.elapsed());
        assert!(silent.silent && silent.reason.is_some(), "{silent:?}");
    }

    let hot = Running::hot(&program);
    let pid = hot.pids[0];
    let (begin, mut counts) = (Instant::now(), Vec::new());
    let mut first = None;
    while first.is_none_or(|first: Instant| first.elapsed() < Duration::from_secs(3)) {
        assert!(begin.elapsed() < PATIENCE, "{kind}: no whole stack of another process");
        std::thread::sleep(Duration::from_millis(100));
        let new = stacks.read().counts;
        first = first.or(of(&new, pid).iter().any(|count| count.quality == StackQuality::Complete).then(Instant::now));
        counts.extend(new.into_iter().filter(|_| first.is_some()));
    }
    let counts = of(&counts, pid);
    let named = ask(&symbols, &counts, false).unwrap();
    let names: HashMap<u64, String> =
        named.user.into_iter().filter_map(|(address, mut frames)| Some((address, frames.remove(0).function?))).collect();
    let name = |address: &u64| names.get(address).map_or("", String::as_str);
    let is_right = |count: &StackCount| {
        let names: Vec<&str> = count.user.iter().map(name).collect();
        let work = ["hot_a", "hot_b", "hot_c", "cpu_ns"];
        let at = names.iter().position(|name| work.contains(name) || *name == "spend" || *name == "main");
        let rest = at.map_or(&[][..], |at| &names[at..]);
        let called = rest.strip_prefix(&rest[..usize::from(rest.first().is_some_and(|name| work.contains(name)))]).unwrap_or(&[]);
        count.quality == StackQuality::Complete && (called.starts_with(&["spend", "main"]) || called.starts_with(&["main"]))
    };
    let (right, samples) = share(&counts, is_right);
    println!("{kind}: {right:.2} % of {samples} samples of another process are whole and named");
    assert!(samples > 100 && right >= 95.0, "{kind}: {right} % of {samples}, {names:?}");
}

#[test]
#[ignore = "root"]
fn programs_on_a_dead_file_system_hold_up_nobody_else() {
    // More than there may be threads that hang.
    others_are_whole_and_named("file", 10);
}

#[test]
#[ignore = "root"]
fn a_process_whose_memory_is_locked_holds_up_nobody_else() {
    others_are_whole_and_named("lock", 2);
}

#[test]
#[ignore = "root"]
fn a_profile_is_written_in_time() {
    for (kind, count) in [("file", 3), ("lock", 1)] {
        let dir = tempfile::tempdir().unwrap();
        // A name that nothing else on the machine has.
        let program = dir.path().join("beside_hang");
        std::fs::copy(build(dir.path(), "hot"), &program).unwrap();
        let hot = Running::hot(&program);
        let hanging = Running::hanging(dir.path(), (kind, count));
        assert!(hanging.hang(), "{kind}: nothing to be tested");
        let begin = Instant::now();
        let ebtop = Command::new(env!("CARGO_BIN_EXE_ebtop")).args(["stacks", "-a", "--for", "15s", "--hz", "499", "-f"]).output().unwrap();
        let took = begin.elapsed();
        let said = String::from_utf8_lossy(&ebtop.stderr);
        let text = String::from_utf8_lossy(&ebtop.stdout);
        let lines: Vec<(&str, u64)> = text.lines().filter_map(|l| l.rsplit_once(' ')).map(|(path, n)| (path, n.parse().unwrap())).collect();
        let sum = |has: &str| {
            lines.iter().filter(|(path, _)| path.starts_with("beside_hang;") && path.contains(has)).map(|(_, n)| n).sum::<u64>()
        };
        let (all, named, whole) = (sum(""), sum(";hot_"), sum(";main;spend;hot_"));
        println!("{kind}: {took:?}, of {all} samples {named} have a hot function, {whole} its callers: {said}");
        // 4: there was more to sample than there was room for, by other programs.
        assert!(matches!(ebtop.status.code(), Some(0 | 4)) && took < Duration::from_secs(40), "{kind}: {}, {took:?}, {said}", ebtop.status);
        // The tables of the whole machine come one after the other, those of programs that hardly run before this one's, too.
        assert!(all > 1000 && named * 100 > all * 95 && whole > 100, "{kind}: {named} and {whole} of {all}");
        assert!(said.contains("do not answer"), "{kind}: {said}");
        drop((hot, hanging));
    }
}

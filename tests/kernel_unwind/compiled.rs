//! Programs that the tests compile without frame pointers, and that know where their time went.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ebtop::sample::{StackCount, StackQuality, Weight};

use crate::watch::{Watched, off_cpu, watch, watch_child};

/// Flags of a program nobody made for profiling.
const PLAIN: [&str; 4] = ["-O2", "-fomit-frame-pointer", "-g0", "-w"];

fn compile(dir: &Path, source: &str, program: &str, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads").join(source);
    let compiler = if source.extension().is_some_and(|e| e == "cc") { "c++" } else { "cc" };
    let program = dir.join(program);
    let status = Command::new(compiler).args(PLAIN).args(flags).arg(&source).arg("-o").arg(&program).status().unwrap();
    assert!(status.success(), "{source:?} {flags:?}");
    program
}

/// Seconds of CPU time that a program burns: enough to be known and then sampled on a machine that does other things.
const SECONDS: &str = "3";

fn run(program: &Path, mode: &str, library: Option<&Path>) -> Watched {
    watch(Command::new(program).args([mode, SECONDS]).args(library), 30.0)
}

/// Complete, with `callers` between the hot functions and main(), and the hot functions' shares true within 3 points.
fn check(what: &str, seen: &Watched, callers: impl Fn(&[&str]) -> bool) {
    seen.assert_complete(what);
    let truth: Vec<f64> = seen.printed.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let is_hot = |names: &[&str]| names.first().is_some_and(|n| n.starts_with("hot_"));
    let hot = seen.share(|c| is_hot(&seen.named(c)));
    let whole = seen.share(|c| {
        let names = seen.named(c);
        is_hot(&names) && names[1..].starts_with(&["spend", "end_of_stack"]) && callers(&names[3..]) && names.contains(&"main")
    });
    assert!(whole >= 0.98 * hot, "{what}: {whole} % have all callers, {hot} % are in a hot function\n{}", seen.report());
    for (name, ns) in ["hot_a", "hot_b"].iter().zip(&truth) {
        let share = seen.share(|c| seen.named(c).first() == Some(name)) * 100.0 / hot;
        let truth = ns * 100.0 / (truth[0] + truth[1]);
        assert!((share - truth).abs() < 3.0, "{what}: {name} has {share} % of samples, {truth} % by its own clock");
    }
}

#[test]
#[ignore = "root"]
fn cpp() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "unwind.cc", "unwind_cpp", &[]);
    let seen = watch(Command::new(program).arg(SECONDS), 30.0);
    check("C++", &seen, |names| count(names, "Branch<") >= 2);
    assert!(seen.share(|c| seen.named(c).iter().any(|n| n.contains("throw_through"))) > 40.0, "half of the stacks are below a throw");
}

#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "root"]
fn code_written_at_run_time() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "unwind.c", "unwind", &[]);
    // Tables below it, a frame pointer through it, tables above it.
    check("JIT with frames", &run(&program, "jit", None), |names| names[0] == "under_jit" && names[2..].contains(&"main"));
    let seen = run(&program, "jit-bare", None);
    let marked = seen.share(|c| c.quality == StackQuality::Jit && c.user.len() == 5);
    assert!(marked > 95.0, "{marked} % are marked\n{}", seen.report());
}

/// Every caller that gdb finds in a stopped process is the one found while it ran.
#[test]
#[ignore = "root"]
fn gdb_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "unwind.c", "unwind", &[]);
    for mode in ["chain", "alloca", "big"] {
        let child = Command::new(&program).args([mode, "60"]).stdout(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let gdb = Command::new("gdb")
            .args(["-batch", "-ex", "set backtrace past-main on", "-ex", "bt", "-p", &child.id().to_string()])
            .output()
            .unwrap();
        let theirs = callers(&String::from_utf8_lossy(&gdb.stdout));
        assert!(theirs.len() > 20, "{mode}: {theirs:x?}");
        let seen = watch_child(child, 2.0);
        let same = seen.share(|c| c.user.iter().rev().map(|a| a + 1).take(theirs.len()).eq(theirs.iter().rev().copied()));
        // A few samples are outside of the deepest function, as it calls for the time or is about to return.
        assert!(same > 95.0, "{mode}: {same} % are {theirs:x?}\n{}", seen.report());
    }
}

/// Return addresses of a backtrace from the caller of end_of_stack() on.
fn callers(backtrace: &str) -> Vec<u64> {
    let frames = backtrace.lines().filter(|l| l.starts_with('#')).skip_while(|l| !l.contains("end_of_stack")).skip(1);
    frames.filter_map(|l| u64::from_str_radix(l.split_whitespace().nth(1)?.strip_prefix("0x")?, 16).ok()).collect()
}

fn count(names: &[&str], name: &str) -> usize {
    names.iter().filter(|n| n.starts_with(name)).count()
}

#[test]
#[ignore = "root"]
fn every_kind_of_frame() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "unwind.c", "unwind", &[]);
    let library = compile(dir.path(), "unwind_lib.c", "libunwind_test.so", &["-shared", "-fPIC"]);
    check("recursion", &run(&program, "recursion", None), |names| count(names, "recursion") == 31);
    check("chain", &run(&program, "chain", None), |names| count(names, "link_") == 100);
    check("alloca", &run(&program, "alloca", None), |names| count(names, "variable") == 21);
    check("20 kB a frame", &run(&program, "big", None), |names| count(names, "big") == 41);
    let signal = run(&program, "signal", None);
    check("signal handler", &signal, |names| names[0] == "on_signal" && count(names, "raise_it") == 6);
    // What a handler returns to begins a function; the byte before it is nobody's. Only debug files have names of libc's own.
    if signal.names.values().any(|name| name == "__libc_start_call_main") {
        let named = signal.share(|c| signal.named(c).contains(&"__restore_rt"));
        assert!(named > 95.0, "{named} % have the end of the handler by name\n{}", signal.report());
    }
    check("tail call", &run(&program, "tail", None), |names| names[0] == "tail_last" && count(names, "tail") == 7);
    check("dlopen", &run(&program, "library", Some(&library)), |names| count(names, "through") == 11);
}

#[test]
#[ignore = "root"]
fn every_kind_of_program() {
    let dir = tempfile::tempdir().unwrap();
    for (what, flags) in [
        ("fixed address", &["-no-pie", "-fno-pie"][..]),
        ("static", &["-static", "-DNO_LIBRARY"]),
        ("static PIE", &["-static-pie", "-DNO_LIBRARY"]),
    ] {
        let program = compile(dir.path(), "unwind.c", &what.replace(' ', "_"), flags);
        check(what, &run(&program, "chain", None), |names| count(names, "link_") == 100);
    }
    let program = compile(dir.path(), "unwind.c", "stripped", &["-g"]);
    let strip = |args: &[&str], files: &[&Path]| assert!(Command::new("objcopy").args(args).args(files).status().unwrap().success());
    let debug = dir.path().join("stripped.debug");
    strip(&["--only-keep-debug"], &[&program, &debug]);
    strip(&["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())], &[&program]);
    check("stripped, with debuglink", &run(&program, "recursion", None), |names| count(names, "recursion") == 31);
}

/// The parent's return address is in a register while its child lives.
#[cfg(target_arch = "x86_64")]
#[test]
#[ignore = "root"]
fn a_parent_that_waits_in_vfork() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "unwind_vfork.c", "unwind_vfork", &[]);
    let mut parent = Command::new(program).stdout(Stdio::null()).spawn().unwrap();
    let seen = off_cpu(parent.id());
    parent.kill().and_then(|()| parent.wait()).unwrap();
    let blocked: Vec<_> = seen.counts.iter().filter(|c| c.weight == Weight::Blocked && c.count > 0).collect();
    let count = |right: &dyn Fn(&StackCount) -> bool| blocked.iter().filter(|c| right(c)).map(|c| c.count).sum::<u32>();
    let whole = count(&|c| {
        let names = seen.named(c);
        c.quality == StackQuality::Complete
            && names.iter().any(|n| n.contains("vfork"))
            && names.ends_with(&["_start"])
            && names.contains(&"forker")
    });
    println!("{whole} of {} waits in vfork are whole\n{}", count(&|_| true), seen.report());
    assert!(count(&|_| true) > 50 && whole * 100 >= count(&|_| true) * 98, "{}", seen.report());
}

//! Programs that the tests compile without frame pointers, and that know where their time went.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::watch::{Watched, watch};

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

fn run(program: &Path, mode: &str, library: Option<&Path>) -> Watched {
    watch(Command::new(program).args([mode, "4"]).args(library), 10.0)
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
    check("signal handler", &run(&program, "signal", None), |names| names[0] == "on_signal" && count(names, "raise_it") == 6);
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

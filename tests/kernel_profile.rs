//! `ebtop stacks` against programs that know what they did. Root.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libbpf_rs::query::ProgInfoIter;
use rustix::process::{Pid, Signal, kill_process};

const EBTOP: &str = env!("CARGO_BIN_EXE_ebtop");

fn build(dir: &Path, name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads").join(name).with_extension("c");
    let program = dir.join(name);
    let mut flags = vec!["-O1", "-fno-omit-frame-pointer", "-fno-inline", "-pthread"];
    if cfg!(target_arch = "x86_64") {
        flags.push("-mno-omit-leaf-frame-pointer");
    }
    assert!(Command::new("cc").args(flags).arg(source).arg("-o").arg(&program).status().unwrap().success());
    program
}

fn stacks(args: &[&str]) -> Output {
    Command::new(EBTOP).arg("stacks").args(args).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Stack and value of each folded line.
fn folded(bytes: &[u8]) -> Vec<(String, f64)> {
    let line = |line: &str| {
        let (path, value) = line.rsplit_once(' ').unwrap();
        (path.to_owned(), value.parse().unwrap())
    };
    String::from_utf8_lossy(bytes).lines().map(line).collect()
}

fn sum(lines: &[(String, f64)], frame: &str) -> f64 {
    lines.iter().filter(|(path, _)| path.split(';').any(|f| f == frame)).map(|(_, value)| value).sum()
}

/// Until the programs of the probe are in the kernel, and a moment longer, until they are attached.
fn until_watched() {
    let begin = Instant::now();
    while !ProgInfoIter::default().any(|program| program.name.to_string_lossy().starts_with("watch_waking")) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no probe");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(3));
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "root"]
fn shares_on_the_cpu_are_those_of_its_own_clock() {
    let dir = tempfile::tempdir().unwrap();
    let mut hot = Command::new(build(dir.path(), "hot")).arg("5").stdout(Stdio::piped()).spawn().unwrap();
    let output = stacks(&["-p", &hot.id().to_string(), "--for", "1m", "--hz", "499", "-f"]);
    hot.wait().unwrap();
    let truth = std::io::read_to_string(hot.stdout.take().unwrap()).unwrap();
    let truth: Vec<f64> = truth.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let busy: f64 = truth[..3].iter().sum();
    let lines = folded(&output.stdout);
    let all: f64 = lines.iter().map(|(_, value)| value).sum();
    for (name, ns) in ["hot_a", "hot_b", "hot_c"].iter().zip(&truth) {
        let (seen, truth) = (sum(&lines, name) * 100.0 / all, ns * 100.0 / busy);
        println!("{name}: {seen:.2} % of samples, {truth:.2} % by its own clock");
        assert!((seen - truth).abs() < 3.0, "{name}: {seen} % of samples, {truth} % by its own clock");
    }
}

#[test]
#[ignore = "root"]
fn time_off_the_cpu_is_that_of_its_own_clock() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), "waits");
    let mut waits = Running(Command::new(program).arg("off").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let pid = waits.0.id().to_string();
    let ebtop = Command::new(EBTOP).args(["stacks", "-p", &pid, "-w", "off", "--for", "1m", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    // It sleeps until its first line, so that what it measures begins after the watch.
    until_watched();
    writeln!(waits.0.stdin.as_ref().unwrap()).unwrap();
    let truth: Vec<String> = BufReader::new(waits.0.stdout.take().unwrap()).lines().take(4).map(Result::unwrap).collect();
    drop(waits.0.stdin.take());
    let lines = folded(&ebtop.wait_with_output().unwrap().stdout);
    for line in truth {
        let (name, ns) = line.split_once(' ').unwrap();
        let (seen, truth) = (sum(&lines, name), ns.parse::<f64>().unwrap() / 1e3);
        println!("{name}: {seen} µs, {truth} by its own clock: {:.2} %", seen * 100.0 / truth);
        assert!((seen / truth - 1.0).abs() < 0.02, "{name}: {seen} µs, {truth} by its own clock");
    }
    assert!(sum(&lines, "[blocked in the kernel]") > 0.0);
}

#[test]
#[ignore = "root"]
fn ctrl_c_writes_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let hot = Running(Command::new(build(dir.path(), "hot")).arg("60").stdout(Stdio::null()).spawn().unwrap());
    let files = [("a.svg", &b"<?xml"[..]), ("a.pb.gz", &[0x1f, 0x8b]), ("a.json", b"{\"$schema\""), ("a.folded", b"hot;")];
    let start =
        |file| Command::new(EBTOP).args(["stacks", "--comm", "hot", "--for", "1h", "-o"]).arg(dir.path().join(file)).spawn().unwrap();
    let running = files.map(|(file, _)| start(file));
    std::thread::sleep(Duration::from_secs(6));
    for ((file, begins), mut ebtop) in files.into_iter().zip(running) {
        kill_process(Pid::from_child(&ebtop), Signal::INT).unwrap();
        assert!(ebtop.wait().unwrap().success());
        assert!(std::fs::read(dir.path().join(file)).unwrap().starts_with(begins), "{file}");
    }
    drop(hot);
}

#[test]
#[ignore = "root"]
fn refusals_are_one_line_that_says_why() {
    let none = stacks(&["-p", "4194303"]);
    assert_eq!((none.status.code(), said(&none).trim()), (Some(1), "ebtop: there is no process 4194303"));
    let sleeper = Running(Command::new("sleep").arg("60").spawn().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.svg");
    let idle = stacks(&["-p", &sleeper.0.id().to_string(), "--for", "500ms", "-o", file.to_str().unwrap()]);
    assert_eq!((idle.status.code(), said(&idle).lines().count()), (Some(1), 1));
    assert!(said(&idle).contains("--weight off"), "{}", said(&idle));
    assert!(!file.exists(), "nothing is left behind");
    let form = stacks(&["-a", "-o", "out"]);
    assert_eq!((form.status.code(), said(&form).lines().count()), (Some(2), 1));
}

#[test]
#[ignore = "root"]
fn ends_with_its_process() {
    // Longer than the command waits for unwind tables before its clock starts.
    let dir = tempfile::tempdir().unwrap();
    let mut hot = Command::new(build(dir.path(), "hot")).arg("5").stdout(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    let waiter = std::thread::spawn({
        let pid = hot.id().to_string();
        move || stacks(&["-p", &pid, "--for", "10m"])
    });
    hot.wait().unwrap();
    let output = waiter.join().unwrap();
    assert!(output.status.success() && begin.elapsed() < Duration::from_secs(30));
    assert!(String::from_utf8_lossy(&output.stdout).contains("hot_a"), "{}", String::from_utf8_lossy(&output.stdout));
}

/// As a shell script does that becomes a server.
#[test]
#[ignore = "root"]
fn a_process_that_becomes_another_program_has_the_names_of_both() {
    let dir = tempfile::tempdir().unwrap();
    let (before, after) = (build(dir.path(), "exec"), build(dir.path(), "hot"));
    let running = Running(Command::new(before).arg("8").arg(after).arg("12").stdout(Stdio::null()).spawn().unwrap());
    let lines = folded(&stacks(&["-p", &running.0.id().to_string(), "--for", "1m", "--hz", "499", "-f"]).stdout);
    drop(running);
    let all: f64 = lines.iter().map(|(_, value)| value).sum();
    let of = |functions: &[&str]| functions.iter().map(|function| sum(&lines, function)).sum::<f64>();
    let (old, new) = (of(&["before_exec"]), of(&["hot_a", "hot_b", "hot_c"]));
    println!("of {all} samples {old} are of the first program, {new} of the second");
    assert!(old > 499.0 && new > 499.0 && old + new > 0.98 * all, "of {all} samples {old} and {new} have the names of their program");
    let mixed = lines.iter().filter(|(path, _)| path.starts_with("hot;") == path.contains("before_exec"));
    let mixed: f64 = mixed.map(|(_, value)| value).sum();
    assert!(mixed <= 0.02 * all, "{mixed} of {all} have names of the other program");
}

/// A Python program of these lines, which runs until it is dropped.
fn python(lines: &str) -> Running {
    let running = Running(Command::new("/usr/bin/python3").args(["-c", lines]).stdout(Stdio::null()).spawn().unwrap());
    std::thread::sleep(Duration::from_millis(500));
    running
}

/// Nobody saw these processes before: their tables are there when the first sample is taken all the same.
#[test]
#[ignore = "root"]
fn a_short_profile_is_as_whole_as_a_long_one() {
    let dir = tempfile::tempdir().unwrap();
    let perl = dir.path().join("perl");
    // A copy is a file of its own, of which nothing is known yet.
    std::fs::copy(std::fs::canonicalize("/usr/bin/perl").unwrap(), &perl).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/unwind.c");
    let chain = dir.path().join("chain");
    let flags = ["-O2", "-fomit-frame-pointer", "-w"];
    assert!(Command::new("cc").args(flags).arg(source).arg("-o").arg(&chain).status().unwrap().success());
    let script = "sub f { my $n = shift; $n < 2 ? $n : f($n-1) + f($n-2) } f(20) while 1";
    for (program, args) in [(&perl, ["-e", script]), (&chain, ["chain", "60"])] {
        let busy = Running(Command::new(program).args(args).stdout(Stdio::null()).spawn().unwrap());
        std::thread::sleep(Duration::from_millis(300));
        let lines = folded(&stacks(&["-p", &busy.0.id().to_string(), "--for", "500ms", "--hz", "499", "-f"]).stdout);
        let all: f64 = lines.iter().map(|(_, value)| value).sum();
        let cut: f64 = lines.iter().filter(|(path, _)| path.contains("callers unknown")).map(|(_, value)| value).sum();
        println!("{program:?}: {cut} of {all} samples of the first half second are cut");
        assert!(all > 20.0 && cut <= 0.02 * all, "{program:?}: {cut} of {all} are cut");
    }
}

#[test]
#[ignore = "root"]
fn python_functions_are_in_stacks_of_every_weight() {
    let waiting = python("import time\ndef wait_here():\n  time.sleep(0.005)\nwhile True: wait_here()");
    let touching = python(
        "import mmap\ndef touch_here():\n  m = mmap.mmap(-1, 1 << 20)\n  for i in range(0, 1 << 20, 4096): m[i] = 1\nwhile True: touch_here()",
    );
    let sending = python(
        "import socket\na = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\na.bind(('127.0.0.1', 0))\nat = a.getsockname()\n\
         def send_here():\n  a.sendto(b'x' * 1000, at)\ndef receive_here():\n  a.recv(2000)\nwhile True:\n  send_here()\n  receive_here()",
    );
    for (program, weight, part, function) in [
        (&waiting, "off", "[asleep]", "wait_here"),
        (&touching, "faults", "[minor faults]", "touch_here"),
        (&touching, "allocs", "touch_here", "touch_here"),
        (&sending, "net", "[sent]", "send_here"),
        (&sending, "net", "[received]", "receive_here"),
    ] {
        let output = stacks(&["-p", &program.0.id().to_string(), "-w", weight, "--for", "2s", "-f"]);
        let lines: Vec<_> = folded(&output.stdout).into_iter().filter(|(path, _)| path.contains(part)).collect();
        let (all, named): (f64, f64) = (lines.iter().map(|(_, value)| value).sum(), sum(&lines, function));
        println!("{weight}: {named} of {all} {part} in {function}");
        assert!(all > 0.0 && named > 0.95 * all, "{weight}: {named} of {all} {part} are in {function}: {}", said(&output));
    }
}

#[test]
#[ignore = "root"]
fn wakers_stand_below_the_waits_they_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut waits =
        Running(Command::new(build(dir.path(), "waits")).arg("wakers").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let pid = waits.0.id().to_string();
    let wrong = stacks(&["-p", &pid, "--wakers"]);
    assert!(wrong.status.code() == Some(2) && said(&wrong).contains("--weight off"), "{}", said(&wrong));
    let ebtop = Command::new(EBTOP)
        .args(["stacks", "-p", &pid, "-w", "off", "--wakers", "--for", "1m", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    until_watched();
    writeln!(waits.0.stdin.as_ref().unwrap()).unwrap();
    let printed: Vec<String> = BufReader::new(waits.0.stdout.take().unwrap()).lines().take(4).map(Result::unwrap).collect();
    std::thread::sleep(Duration::from_secs(1));
    drop(waits.0.stdin.take());
    let lines = folded(&ebtop.wait_with_output().unwrap().stdout);
    let waker = format!("[woken by pipe-waker ({})]", printed[0].split(' ').nth(1).unwrap());
    let of_wait: Vec<_> = lines.into_iter().filter(|(path, _)| path.contains(";[asleep];") && path.contains(";wait_pipe;")).collect();
    let all: f64 = of_wait.iter().map(|(_, value)| value).sum();
    let woken: Vec<_> =
        of_wait.into_iter().filter(|(path, _)| path.find(&waker).is_some_and(|at| path[at..].contains(";wake_pipe;"))).collect();
    let by_waker: f64 = woken.iter().map(|(_, value)| value).sum();
    println!("{by_waker} of {all} µs over by {waker}");
    // What is told while a wait goes on has no waker yet: at most one of them at each of five readings a second.
    assert!(by_waker > 0.85 * all, "{by_waker} of {all}");
}

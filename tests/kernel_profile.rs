//! `ebtop stacks` against programs that know what they did. Root.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

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
    std::thread::sleep(Duration::from_secs(3));
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
    for (file, begins) in [("a.svg", &b"<?xml"[..]), ("a.pb.gz", &[0x1f, 0x8b]), ("a.json", b"{\"$schema\""), ("a.folded", b"hot;")] {
        let path = dir.path().join(file);
        let mut ebtop = Command::new(EBTOP).args(["stacks", "--comm", "hot", "--for", "1h", "-o"]).arg(&path).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(3));
        kill_process(Pid::from_child(&ebtop), Signal::INT).unwrap();
        assert!(ebtop.wait().unwrap().success());
        assert!(std::fs::read(&path).unwrap().starts_with(begins), "{file}");
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
    let dir = tempfile::tempdir().unwrap();
    let mut hot = Command::new(build(dir.path(), "hot")).arg("1").stdout(Stdio::null()).spawn().unwrap();
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

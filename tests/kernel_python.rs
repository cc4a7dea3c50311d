//! Python frames against scripts that know where they spent their time. Root; one test at a time.
//!
//! Runs with `python3` and with every interpreter that `EBTOP_PYTHONS` names, paths with `:` between.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ebtop::collect::stacks::Stacks;
use ebtop::sample::{Health, INTERPRETED, InterpretedFrame, StackCount};

fn interpreters() -> Vec<String> {
    let named = std::env::var("EBTOP_PYTHONS").unwrap_or_default();
    let system = ["/usr/bin/python3"].into_iter().filter(|path| Path::new(path).exists());
    let all: Vec<String> = system.chain(named.split(':').filter(|path| !path.is_empty())).map(str::to_owned).collect();
    assert!(!all.is_empty(), "no /usr/bin/python3, and EBTOP_PYTHONS names none");
    all
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads/hot.py")
}

fn start(python: &str, arguments: &[&str]) -> Child {
    Command::new(python).arg(script()).args(arguments).stdout(Stdio::piped()).spawn().unwrap()
}

/// What was seen of a process once it had begun its work and was known to be Python.
struct Seen {
    counts: Vec<StackCount>,
    lines: HashMap<u64, InterpretedFrame>,
    printed: String,
}

fn watch(stacks: &mut Stacks, mut child: Child) -> Seen {
    let (mut counts, mut lines, pid) = (Vec::new(), HashMap::new(), child.id());
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    output.read_line(&mut printed).unwrap();
    assert_eq!(printed, "begin\n");
    stacks.read();
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(250));
        let read = stacks.read();
        counts.extend(read.counts.into_iter().filter(|count| count.key.pid == pid));
        lines.extend(read.interpreted);
        if lines.is_empty() {
            counts.clear();
        }
    }
    printed.clear();
    output.read_to_string(&mut printed).unwrap();
    Seen { counts, lines, printed }
}

impl Seen {
    fn samples(&self) -> u32 {
        self.counts.iter().map(|count| count.count).sum()
    }

    /// Python functions of a stack, innermost first, with the text of their lines.
    fn python<'a>(&'a self, stack: &'a StackCount, source: &'a str) -> Vec<(&'a str, &'a str)> {
        let of_script = |frame: &&InterpretedFrame| frame.file.ends_with("hot.py");
        let frames = stack.user.iter().filter(|a| **a >= INTERPRETED).map(|a| &self.lines[a]).filter(of_script);
        let text = |line: u32| source.lines().nth((line as usize).wrapping_sub(1)).unwrap_or("");
        frames.map(|frame| (frame.function.rsplit('.').next().unwrap(), text(frame.line))).collect()
    }

    /// Percent of the samples whose Python frames are as `right` says.
    fn pct(&self, right: impl Fn(&[(&str, &str)]) -> bool) -> f64 {
        let source = std::fs::read_to_string(script()).unwrap();
        let of_it: u32 = self.counts.iter().filter(|c| right(&self.python(c, &source))).map(|c| c.count).sum();
        f64::from(of_it) * 100.0 / f64::from(self.samples().max(1))
    }
}

#[test]
#[ignore = "root"]
fn three_functions_have_their_shares_and_lines() {
    for python in interpreters() {
        // So many samples that chance stays well below the 3 points.
        let mut stacks = Stacks::open(499).unwrap();
        let seen = watch(&mut stacks, start(&python, &["shares", "5"]));
        let truth: Vec<f64> = seen.printed.split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert!(seen.samples() > 1000, "{python}: {} samples", seen.samples());
        for (name, ns) in ["hot_a", "hot_b", "hot_c"].iter().zip(&truth) {
            let truth = ns * 100.0 / truth.iter().sum::<f64>();
            let found = seen.pct(|frames| frames.first().is_some_and(|(function, _)| function == name));
            println!("{python}: {name}: {found:.2} % of {} samples, {truth:.2} % by its own clock", seen.samples());
            assert!((found - truth).abs() < 3.0, "{python}: {name}: {found} %, {truth} % by its own clock");
        }
        let right = seen.pct(|frames| {
            let called = frames.get(1..).is_some_and(|rest| {
                rest.iter().map(|(f, _)| *f).eq(["spend", "main", "<module>"]) || rest.iter().map(|(f, _)| *f).eq(["spend", "main"])
            });
            frames.first().is_some_and(|(function, line)| line.ends_with(&format!("# {function}")))
                && called
                && frames[1].1.ends_with("# spend")
        });
        println!("{python}: {right:.2} % have the right lines and callers");
        assert!(right > 97.0, "{python}: {right} %");
        assert_eq!((stacks.status().lost, stacks.status().health), (0, Health::Live));
    }
}

#[test]
#[ignore = "root"]
fn python_called_by_c_called_by_python() {
    for python in interpreters() {
        let mut stacks = Stacks::open(499).unwrap();
        let seen = watch(&mut stacks, start(&python, &["ways", "3"]));
        let inner = [
            ("by_sorted", &["burn", "key", "by_sorted", "run"][..]),
            ("by_regex", &["burn", "replace", "by_regex", "run"]),
            ("by_generator", &["burn", "numbers", "by_generator", "run"]),
            ("by_coroutine", &["burn", "inner", "outer", "by_coroutine", "run"]),
            ("by_class", &["burn", "__init__", "by_class", "run"]),
        ];
        let mut right = 0.0;
        for (way, functions) in inner {
            // Up to 3.11 a list comprehension is a function.
            let share = seen.pct(|frames| {
                let names = frames.iter().map(|(f, _)| *f).filter(|f| *f != "<listcomp>");
                names.eq(functions.iter().copied())
            });
            println!("{python}: {way}: {share:.1} % of {} samples", seen.samples());
            assert!(share > 2.0, "{python}: {way}: {share} %");
            right += share;
        }
        let burning = seen.pct(|frames| frames.first().is_some_and(|(f, _)| *f == "burn"));
        assert!(right > 0.97 * burning && burning > 85.0, "{python}: {right} % of {burning} % are whole");
    }
}

#[test]
#[ignore = "root"]
fn deep_recursion_shows_the_innermost_frames() {
    for python in interpreters() {
        let mut stacks = Stacks::open(499).unwrap();
        let seen = watch(&mut stacks, start(&python, &["deep", "2", "1000"]));
        let deep = |frames: &[(&str, &str)]| {
            let [("burn", _), rest @ ..] = frames else { return false };
            frames.len() >= 120 && rest[1..].iter().all(|(f, line)| *f == "descend" && line.ends_with("# descend"))
        };
        let share = seen.pct(deep);
        println!("{python}: {share:.1} % of {} samples", seen.samples());
        assert!(share > 95.0, "{python}: {share} %");
    }
}

/// What a process says about itself: context switches of its own will, and who traces it.
fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)?.trim_start_matches(':').trim().parse().ok()).unwrap()
}

#[test]
#[ignore = "root"]
fn the_program_is_never_stopped() {
    let mut stacks = Stacks::open(99).unwrap();
    let mut child = start("/usr/bin/python3", &["rate", "4"]);
    let (mut named, mut before) = (0, None);
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(100));
        named += stacks.read().interpreted.len();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let state = stat.rsplit(") ").next().unwrap().chars().next().unwrap();
        assert!(matches!(state, 'R' | 'Z'), "it burns, yet its state is {state}");
        if state == 'R' {
            assert_eq!(status(child.id(), "TracerPid"), 0);
            // It waits for nothing while it burns; what it waits for at its start is over with the first line that was read.
            let waited = status(child.id(), "voluntary_ctxt_switches");
            if named > 0 {
                assert_eq!(*before.get_or_insert(waited), waited, "it was made to wait");
            }
        }
    }
    assert!(named > 10);
}

#[test]
#[ignore = "root"]
fn an_interpreter_of_another_version_below_this_one() {
    let others: Vec<String> = interpreters().into_iter().skip(1).collect();
    let Some(other) = others.last() else { return };
    let mut stacks = Stacks::open(499).unwrap();
    let call = format!("import subprocess; subprocess.run([{other:?}, {:?}, 'rate', '3'])", script().to_str().unwrap());
    let mut parent = Command::new("/usr/bin/python3").args(["-c", &call]).stdout(Stdio::null()).spawn().unwrap();
    let mut functions = HashMap::<String, u32>::new();
    while parent.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(250));
        let read = stacks.read();
        let lines: HashMap<_, _> = read.interpreted.into_iter().collect();
        for stack in &read.counts {
            let innermost = stack.user.iter().find_map(|a| lines.get(a)).filter(|line| line.file.ends_with("hot.py"));
            *functions.entry(innermost.map_or(String::new(), |line| line.function.to_string())).or_default() += stack.count;
        }
    }
    assert!(functions.get("burn").is_some_and(|samples| *samples > 100), "{functions:?}");
}

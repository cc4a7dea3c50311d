//! Each rung of the ladders is as true as the best, where this kernel has it; and what is left of ebtop without the kernel's own types.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use libbpf_rs::query::{LinkInfoIter, ProgInfoIter};
use serde_json::Value;

use super::{assert_short_lives, assert_socket_bytes, health, hooks, own};
use crate::program::{Batch, EBTOP, list, number, rows, sum};
use crate::workload::Workload;

fn forced(force: &str, args: &[&str]) -> Batch {
    Batch::start_by(Command::new(EBTOP).env("EBTOP_FORCE", force).args(["-b", "-o", "json", "-d", "0.5", "--hz", "0"]).args(args))
}

#[test]
#[ignore = "root"]
fn each_way_to_see_socket_bytes_is_true() {
    let check = hooks::check();
    for (rung, program) in [("tracepoints", "net_send"), ("functions", "net_x_send"), ("probes", "net_k_")] {
        let mut ebtop = forced(&format!("net={rung}"), &["--probes", "tasks,net"]);
        let (state, reason) = health(&ebtop, "net");
        println!("{rung}: {state} {reason}");
        assert_eq!(state != "off", hooks::work(check, program), "{rung}: {reason}");
        if state != "off" {
            assert_socket_bytes(&mut ebtop);
        }
        ebtop.stop();
    }
}

/// What `waits net` sends, and receives of itself.
const MOVED: f64 = 400.0 * 16384.0;

/// Bytes by stack add up to what the program moved. It is gone before its functions could be named.
#[test]
#[ignore = "root"]
fn each_way_to_see_bytes_by_stack_is_true() {
    let check = hooks::check();
    for (rung, program) in [("tracepoints", "watch_send"), ("functions", "watch_x_"), ("probes", "watch_k")] {
        if !hooks::work(check, program) {
            println!("{rung}: not here");
            continue;
        }
        let load = Workload::start("waits", &["net"]);
        let pid = load.pid().to_string();
        let mut ebtop = Command::new(EBTOP);
        ebtop.env("EBTOP_FORCE", format!("net={rung}")).args(["stacks", "-p", &pid, "-w", "net", "--for", "10m", "-f"]);
        // On the console of a guest it would tell how far it is, five times a second.
        let mut ebtop = ebtop.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It moves nothing before it is told to: that is once all programs are there and at their hooks, which takes its time in a guest.
        let loaded = || ProgInfoIter::default().filter(|program| program.name.to_string_lossy().starts_with("watch_")).count();
        let programs = || match loaded() {
            0 => 0,
            loaded => loaded + LinkInfoIter::default().count(),
        };
        let (mut seen, mut quiet) = (0, 0);
        while seen == 0 || quiet < 8 {
            std::thread::sleep(Duration::from_secs(1));
            assert!(ebtop.try_wait().unwrap().is_none(), "{rung}: it ended");
            let now = programs();
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        load.end();
        let folded = String::from_utf8(ebtop.wait_with_output().unwrap().stdout).unwrap();
        let sum = |part: &str| -> f64 {
            let of_it = folded.lines().filter(|line| line.contains(part));
            of_it.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
        };
        let seen = [sum(";[sent];"), sum(";[received];")];
        println!("{rung}: {seen:?} of {MOVED} each");
        assert_eq!(seen, [MOVED; 2], "{rung}: {folded}");
    }
}

#[test]
#[ignore = "root"]
fn the_plain_task_iterator_is_as_true() {
    assert_short_lives(forced("tasks=iterator", &["--probes", "tasks"]));
}

/// The living are as true without last words; that exits are missing is said, and nobody is counted twice.
#[test]
#[ignore = "root"]
fn without_last_words_the_living_are_true() {
    let mut ebtop = forced("exits=none", &["--probes", "tasks"]);
    let (state, reason) = health(&ebtop, "tasks");
    assert!(state == "degraded" && reason.starts_with("exits are not seen"), "{state} {reason}");
    // It waits for a line before it ends: what it used is read off it while it lives.
    let mut parent = Workload::start("tasks", &["children", "20", "1"]);
    let truth = parent.usage();
    ebtop.settle();
    let ticks = ebtop.stop();
    let sum_of = |wanted: &dyn Fn(&Value) -> bool| sum(&ticks, "cpu_ns", wanted);
    let own_ns = sum_of(&|row| number(row, "pid") == u64::from(parent.pid()));
    let children_ns = sum_of(&|row| number(row, "ppid") == u64::from(parent.pid()));
    let used = parent.end();
    let used_ns = [used.ru_utime, used.ru_stime].into_iter().map(|time| time.tv_sec * 1_000_000 + time.tv_usec).sum::<i64>() as u64 * 1000;
    println!("parent {own_ns} of {used_ns} with its children, who are seen with {children_ns} of {}", truth.cpu_ns);
    assert!(own_ns + children_ns <= used_ns + used_ns / 50, "{own_ns} {children_ns} {used_ns}");
    assert!(ticks.iter().all(|tick| tick["exited"].as_array().is_none_or(Vec::is_empty)), "nobody told of exits");
}

/// Native frames are as many without the part that reads Python's.
#[test]
#[ignore = "root"]
fn without_python_frames_stacks_are_sampled_as_before() {
    let force = [("", "live"), ("python=none", "degraded")];
    let counts = force.map(|(force, wanted)| {
        let mut ebtop = Command::new(EBTOP);
        let mut ebtop = Batch::start_by(ebtop.env("EBTOP_FORCE", force).args(["-b", "-o", "json", "-d", "0.5", "--view", "stacks"]));
        let load = Workload::start("hot", &["2"]);
        let pid = load.pid();
        load.end();
        ebtop.settle();
        assert_eq!(health(&ebtop, "stacks").0, wanted, "{}", health(&ebtop, "stacks").1);
        let of_load = |stack: &&Value| number(stack, "pid") == u64::from(pid);
        let ticks = ebtop.stop();
        let stacks = ticks.iter().flat_map(|tick| list(tick, "stacks").iter());
        stacks.filter(of_load).map(|stack| number(stack, "samples")).sum::<u64>()
    });
    // 49 a second of CPU time; a busy machine gives it less than two seconds of that.
    println!("{counts:?} samples");
    assert!(counts.iter().all(|count| *count > 10) && counts[0].abs_diff(counts[1]) < 60, "{counts:?}");
}

fn page_allocs(ebtop: &Batch) -> u64 {
    ebtop.ticks.iter().flat_map(rows).filter(|row| own(row)).filter_map(|row| row["page_allocs"].as_u64()).sum()
}

/// Touches so many pages for the first time: those of an allocator may be what a test before gave back to it.
fn touch(pages: usize) {
    let (bytes, access) = (pages * 4096, libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a mapping of its own, wherever the kernel has room, that nothing else knows.
    let memory = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED);
    for page in 0..pages {
        // SAFETY: within the mapping, which is writable.
        unsafe { memory.cast::<u8>().add(page * 4096).write_volatile(1) };
    }
    // SAFETY: the whole mapping, which nobody has a pointer to any more.
    unsafe { libc::munmap(memory, bytes) };
}

#[test]
#[ignore = "root"]
fn the_raw_tracepoint_counts_pages() {
    let mut ebtop = forced("mem=raw", &["--fields", "pid,page_allocs", "--probes", "tasks,mem"]);
    ebtop.settle();
    let before = page_allocs(&ebtop);
    // Half of them in huge pages, at most.
    touch(4000);
    ebtop.settle();
    assert!(page_allocs(&ebtop) - before >= 7, "{} and {before}", page_allocs(&ebtop));
    ebtop.stop();
}

/// Types from a file instead: those that are where ebtop looks by itself, else a copy of the kernel's own. They are hidden in a mount
/// namespace of ebtop's own.
#[test]
#[ignore = "root"]
fn types_from_a_file_are_enough_for_most() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut option = String::new();
    if !Path::new("/usr/lib/ebtop/btf").join(format!("{}.btf", release.trim())).exists() {
        let copy = folder.path().join("types.btf");
        std::fs::copy("/sys/kernel/btf/vmlinux", &copy).unwrap();
        option = format!("--btf {}", copy.display());
    }
    let hidden = |ebtop: &str| format!("mount -t tmpfs none /sys/kernel/btf && exec {EBTOP} {ebtop} {option}");
    let script = hidden("-b -o json -d 0.5 --hz 99 --fields pid,tx_bytes,rx_bytes,page_allocs,ppid");
    let mut ebtop = Batch::start_by(Command::new("unshare").args(["-m", "sh", "-c", &script]));
    ebtop.settle();
    let states = ["tasks", "net", "stacks", "mem"].map(|domain| health(&ebtop, domain));
    println!("{states:?}");
    assert!(states[0].0 == "degraded" && states[0].1.contains("/proc"), "{states:?}");
    assert_eq!([&states[2].0, &states[3].0], ["live", "live"], "{states:?}");
    let has_kprobes = hooks::work(hooks::check(), "net_k_");
    assert_eq!(states[1].0, if has_kprobes { "degraded" } else { "off" }, "{states:?}");
    if has_kprobes {
        assert_socket_bytes(&mut ebtop);
    }
    let before = page_allocs(&ebtop);
    touch(4000);
    ebtop.settle();
    assert!(page_allocs(&ebtop) - before >= 7, "pages of a process that /proc listed");
    ebtop.stop();

    let check = Command::new("unshare").args(["-m", "sh", "-c", &hidden("check --json")]).output().unwrap();
    let check: Value = serde_json::from_slice(&check.stdout).unwrap();
    let types = check["findings"].as_array().unwrap().iter().find(|finding| finding["topic"] == "kernel types").unwrap();
    assert!(types["verdict"] == "works" && types["cause"].as_str().unwrap().contains(".btf"), "{types}");
    let iterator = check["hooks"].as_array().unwrap().iter().find(|hook| hook["program"] == "task_iter").unwrap();
    assert!(iterator["verdict"] == "missing" && iterator["fix"].as_str().unwrap().contains("CONFIG_DEBUG_INFO_BTF"), "{iterator}");
}

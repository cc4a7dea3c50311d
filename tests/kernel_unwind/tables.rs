//! What a table costs: CPU time to build it, bytes of a row, and kernel memory of all maps. Prints the figures of the README.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ebtop::collect::stacks::Stacks;
use ebtop::sample::ProcKey;

use crate::cost::Burner;
use crate::watch::start_ns;

/// So seldom that next to nothing but what is asked for gets a table.
const HZ: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(120);
/// What the issue of whole stacks calls large, and how long its table may take where it is built as it is shipped.
const LARGE_BYTES: u64 = 100 << 20;
const CPU_MAX: Duration = Duration::from_secs(1);

/// Kernel memory of the maps that this process has open, bytes, as the kernel tells it.
fn map_bytes() -> u64 {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let field = |info: &str, name: &str| info.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
    // A map may be open twice.
    let maps = infos.filter(|info| info.contains("map_type:"));
    let by_id: std::collections::HashMap<_, _> = maps.filter_map(|i| Some((field(&i, "map_id:")?, field(&i, "memlock:")?))).collect();
    by_id.values().sum()
}

/// Bytes of the largest executable file that a process maps.
fn largest_file(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let paths = maps
        .lines()
        .filter(|l| l.split(' ').nth(1).is_some_and(|rights| rights.contains('x')))
        .filter_map(|l| l.find('/').map(|at| &l[at..]));
    paths.filter_map(|path| fs::metadata(path).ok()).map(|meta| meta.len()).max().unwrap_or(0)
}

#[test]
#[ignore = "root"]
fn a_large_table_is_built_in_a_second() {
    // A compiler that never ends: its library is the largest executable wherever this is built.
    const PROGRAM: &str = "#![allow(long_running_const_eval)] pub const X: () = loop {};";
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("endless.rs");
    fs::write(&source, PROGRAM).unwrap();
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).stderr(Stdio::null()).output().unwrap().stdout;
    // Not rustup's: that would run the compiler as a child.
    let rustc = format!("{}/bin/rustc", String::from_utf8(sysroot).unwrap().trim());
    let out = dir.path().join("out");
    let burner = Burner::start(0, &[&rustc, "--crate-type", "lib", "-o", out.to_str().unwrap(), source.to_str().unwrap()]);
    let key = ProcKey { pid: burner.pid(), start_ns: start_ns(burner.pid()) };
    let file = largest_file(key.pid);
    let mut stacks = Stacks::open(HZ).unwrap();
    let status = |stacks: &Stacks| stacks.unwinder().unwrap().status();
    let (before, began) = (status(&stacks), Instant::now());
    let (done, is_done) = crossbeam_channel::bounded::<()>(0);
    stacks.prepare(vec![key], done);
    assert!(is_done.recv_timeout(PATIENCE).is_err_and(|e| e == crossbeam_channel::RecvTimeoutError::Disconnected), "never done");
    let after = status(&stacks);
    let (cpu, rows) = (Duration::from_nanos(after.cpu_ns - before.cpu_ns), after.rows - before.rows);
    println!(
        "tables of {} files, the largest of {} MiB: {rows} rows, {:.2} bytes each, in {cpu:?} of CPU, {:?} in all; all maps take {:.1} MiB",
        after.tables - before.tables,
        file >> 20,
        (after.table_bytes - before.table_bytes) as f64 / rows as f64,
        began.elapsed(),
        map_bytes() as f64 / f64::from(1 << 20)
    );
    assert!(file >= LARGE_BYTES && rows > 1_000_000, "{file} bytes, {rows} rows");
    assert!(cfg!(debug_assertions) || cpu < CPU_MAX, "{cpu:?}");
    assert!(after.table_bytes <= ebtop::collect::stacks::UNWIND_BYTES / 2, "{after:?}");
}

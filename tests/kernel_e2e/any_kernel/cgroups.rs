//! A control group that this test makes, with a limit of CPU time that its process runs into.

use std::fs::{canonicalize, create_dir, read_to_string, remove_dir, write};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::assert_within;
use crate::program::{Batch, list, number};

/// A control group of the version that this machine has, removed at the end.
struct Group {
    path: String,
    /// Its directory in each hierarchy.
    dirs: Vec<PathBuf>,
}

impl Group {
    /// With a limit of 20 ms of CPU time in 100 ms.
    fn make() -> Group {
        let root = Path::new("/sys/fs/cgroup");
        let name = format!("ebtop-test-{}", std::process::id());
        let roots = match root.join("cgroup.controllers").exists() {
            true => {
                write(root.join("cgroup.subtree_control"), "+cpu +memory").unwrap();
                vec![root.to_owned()]
            }
            false => {
                let mut roots: Vec<PathBuf> = ["cpu", "cpuacct", "memory"].map(|c| canonicalize(root.join(c)).unwrap()).into();
                roots.dedup();
                roots
            }
        };
        let group = Group { path: format!("/{name}"), dirs: roots.iter().map(|root| root.join(&name)).collect() };
        group.dirs.iter().for_each(|dir| create_dir(dir).unwrap());
        match group.find("cpu.max") {
            Some(file) => write(file, "20000 100000").unwrap(),
            None => write(group.find("cpu.cfs_quota_us").unwrap(), "20000").unwrap(),
        }
        group
    }

    fn find(&self, file: &str) -> Option<PathBuf> {
        self.dirs.iter().map(|dir| dir.join(file)).find(|path| path.exists())
    }

    /// A process that burns CPU time in the group; and what it had used when it had just entered, ns.
    fn burn(&self) -> (Child, u64) {
        let enter = "for dir; do echo $$ > $dir/cgroup.procs || exit; done; echo in; while :; do :; done";
        let mut shell = Command::new("/bin/sh").args(["-c", enter, "sh"]).args(&self.dirs).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdout.take().unwrap().read_exact(&mut [0; 3]).unwrap();
        let schedstat = read_to_string(format!("/proc/{}/schedstat", shell.id())).unwrap();
        (shell, schedstat.split_whitespace().next().unwrap().parse().unwrap())
    }

    /// A number of a file of lines `name number`.
    fn stat(&self, name: &str) -> Option<u64> {
        let text = read_to_string(self.find("cpu.stat")?).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// What the kernel says it used, ns.
    fn cpu_ns(&self) -> u64 {
        match self.find("cpuacct.usage") {
            Some(file) => read_to_string(file).unwrap().trim().parse().unwrap(),
            None => 1000 * self.stat("usage_usec").unwrap(),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in &self.dirs {
            let _ = remove_dir(dir);
        }
    }
}

/// Ends the process; its CPU time as wait4 says, ns.
fn end(mut child: Child) -> u64 {
    child.kill().unwrap();
    // SAFETY: all zeros is a valid value of a struct of integers.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: both out-pointers are valid for the call.
    let pid = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    assert_eq!(pid, child.id() as i32);
    [usage.ru_utime, usage.ru_stime].map(|time| (time.tv_sec * 1_000_000 + time.tv_usec) as u64 * 1000).into_iter().sum()
}

/// The files answered in time; else the tick says that it shows the groups as they were.
fn is_in_time(tick: &Value) -> bool {
    tick["cgroups_trouble"].is_null()
}

#[test]
#[ignore = "root"]
fn a_group_that_is_throttled_shows_what_the_kernel_counted() {
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5", "--view", "cgroups", "--probes", "tasks"]);
    let group = Group::make();
    let (burner, before_ns) = group.burn();
    ebtop.read_for(Duration::from_secs(4));
    let used_ns = end(burner) - before_ns;
    ebtop.settle();
    // An answer that came too late for its own sample is taken by the next: the second in time is of now.
    ebtop.read_until("two looks in time", |ebtop| ebtop.ticks.iter().rev().take(2).all(is_in_time));
    let (cpu_ns, periods, throttled) = (group.cpu_ns(), group.stat("nr_periods").unwrap(), group.stat("nr_throttled").unwrap());
    let mut ticks = ebtop.stop();
    ticks.retain(is_in_time);
    let is_ours = |row: &&Value| row["path"] == group.path.as_str();
    let rows: Vec<&Value> = ticks.iter().flat_map(|tick| list(tick, "cgroups")).filter(is_ours).collect();
    let sum = |field: &str| rows.iter().map(|row| number(row, field)).sum::<u64>();
    println!("{periods} periods, {throttled} throttled, {cpu_ns} ns by the group, {used_ns} ns by its process");
    assert_eq!((sum("cpu_ns"), sum("periods"), sum("throttled_periods")), (cpu_ns, periods, throttled));
    assert!(throttled > 5 && throttled <= periods, "{throttled} of {periods}");
    assert_within("CPU of the group beside its process", sum("cpu_ns"), used_ns, 5.0);
    assert!(rows.iter().all(|row| row["cpu_max_milli"] == 200), "{}", rows[0]);
    let processes: Vec<u64> = rows.iter().map(|row| number(row, "processes")).collect();
    assert!(processes.contains(&1) && processes.last() == Some(&0), "{processes:?}");
    let of_root: u64 =
        ticks.iter().flat_map(|tick| list(tick, "cgroups")).filter(|row| row["path"] == "/").map(|row| number(row, "cpu_ns")).sum();
    assert!(of_root >= cpu_ns, "the root has all of it: {of_root}");
}

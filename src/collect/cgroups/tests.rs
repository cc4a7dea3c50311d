use std::fs::{create_dir_all, write};
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use super::hierarchies::{Controller, Hierarchy};
use super::walk::walk;
use super::{CgroupReader, PATIENCE, Thread};
use crate::sample::{Cgroup, Cgroups, Wants};

const V2: &[Controller] = &[];

/// A group as a directory with files.
fn group(root: &Path, path: &str, files: &[(&str, &str)]) {
    let dir = root.join(path);
    create_dir_all(&dir).unwrap();
    for (name, text) in files {
        write(dir.join(name), text).unwrap();
    }
}

/// Each by the controllers it is said to have; version 2 is said to have none.
fn look(hierarchies: &[(&Path, &[Controller])]) -> Cgroups {
    let hierarchy = |&(root, controllers): &(&Path, &[Controller])| Hierarchy {
        root: root.to_owned(),
        is_default: controllers.is_empty(),
        controllers: controllers.to_vec(),
    };
    let hierarchies: Vec<_> = hierarchies.iter().map(hierarchy).collect();
    walk(&hierarchies, true, Duration::from_secs(60))
}

fn find<'a>(cgroups: &'a Cgroups, path: &str) -> &'a Cgroup {
    cgroups.list.iter().find(|group| group.path == path).unwrap_or_else(|| panic!("no {path} in {:?}", paths(cgroups)))
}

fn paths(cgroups: &Cgroups) -> Vec<&str> {
    cgroups.list.iter().map(|group| group.path.as_str()).collect()
}

#[test]
fn version_2() {
    let root = tempfile::tempdir().unwrap();
    group(root.path(), "", &[("cgroup.procs", "2\n1\n"), ("cpu.stat", "usage_usec 5000000\n")]);
    let web = [
        ("cgroup.procs", "30\n20\n20\n"),
        ("cpu.stat", "usage_usec 1200\nuser_usec 1000\nnr_periods 40\nnr_throttled 10\nthrottled_usec 77\n"),
        ("cpu.max", "50000 100000\n"),
        ("memory.current", "1048576\n"),
        ("memory.max", "4194304\n"),
        ("memory.stat", "anon 4096\nfile 8192\nkernel 1\n"),
        ("cpu.pressure", "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1\n"),
        ("io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"),
        ("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=1 dbytes=0 dios=0\n"),
    ];
    group(root.path(), "system.slice/web.service", &web);
    group(root.path(), "system.slice", &[("cgroup.procs", ""), ("memory.max", "max\n"), ("cpu.max", "max 100000\n")]);
    let cgroups = look(&[(root.path(), V2)]);
    assert_eq!(paths(&cgroups), ["/", "/system.slice", "/system.slice/web.service"]);
    assert_eq!(cgroups.list.iter().map(|group| group.parent).collect::<Vec<_>>(), [None, Some(0), Some(1)]);
    let web = find(&cgroups, "/system.slice/web.service");
    assert_eq!((web.pids.as_deref(), web.cpu_ns, web.cpu_max_milli), (Some(&[20, 30][..]), Some(1_200_000), Some(500)));
    assert_eq!((web.periods, web.throttled_periods, web.throttled_ns), (Some(40), Some(10), Some(77_000)));
    assert_eq!(
        (web.memory_bytes, web.memory_max_bytes, web.anon_bytes, web.file_bytes),
        (Some(1 << 20), Some(4 << 20), Some(4096), Some(8192))
    );
    assert_eq!((web.pressure, web.device_read_bytes, web.device_write_bytes), ([Some(12.5), None, Some(0.0)], Some(10), Some(20)));
    let slice = find(&cgroups, "/system.slice");
    assert_eq!((slice.pids.as_deref(), slice.memory_max_bytes, slice.cpu_max_milli, slice.cpu_ns), (Some(&[][..]), None, None, None));
    assert!(web.id != 0 && web.inode == web.id && cgroups.trouble.is_none() && cgroups.left_out == 0, "{cgroups:?}");
}

#[test]
fn version_1_in_several_hierarchies_is_one_tree() {
    let root = tempfile::tempdir().unwrap();
    let [cpu, cpuacct, memory, blkio] = ["cpu", "cpuacct", "memory", "blkio"].map(|name| root.path().join(name));
    let stat = ("cpu.stat", "nr_periods 4\nnr_throttled 1\nthrottled_time 99\n");
    group(&cpu, "docker/a", &[("cgroup.procs", "7\n"), ("cpu.cfs_quota_us", "150000\n"), ("cpu.cfs_period_us", "100000\n"), stat]);
    group(&cpu, "docker/free", &[("cpu.cfs_quota_us", "-1\n"), ("cpu.cfs_period_us", "100000\n")]);
    group(&cpuacct, "docker/a", &[("cgroup.procs", "7\n"), ("cpuacct.usage", "123456\n")]);
    let limit = ("memory.limit_in_bytes", "9223372036854771712\n");
    let usage = ("memory.usage_in_bytes", "8192\n");
    group(&memory, "docker/a", &[("cgroup.procs", "7\n8\n"), usage, limit, ("memory.stat", "rss 1\ntotal_cache 3\ntotal_rss 4\n")]);
    group(&memory, "only", &[usage, ("memory.limit_in_bytes", "16384\n"), ("cgroup.procs", "9\n")]);
    let bytes = ("blkio.throttle.io_service_bytes_recursive", "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n");
    group(&blkio, "docker/a", &[("cgroup.procs", "7\n"), bytes]);
    let cgroups = look(&[
        (&cpu, &[Controller::Cpu]),
        (&cpuacct, &[Controller::CpuAcct]),
        (&memory, &[Controller::Memory]),
        (&blkio, &[Controller::BlkIo]),
    ]);
    let mut all = paths(&cgroups);
    all.sort_unstable();
    assert_eq!(all, ["/", "/docker", "/docker/a", "/docker/free", "/only"]);
    let a = find(&cgroups, "/docker/a");
    assert_eq!((a.cpu_ns, a.cpu_max_milli, a.periods, a.throttled_periods), (Some(123_456), Some(1500), Some(4), Some(1)));
    assert_eq!((a.throttled_ns, a.memory_bytes, a.memory_max_bytes), (Some(99), Some(8192), None));
    assert_eq!((a.anon_bytes, a.file_bytes, a.pids.as_deref(), a.id), (Some(4), Some(3), Some(&[7, 8][..]), 0));
    assert_eq!((a.device_read_bytes, a.device_write_bytes), (Some(10), Some(20)));
    assert_eq!(find(&cgroups, "/docker/free").cpu_max_milli, None);
    let only = find(&cgroups, "/only");
    assert_eq!((only.memory_max_bytes, only.cpu_ns, only.pids.as_deref()), (Some(16384), None, Some(&[9][..])));
    for (index, group) in cgroups.list.iter().enumerate() {
        assert!(group.parent.is_none_or(|parent| (parent as usize) < index), "{group:?}");
    }
}

#[test]
fn a_hybrid_takes_what_each_version_has() {
    let root = tempfile::tempdir().unwrap();
    let [memory, unified] = ["memory", "unified"].map(|name| root.path().join(name));
    group(&memory, "a", &[("cgroup.procs", "7\n"), ("memory.usage_in_bytes", "8192\n")]);
    group(&unified, "a", &[("cgroup.procs", "7\n"), ("cpu.stat", "usage_usec 5\n"), ("cpu.pressure", "some avg10=1.00 total=1\n")]);
    let cgroups = look(&[(&memory, &[Controller::Memory]), (&unified, V2)]);
    let a = find(&cgroups, "/a");
    assert_eq!((a.memory_bytes, a.cpu_ns, a.pressure[0], a.pids.as_deref()), (Some(8192), Some(5000), Some(1.0), Some(&[7][..])));
    assert!(a.id != 0 && a.inode != a.id);
}

#[test]
fn a_group_made_anew_is_told_from_the_old_one() {
    let root = tempfile::tempdir().unwrap();
    group(root.path(), "a", &[("cpu.stat", "usage_usec 5\n")]);
    let before = look(&[(root.path(), V2)]);
    // The name goes to another directory, as the inode of a removed one may be used again here.
    std::fs::rename(root.path().join("a"), root.path().join("b")).unwrap();
    group(root.path(), "a", &[("cpu.stat", "usage_usec 5\n")]);
    let after = look(&[(root.path(), V2)]);
    let [old, new] = [&before, &after].map(|cgroups| find(cgroups, "/a"));
    assert!(old.key == new.key && old.inode != new.inode);
}

#[test]
fn hostile_names_and_depths_are_bounded() {
    use std::os::unix::ffi::OsStrExt;
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join(std::ffi::OsStr::from_bytes(b"a\x1b[2J\xff"))).unwrap();
    std::os::unix::fs::symlink("/", root.path().join("link")).unwrap();
    let deep: String = (0..80).map(|_| "d/").collect();
    create_dir_all(root.path().join(&deep)).unwrap();
    write(root.path().join("cpu.stat"), [0xff; 64]).unwrap();
    write(root.path().join("memory.current"), "9".repeat(2 << 20)).unwrap();
    let cgroups = look(&[(root.path(), V2)]);
    let all = paths(&cgroups).join(" ");
    assert!(all.contains("/a\u{fffd}[2J\u{fffd}") && !all.contains("link") && !all.contains('\x1b'), "{all}");
    assert_eq!((cgroups.list.len(), cgroups.left_out), (2 + 64, 1));
    assert_eq!((cgroups.list[0].cpu_ns, cgroups.list[0].memory_bytes), (None, None));
}

#[test]
fn too_many_groups_and_too_little_time_are_told() {
    let root = tempfile::tempdir().unwrap();
    for index in 0..4200 {
        std::fs::create_dir(root.path().join(index.to_string())).unwrap();
    }
    let all = look(&[(root.path(), V2)]);
    assert_eq!(all.list.len(), 4096);
    assert!(all.left_out >= 1);
    let none = walk(&[Hierarchy { root: root.path().to_owned(), is_default: true, controllers: Vec::new() }], false, Duration::ZERO);
    assert_eq!((none.list.len(), none.left_out), (0, 1));
}

/// Root reads everything, so that a file that cannot be read at all stands in for a refused one.
#[test]
fn what_cannot_be_read_is_blank_and_told() {
    let root = tempfile::tempdir().unwrap();
    group(root.path(), "a/memory.current", &[]);
    group(root.path(), "a", &[("cpu.stat", "usage_usec 5\n")]);
    let cgroups = look(&[(root.path(), V2)]);
    let a = find(&cgroups, "/a");
    assert_eq!((a.memory_bytes, a.cpu_ns), (None, Some(5000)));
    assert_eq!(cgroups.trouble.as_deref(), Some("one file could not be read: memory.current: Is a directory"));
    let gone = look(&[(&root.path().join("none"), V2)]);
    assert!(gone.list.is_empty(), "{gone:?}");
}

#[test]
fn this_machine_has_groups_with_this_process_in_one() {
    let mounted = super::hierarchies::mounted();
    if mounted.is_empty() {
        // A container without the file system: the reason is all there is.
        assert!(super::read(&mounted, false).trouble.unwrap().contains("mount -t cgroup2"));
        return;
    }
    let cgroups = super::read(&mounted, true);
    let own = std::process::id();
    let is_in = |group: &&Cgroup| group.holds_all || group.pids.as_ref().is_some_and(|pids| pids.contains(&own));
    assert!(cgroups.list.iter().any(|group| is_in(&group)), "{cgroups:?}");
    assert_eq!(cgroups.list[0].path, "/");
}

#[test]
fn a_look_that_hangs_is_told_and_taken_when_it_comes() {
    let (questions, inbox) = bounded(1);
    let (outbox, answers) = bounded(1);
    let mut reader = CgroupReader { thread: Some(Thread { questions, answers, waits: false }), last: None };
    let wants = Wants { cgroups: true, ..Wants::NONE };
    let late = reader.read(wants).unwrap();
    assert!(late.list.is_empty() && late.trouble.as_ref().unwrap().contains("did not answer"), "{late:?}");
    let again = Instant::now();
    assert_eq!(reader.read(wants).unwrap().at_ns, late.at_ns, "as old as it is");
    assert!(again.elapsed() < PATIENCE, "one question waits; the next sample does not");
    assert!(!inbox.recv().unwrap());
    outbox.send(Cgroups { at_ns: 7, ..Cgroups::default() }).unwrap();
    let came = reader.read(wants).unwrap();
    assert_eq!((came.at_ns, came.trouble.as_deref()), (7, None));
    assert_eq!((reader.read(Wants::NONE), inbox.len()), (None, 0), "nobody asks when nobody looks");
}

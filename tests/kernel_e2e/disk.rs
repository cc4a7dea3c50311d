//! Bytes to and from a disk: what this process caused, and what the device did.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::Value;

use crate::program::{Batch, assert_nothing_lost, list, number, sum};
use crate::{assert_within, span};

/// Bytes at once, where the kernel wants them for O_DIRECT.
#[repr(align(4096))]
struct Block([u8; BLOCK]);

const BLOCK: usize = 1 << 16;

fn own(row: &Value) -> bool {
    number(row, "pid") == u64::from(std::process::id())
}

/// A number of this process's `/proc/self/io`.
fn counted(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok()).unwrap()
}

fn write_blocks(file: &mut File, count: usize) {
    let block = Box::new(Block([7; BLOCK]));
    (0..count).for_each(|_| file.write_all(&block.0).unwrap());
    file.sync_all().unwrap();
}

fn devices(ticks: &[Value], field: &str) -> u64 {
    ticks.iter().flat_map(|tick| list(tick, "disks")).map(|disk| number(disk, field)).sum()
}

#[test]
#[ignore = "root"]
fn bytes_written_and_read_are_true() {
    let count = span(768, 7680);
    let bytes = (count * BLOCK) as u64;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("disk-{}", std::process::id()));
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.5", "--view", "disk", "--probes", "tasks"]);
    let before = ["write_bytes", "read_bytes"].map(counted);
    let mut direct = OpenOptions::new().read(true).write(true).create_new(true).custom_flags(libc::O_DIRECT).open(&path).unwrap();
    write_blocks(&mut direct, count);
    direct.seek(SeekFrom::Start(0)).unwrap();
    let mut block = Box::new(Block([0; BLOCK]));
    (0..count).for_each(|_| direct.read_exact(&mut block.0).unwrap());
    assert!(block.0.iter().all(|&byte| byte == 7));
    let direct_bytes = counted("write_bytes") - before[0];
    let mut cached = File::create(path.with_extension("cached")).unwrap();
    write_blocks(&mut cached, count);
    let truth = [counted("write_bytes") - before[0], counted("read_bytes") - before[1]];
    ebtop.settle();
    let ticks = ebtop.stop();
    remove_file(&path).unwrap();
    remove_file(path.with_extension("cached")).unwrap();

    assert_eq!(["write_bytes", "read_bytes"].map(|field| sum(&ticks, field, own)), truth, "as /proc/self/io has it");
    assert_within("written with O_DIRECT", direct_bytes, bytes, 2.0);
    assert_within("written in all", truth[0], 2 * bytes, 2.0);
    assert_within("read with O_DIRECT", truth[1], bytes, 2.0);
    assert!(devices(&ticks, "write_bytes") >= 2 * bytes && devices(&ticks, "read_bytes") >= bytes, "the devices did as much");
    for disk in ticks.iter().flat_map(|tick| list(tick, "disks").iter().map(move |disk| (tick, disk))) {
        let (tick, disk) = disk;
        assert!(number(disk, "busy_ns") <= number(tick, "interval_ns") * 6 / 5, "{disk}");
    }
    assert_nothing_lost(&ticks, "tasks");
}

//! What disks did, from /proc/diskstats.

use std::collections::BTreeMap;

use crate::sample::{Disk, printable};

/// The unit of /proc/diskstats, whatever the sector size of the device.
const SECTOR_BYTES: u64 = 512;

/// Devices that only pass on to others (which are counted), or live in memory.
const STACKED: [&str; 8] = ["dm-", "md", "bcache", "drbd", "zd", "loop", "ram", "zram"];

/// Devices listed at most; a machine with more has them in paths of others.
const DISKS_MAX: usize = 1024;

/// What /proc/diskstats tells.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Disks {
    /// Bytes read by whole devices. Partitions repeat what their disk says, and stacked devices what those below them say, so
    /// neither counts.
    pub(super) read_bytes: u64,
    /// Bytes written.
    pub(super) write_bytes: u64,
    /// Devices that ever did something, stacked ones too, no partitions.
    pub(super) each: Vec<Disk>,
}

/// Parses /proc/diskstats.
pub(super) fn parse(text: &str) -> Disks {
    let mut disks = Disks::default();
    let mut whole = "";
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let Some(name) = fields.next() else { continue };
        if is_partition(whole, name) {
            continue;
        }
        whole = name;
        let disk = disk(name, fields);
        if !is_stacked(name) && head_of(name).is_none() {
            disks.read_bytes = disks.read_bytes.saturating_add(disk.read_bytes);
            disks.write_bytes = disks.write_bytes.saturating_add(disk.write_bytes);
        }
        if (disk.reads > 0 || disk.writes > 0) && disks.each.len() < DISKS_MAX {
            disks.each.push(disk);
        }
    }
    add_paths(&mut disks);
    disks
}

/// Adds what the paths of heads say and these do not, and lists only one of the two.
fn add_paths(disks: &mut Disks) {
    let mut paths: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for (head, path) in disks.each.iter().filter_map(|disk| Some((head_of(&disk.name)?, disk))) {
        let sum = paths.entry(head).or_default();
        *sum = [sum[0].saturating_add(path.read_bytes), sum[1].saturating_add(path.write_bytes)];
    }
    for (head, sum) in &mut paths {
        let at_head = disks.each.iter().find(|disk| disk.name == *head).map_or([0; 2], |head| [head.read_bytes, head.write_bytes]);
        disks.read_bytes = disks.read_bytes.saturating_add(sum[0].saturating_sub(at_head[0]));
        disks.write_bytes = disks.write_bytes.saturating_add(sum[1].saturating_sub(at_head[1]));
        *sum = at_head;
    }
    disks.each.retain(|disk| head_of(&disk.name).is_none_or(|head| paths.get(&head) == Some(&[0; 2])));
}

/// `nvme0c1n2` is a path to `nvme0n2` (nvme_mpath_set_disk_name in drivers/nvme/host/multipath.c). What goes over it is counted there,
/// and at the head only by newer kernels (nvme_mpath_start_request).
fn head_of(name: &str) -> Option<String> {
    let (subsystem, rest) = name.strip_prefix("nvme")?.split_once('c')?;
    let (controller, namespace) = rest.split_once('n')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    [subsystem, controller, namespace].into_iter().all(is_number).then(|| format!("nvme{subsystem}n{namespace}"))
}

/// `reads merged sectors ms writes merged sectors ms in-flight ms-busy ms-queued …` (Documentation/admin-guide/iostats.rst). What is
/// missing is 0.
fn disk<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> Disk {
    let mut fields = fields.map(|field| field.parse::<u64>().unwrap_or(0));
    let mut next = || fields.next().unwrap_or(0);
    let (reads, _, read_sectors, read_ms) = (next(), next(), next(), next());
    let (writes, _, write_sectors, write_ms) = (next(), next(), next(), next());
    let (in_flight, busy_ms, queue_ms) = (next(), next(), next());
    Disk {
        name: printable(name.as_bytes()),
        reads,
        writes,
        read_bytes: read_sectors.saturating_mul(SECTOR_BYTES),
        write_bytes: write_sectors.saturating_mul(SECTOR_BYTES),
        read_ms: read_ms as u32,
        write_ms: write_ms as u32,
        busy_ms: busy_ms as u32,
        queue_ms: queue_ms as u32,
        in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
    }
}

/// The kernel lists partitions right after their disk and names them by it: the disk's name, a `p` where that ends in a digit,
/// then a number (`bdev_name` in block/partitions).
fn is_partition(disk: &str, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk).filter(|_| !disk.is_empty()) else { return false };
    let number = if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p') } else { Some(rest) };
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_stacked(name: &str) -> bool {
    STACKED.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '_')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &str, read: u64, written: u64) -> String {
        format!(" 8 0 {name} 1 2 {read} 4 5 6 {written} 8 0 1 2 0 0 0 0 0 0\n")
    }

    #[test]
    fn only_whole_devices_count() {
        let text: String = [
            line("nvme0n1", 1, 10),
            line("nvme0n1p1", 100, 100),
            line("nvme0n10", 2, 20),
            line("sda", 4, 40),
            line("sda1", 100, 100),
            line("sdaa", 8, 80),
            line("mmcblk0", 16, 160),
            line("mmcblk0boot0", 32, 320),
            line("mmcblk0p2", 64, 640),
            line("dm-0", 100, 100),
            line("md127", 100, 100),
            line("md127p1", 100, 100),
            line("loop3", 100, 100),
            line("zram0", 100, 100),
            line("cciss/c0d0", 128, 1280),
            line("cciss/c0d0p1", 100, 100),
        ]
        .concat();
        let disks = parse(&text);
        assert_eq!((disks.read_bytes, disks.write_bytes), (255 * 512, 2550 * 512));
        let names: Vec<_> = disks.each.iter().map(|disk| disk.name.as_str()).collect();
        let listed = "nvme0n1 nvme0n10 sda sdaa mmcblk0 mmcblk0boot0 mmcblk0p2 dm-0 md127 loop3 zram0 cciss/c0d0";
        assert_eq!(names.join(" "), listed);
    }

    #[test]
    fn paths_to_a_drive_count_where_their_head_does_not() {
        let told = |lines: &[String]| {
            let disks = parse(&lines.concat());
            let names: Vec<String> = disks.each.iter().map(|disk| disk.name.clone()).collect();
            (disks.read_bytes / 512, disks.write_bytes / 512, names.join(" "))
        };
        let paths = [line("nvme0c0n1", 30, 300), line("nvme0c1n1", 3, 30)];
        let idle = " 259 0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0\n".to_owned();
        assert_eq!(told(&[&paths[..], &[idle]].concat()), (33, 330, "nvme0c0n1 nvme0c1n1".into()), "before 6.4");
        assert_eq!(told(&[&paths[..], &[line("nvme0n1", 33, 331)]].concat()), (33, 331, "nvme0n1".into()));
        assert_eq!(head_of("nvme1c22n3").as_deref(), Some("nvme1n3"));
        assert!(["nvme0n1", "nvme0c1", "nvmecn", "nvme0c0n1p1", "nvme0cn1"].into_iter().all(|name| head_of(name).is_none()));
    }

    #[test]
    fn every_field_has_its_place_and_idle_devices_are_left_out() {
        let text = "254 0 vda 11 2 13 14 15 6 17 18 1 20 21 0 0 0 0 0 0\n7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n8 0 short 1\n";
        let vda = Disk {
            name: "vda".into(),
            reads: 11,
            writes: 15,
            read_bytes: 13 * 512,
            write_bytes: 17 * 512,
            read_ms: 14,
            write_ms: 18,
            busy_ms: 20,
            queue_ms: 21,
            in_flight: 1,
        };
        let short = Disk { name: "short".into(), reads: 1, ..Disk::default() };
        assert_eq!(parse(text).each, [vda, short]);
    }

    #[test]
    fn a_disk_without_a_parent_counts() {
        let disks = parse(&line("xvda1", 3, 4));
        assert_eq!((disks.read_bytes, disks.write_bytes), (3 * 512, 4 * 512));
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "([0-9]{1,3} [0-9]{1,3} [a-z]{1,3}[0-9é-]{0,3}( [0-9x]{0,21}){0,14}\n|\\PC{0,20}\n){0,8}") {
            parse(&text);
        }
    }
}

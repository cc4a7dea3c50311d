//! Bytes that disks read and wrote, from /proc/diskstats.

/// The unit of /proc/diskstats, whatever the sector size of the device.
const SECTOR_BYTES: u64 = 512;

/// Devices that only pass on to others (which are counted), or live in memory.
const STACKED: [&str; 8] = ["dm-", "md", "bcache", "drbd", "zd", "loop", "ram", "zram"];

/// Bytes read and written by whole devices. Partitions repeat what their disk says, and stacked devices what those below them
/// say, so neither counts.
pub(super) fn sum(text: &str) -> (u64, u64) {
    let (mut read, mut written) = (0u64, 0u64);
    let mut disk = "";
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let Some(name) = fields.next() else { continue };
        if is_partition(disk, name) {
            continue;
        }
        disk = name;
        if is_stacked(name) {
            continue;
        }
        let mut sectors = |skip| fields.nth(skip).and_then(|field: &str| field.parse::<u64>().ok()).unwrap_or(0);
        read = read.saturating_add(sectors(2).saturating_mul(SECTOR_BYTES));
        written = written.saturating_add(sectors(3).saturating_mul(SECTOR_BYTES));
    }
    (read, written)
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
        assert_eq!(sum(&text), ((255) * 512, 2550 * 512));
    }

    #[test]
    fn a_disk_without_a_parent_counts() {
        assert_eq!(sum(&line("xvda1", 3, 4)), (3 * 512, 4 * 512));
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "([0-9]{1,3} [0-9]{1,3} [a-z]{1,3}[0-9é-]{0,3}( [0-9x]{0,21}){0,14}\n|\\PC{0,20}\n){0,8}") {
            sum(&text);
        }
    }
}

//! Users, rights, scheduling and limits: parsers of `status`, `stat`, `limits` and the two files about running out of memory.

use std::os::fd::OwnedFd;

use super::super::details::Users;
use super::{fact, read, text};
use crate::sample::inspection::{Fact, Limit, Listing, Oom, Scheduling, Status};
use crate::sample::printable;

/// `status` has some 1.5 KiB, and up to 11 bytes for each of 65,536 groups.
const STATUS_BYTES: usize = 1 << 20;
/// Groups that are kept.
const GROUPS: usize = 32;
/// Limits there are: 16 on Linux.
const LIMITS: usize = 32;
/// Cells of a limit's name (`fs/proc/base.c`, `proc_pid_limits`).
const LIMIT_NAME: usize = 25;

/// What `status` tells, with names of users.
pub(super) fn status(process: &OwnedFd, users: &mut Users) -> Fact<Status> {
    let found = fact(read(process, "status", STATUS_BYTES).map(|(bytes, _)| parse_status(&bytes)));
    found.map(|mut status| {
        for (uid, name) in &mut status.users {
            *name = users.name(*uid).unwrap_or_else(|| uid.to_string());
        }
        status
    })
}

fn parse_status(bytes: &[u8]) -> Status {
    let mut status = Status::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let numbers = || value.split_ascii_whitespace().filter_map(|number| number.parse::<u32>().ok());
        let bits = || u64::from_str_radix(value, 16).unwrap_or(0);
        match name {
            "Uid" => status.users = numbers().take(4).map(|uid| (uid, String::new())).collect(),
            "Gid" => status.groups = numbers().take(4).collect(),
            "Groups" => status.more_groups = Listing { first: numbers().take(GROUPS).collect(), total: numbers().count(), is_cut: false },
            "NSpid" => status.pids = numbers().take(GROUPS).collect(),
            "CapEff" => status.effective = bits(),
            "CapPrm" => status.permitted = bits(),
            "CapBnd" => status.bounding = bits(),
            "NoNewPrivs" => status.no_new_privs = value == "1",
            "Seccomp" => status.seccomp = value.parse().unwrap_or(0),
            "Seccomp_filters" => status.seccomp_filters = value.parse().ok(),
            "Cpus_allowed_list" => status.cpus = printable(value.as_bytes()),
            "Mems_allowed_list" => status.nodes = printable(value.as_bytes()),
            _ => {}
        }
    }
    status
}

/// How the leader thread is scheduled.
pub(super) fn scheduling(process: &OwnedFd) -> Fact<Scheduling> {
    match read(process, "stat", 4096) {
        Ok((bytes, _)) => parse_scheduling(&bytes).map_or_else(|| Fact::Refused("the kernel does not tell".into()), Fact::Known),
        Err(error) => super::refused(&error),
    }
}

/// Fields 19, 40 and 41 of proc_pid_stat(5). The name before them may hold anything.
fn parse_scheduling(bytes: &[u8]) -> Option<Scheduling> {
    let close = bytes.iter().rposition(|&b| b == b')')?;
    let mut fields = std::str::from_utf8(&bytes[close + 1..]).ok()?.split_ascii_whitespace();
    Some(Scheduling {
        nice: fields.nth(16)?.parse().ok()?,
        realtime_priority: fields.nth(20)?.parse().ok()?,
        policy: fields.next()?.parse().ok()?,
    })
}

/// How likely the kernel kills it when memory runs out.
pub(super) fn oom(process: &OwnedFd) -> Fact<Oom> {
    let number = |name| text(process, name).map(|text| text.parse().unwrap_or(0));
    match (number("oom_score"), number("oom_score_adj")) {
        (Fact::Known(score), Fact::Known(adjustment)) => Fact::Known(Oom { score, adjustment }),
        (Fact::Refused(why), _) | (_, Fact::Refused(why)) => Fact::Refused(why),
        _ => Fact::Pending,
    }
}

/// The resource limits.
pub(super) fn limits(process: &OwnedFd) -> Fact<Vec<Limit>> {
    fact(read(process, "limits", 16 << 10).map(|(bytes, _)| parse_limits(&bytes)))
}

fn parse_limits(bytes: &[u8]) -> Vec<Limit> {
    String::from_utf8_lossy(bytes).lines().skip(1).filter_map(parse_limit).take(LIMITS).collect()
}

fn parse_limit(line: &str) -> Option<Limit> {
    let (name, rest) = (line.get(..LIMIT_NAME)?.trim(), line.get(LIMIT_NAME..)?);
    let mut fields = rest.split_ascii_whitespace();
    let mut value = || match fields.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let (soft, hard) = (value()?, value()?);
    let unit = printable(fields.next().unwrap_or_default().as_bytes());
    Some(Limit { name: printable(name.as_bytes()), soft, hard, unit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn status_as_the_kernel_writes_it() {
        let text = b"Name:\tx: Uid: 7\nUid:\t1000\t0\t0\t1000\nGid:\t100\t100\t100\t100\nGroups:\t4 24 \nNSpid:\t4112\t7\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\nCapBnd:\tzz\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\nCpus_allowed_list:\t0-1\nMems_allowed_list:\t0\n";
        let status = parse_status(text);
        assert_eq!(status.users.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [1000, 0, 0, 1000]);
        assert_eq!((status.groups, status.more_groups.first), (vec![100; 4], vec![4, 24]));
        assert_eq!((status.pids, status.effective, status.permitted, status.bounding), (vec![4112, 7], 0x400, (1 << 41) - 1, 0));
        assert_eq!((status.no_new_privs, status.seccomp, status.seccomp_filters), (true, 2, Some(3)));
        assert_eq!((status.cpus.as_str(), status.nodes.as_str()), ("0-1", "0"));
    }

    #[test]
    fn scheduling_behind_any_name() {
        let line = b"42 (a) R 1 (b) S 7 42 42 0 -1 4194560 11 5 22 6 33 44 1 2 20 -5 3 0 777 51720192 4738 18446744073709551615 1 1 0 0 0 0 0 4096 1256 0 0 0 17 6 50 1 0 0 0\n";
        assert_eq!(parse_scheduling(line), Some(Scheduling { policy: 1, realtime_priority: 50, nice: -5 }));
        assert_eq!(parse_scheduling(b"1 (x) S 1"), None);
    }

    #[test]
    fn limits_as_the_kernel_writes_them() {
        let text = format!(
            "{:<25} {:<20} {:<20} {:<10}\n{:<25} {:<20} {:<20} {:<10}\n{:<25} {:<20} {:<20} {:<10}\nshort\n",
            "Limit", "Soft Limit", "Hard Limit", "Units", "Max open files", 1024, 524_288, "files", "Max nice priority", 0, "unlimited", ""
        );
        let limit = |name: &str, soft, hard, unit: &str| Limit { name: name.into(), soft, hard, unit: unit.into() };
        let expected = [limit("Max open files", Some(1024), Some(524_288), "files"), limit("Max nice priority", Some(0), None, "")];
        assert_eq!(parse_limits(text.as_bytes()), expected);
    }

    proptest! {
        #[test]
        fn odd_bytes_never_panic(text in "((Uid|Groups|CapEff|Seccomp|Max open files {11}):?[\t ]?[0-9a-fé ]{0,30}\n){0,5}", noise: Vec<u8>) {
            for bytes in [text.as_bytes(), &noise] {
                let status = parse_status(bytes);
                prop_assert!(status.users.len() <= 4 && status.more_groups.first.len() <= GROUPS);
                let _ = (parse_scheduling(bytes), parse_limits(bytes));
            }
        }
    }
}

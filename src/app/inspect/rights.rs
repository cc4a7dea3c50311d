//! Capabilities, policies and seccomp in words.

use caps::Capability;

use crate::sample::inspection::{Scheduling, Status};

/// All capabilities that have a name.
pub(super) fn all() -> u64 {
    caps::all().iter().fold(0, |sum, capability| sum | capability.bitmask())
}

/// Capabilities by name, as in capabilities(7) without `CAP_`; all and none in a word.
pub(super) fn capabilities(bits: u64, all: u64) -> String {
    if bits == 0 {
        return "none".into();
    }
    if bits == all {
        return "all".into();
    }
    let mut known: Vec<Capability> = caps::all().into_iter().collect();
    known.sort_by_key(Capability::index);
    let names = known.iter().filter(|c| bits & c.bitmask() != 0).map(|c| c.to_string().trim_start_matches("CAP_").to_lowercase());
    let unknown = (0..64).filter(|bit| bits & !self::all() & 1 << bit != 0).map(|bit| bit.to_string());
    names.chain(unknown).collect::<Vec<_>>().join(" ")
}

/// `SCHED_…` of `include/uapi/linux/sched.h`, in a word or two.
pub(super) fn policy(scheduling: &Scheduling) -> String {
    let Scheduling { policy, realtime_priority, nice } = scheduling;
    match policy {
        0 => format!("normal, nice {nice}"),
        1 => format!("realtime first-in first-out, priority {realtime_priority}"),
        2 => format!("realtime round-robin, priority {realtime_priority}"),
        3 => format!("batch, nice {nice}"),
        5 => "idle: runs when nothing else wants the CPU".into(),
        6 => "deadline".into(),
        7 => format!("by a BPF scheduler, nice {nice}"),
        other => format!("policy {other}, nice {nice}"),
    }
}

/// What system calls it may make.
pub(super) fn seccomp(status: &Status) -> String {
    match (status.seccomp, status.seccomp_filters) {
        (0, _) => "off".into(),
        (1, _) => "strict: read, write and exit alone".into(),
        (2, Some(1)) => "1 filter".into(),
        (2, Some(filters)) => format!("{filters} filters"),
        (2, None) => "filtered".into(),
        (other, _) => format!("mode {other}"),
    }
}

/// Real, effective, saved and file system ids: once where they are one; the last two only where they are not the effective one.
pub(super) fn ids(ids: &[String]) -> String {
    let [real, effective, others @ ..] = ids else { return ids.concat() };
    if ids.iter().all(|id| id == real) {
        return real.clone();
    }
    let others = ["saved", "file system"].into_iter().zip(others).filter(|(_, id)| *id != effective);
    let all = [("real", real), ("effective", effective)].into_iter().chain(others);
    all.map(|(kind, id)| format!("{kind} {id}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_in_words() {
        let all = (1 << 41) - 1;
        assert_eq!(
            [0, all, 1 << 10 | 1 << 21, 1 << 60].map(|bits| capabilities(bits, all)),
            ["none", "all", "net_bind_service sys_admin", "60"]
        );
        let of = |policy| self::policy(&Scheduling { policy, realtime_priority: 50, nice: -5 });
        assert_eq!([of(0), of(1), of(99)], ["normal, nice -5", "realtime first-in first-out, priority 50", "policy 99, nice -5"]);
        let filtered = |filters| seccomp(&Status { seccomp: 2, seccomp_filters: filters, ..Status::default() });
        assert_eq!([filtered(None), filtered(Some(3))], ["filtered", "3 filters"]);
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(ids(&words("a a a a")), "a");
        assert_eq!(ids(&words("ann root root ann")), "real ann, effective root, file system ann");
    }
}

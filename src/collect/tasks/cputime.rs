//! Splits exact on-CPU time into user and kernel shares by the ratio of the kernel's tick samples.

use crate::sample::{Counter, Counters};

/// Sets `UserNs` and `SystemNs` so that they add up to `CpuNs` and neither falls below `before`. `ticks` are the tick-sampled
/// user and kernel time. This is `cputime_adjust()` of kernel/sched/cputime.c, so it agrees with getrusage and /proc; the one
/// difference: time of a kernel thread that no tick hit is kernel time.
pub fn split(counters: &mut Counters, ticks: (u64, u64), kernel_thread: bool, before: Option<&Counters>) {
    let cpu = counters.get(Counter::CpuNs).unwrap_or(0);
    let was = |counter| before.and_then(|b| b.get(counter)).unwrap_or(0);
    let (mut user, mut system) = (was(Counter::UserNs), was(Counter::SystemNs));
    if user + system < cpu {
        let share = match ticks {
            (_, 0) if !kernel_thread => 0,
            (0, _) => cpu,
            (by_user, by_system) => scale(cpu, by_system, by_user.saturating_add(by_system)),
        };
        (user, system) = match share.max(system) {
            share if cpu - share >= user => (cpu - share, share),
            _ => (user, cpu - user),
        };
    }
    counters.set(Counter::UserNs, user);
    counters.set(Counter::SystemNs, system);
}

/// `value × part ÷ whole`, where part ≤ whole.
fn scale(value: u64, part: u64, whole: u64) -> u64 {
    // 64-bit division is several times faster and enough for the first hours of a process's CPU time.
    match value.checked_mul(part) {
        Some(product) => product / whole,
        None => (u128::from(value) * u128::from(part) / u128::from(whole)) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(cpu: u64, ticks: (u64, u64), kernel_thread: bool, before: Option<(u64, u64)>) -> (u64, u64) {
        let before = before.map(|(u, s)| Counters::default().with(Counter::UserNs, u).with(Counter::SystemNs, s));
        let mut counters = Counters::default().with(Counter::CpuNs, cpu);
        split(&mut counters, ticks, kernel_thread, before.as_ref());
        (counters.get(Counter::UserNs).unwrap(), counters.get(Counter::SystemNs).unwrap())
    }

    #[test]
    fn follows_the_ticks() {
        assert_eq!(shares(1000, (30, 10), false, None), (750, 250));
        assert_eq!(shares(1000, (0, 10), false, None), (0, 1000));
        assert_eq!(shares(1000, (10, 0), false, None), (1000, 0));
    }

    #[test]
    fn without_ticks_it_is_user_time_but_for_kernel_threads() {
        assert_eq!(shares(1000, (0, 0), false, None), (1000, 0));
        assert_eq!(shares(1000, (0, 0), true, None), (0, 1000));
    }

    #[test]
    fn neither_share_runs_backwards() {
        assert_eq!(shares(1000, (90, 10), false, Some((400, 500))), (500, 500), "system held");
        assert_eq!(shares(1000, (10, 90), false, Some((400, 500))), (400, 600), "user held");
        assert_eq!(shares(900, (10, 90), false, Some((400, 500))), (400, 500), "nothing new");
    }

    #[test]
    fn very_long_times_do_not_overflow() {
        let century = 100 * 365 * 86_400 * 1_000_000_000u64;
        assert_eq!(shares(century, (century, century), false, None), (century / 2, century / 2));
    }
}

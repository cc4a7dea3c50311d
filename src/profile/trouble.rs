//! What a profile lacks, and why.

use crate::sample::{Domain, Health, Sample};

/// What is missing for good from the walks of stacks and from what was measured, why, and the fix: a line each.
pub(super) fn troubles(sample: &Sample, measured: Domain) -> Vec<String> {
    let of = |domain| sample.status.iter().find(|status| status.domain == domain).map(|status| &status.health);
    let walks = match of(Domain::Stacks) {
        Some(Health::Off { reason }) => Some(format!("frames below code without frame pointers are missing: {reason}")),
        Some(Health::Degraded { reason }) => Some(format!("stacks may lack frames: {reason}")),
        _ => None,
    };
    let measure = match of(measured) {
        Some(Health::Degraded { reason }) if measured != Domain::Stacks => Some(reason.clone()),
        _ => None,
    };
    walks.into_iter().chain(measure).map(|line| crate::sample::printable(line.as_bytes())).collect()
}

/// Samples of that kind that were lost since the start.
pub(super) fn lost(sample: &Sample, domain: Domain) -> u64 {
    sample.status.iter().find(|status| status.domain == domain).map_or(0, |status| status.lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::DomainStatus;

    #[test]
    fn what_is_missing_from_stacks_is_told_with_its_cause() {
        let told = |stacks: Health, watch: Health, measured| {
            let status = [(Domain::Stacks, stacks), (Domain::Watch, watch)];
            let status = status.map(|(domain, health)| DomainStatus { domain, health, lost: 0, cost: None });
            troubles(&Sample { status: status.into(), ..Sample::default() }, measured)
        };
        let (off, degraded) = (|| Health::Off { reason: "refused\n: run as root".into() }, || Health::Degraded { reason: "slower".into() });
        assert_eq!(told(Health::Live, Health::Live, Domain::Watch), [""; 0]);
        let [line] = &told(off(), Health::Live, Domain::Watch)[..] else { panic!("one line") };
        assert!(line.ends_with("are missing: refused\u{fffd}: run as root"), "{line}");
        assert_eq!(told(degraded(), Health::Live, Domain::Stacks), ["stacks may lack frames: slower"]);
        assert_eq!(told(Health::Live, degraded(), Domain::Watch), ["slower"]);
    }
}

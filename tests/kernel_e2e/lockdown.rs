//! Lockdown for real. It cannot be undone: this is for a guest of `script/kernels`, after all else there.

use crate::any_kernel::refusals::{reason, sample};

/// `integrity` takes function exits at most; `confidentiality` takes BPF.
#[test]
#[ignore = "root, on a kernel of its own"]
fn each_level_is_named() {
    const LEVEL: &str = "/sys/kernel/security/lockdown";
    if std::env::var_os("EBTOP_GUEST").is_none() || std::fs::write(LEVEL, "integrity").is_err() {
        println!("not here: nothing may be locked down");
        return;
    }
    let tick = sample(&|_| {});
    for domain in ["tasks", "stacks"] {
        assert_eq!(tick["health"][domain]["state"], "live", "{}", tick["health"]);
    }
    std::fs::write(LEVEL, "confidentiality").unwrap();
    // `ebtop check` says the same by the same rule; it would try every hook alone, which takes an emulated machine minutes.
    let tick = sample(&|_| {});
    let is_named = |domain| {
        let reason = reason(&tick, domain);
        reason.contains("kernel lockdown is `confidentiality`") && reason.ends_with("— boot without lockdown=confidentiality")
    };
    for domain in ["net", "stacks"] {
        assert!(is_named(domain), "{}", tick["health"]);
    }
    // Refused is the helper that reads kernel memory: on some kernels the walk of tasks goes without. Page allocations nobody asked for.
    for domain in ["tasks", "mem"] {
        let state = tick["health"][domain]["state"].as_str().unwrap();
        assert!(matches!(state, "live" | "standby") || is_named(domain), "{}", tick["health"]);
    }
    let processes = tick["processes"].as_array().unwrap();
    assert!(processes.iter().any(|row| row["pid"] == std::process::id() && row["cpu_ns_total"].as_u64().is_some_and(|ns| ns > 0)));
}

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
    for domain in ["tasks", "net", "stacks", "mem"] {
        assert!(reason(&tick, domain).contains("kernel lockdown is `confidentiality`"), "{}", tick["health"]);
        assert!(reason(&tick, domain).ends_with("— boot without lockdown=confidentiality"), "{}", tick["health"]);
    }
}

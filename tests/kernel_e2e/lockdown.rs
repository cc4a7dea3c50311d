//! Lockdown for real. It cannot be undone: this is for a guest of `script/kernels`, after all else there.

use crate::any_kernel::refusals::{check_and_sample, finding, reason};

/// `integrity` takes function exits at most; `confidentiality` takes BPF.
#[test]
#[ignore = "root, on a kernel of its own"]
fn each_level_is_named() {
    const LEVEL: &str = "/sys/kernel/security/lockdown";
    if std::env::var_os("EBTOP_GUEST").is_none() || std::fs::write(LEVEL, "integrity").is_err() {
        println!("not here: nothing may be locked down");
        return;
    }
    let (check, tick) = check_and_sample(|_| {});
    assert!(finding(&check, "lockdown").1.starts_with("integrity"), "{check}");
    for domain in ["tasks", "stacks"] {
        assert_eq!(tick["health"][domain]["state"], "live", "{}", tick["health"]);
    }
    std::fs::write(LEVEL, "confidentiality").unwrap();
    let (check, tick) = check_and_sample(|_| {});
    let (verdict, cause, fix) = finding(&check, "lockdown");
    assert!(verdict == "refused" && cause.contains("`confidentiality`") && fix == "boot without lockdown=confidentiality", "{cause} {fix}");
    assert!(reason(&tick, "net").starts_with("kernel lockdown is `confidentiality`"), "{}", tick["health"]);
}

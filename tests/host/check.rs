use ebtop::collect::check::{Verdict, findings, gather, json, text, why_no_bpf};

use crate::other_user::{Proc, as_nobody};

#[test]
fn every_trouble_of_this_host_has_a_cause() {
    let findings = findings(&gather());
    assert!(findings.iter().any(|finding| finding.topic == "kernel"));
    assert!(findings.iter().all(|finding| !finding.cause.is_empty()));
    let report = text(&findings, &[], &[]);
    assert!(findings.iter().all(|finding| report.contains(&finding.cause)));
    assert_eq!(json(&findings, &[], &[])["findings"].as_array().unwrap().len(), findings.len());
}

#[test]
#[ignore = "needs root"]
fn root_may_and_nobody_is_told_the_one_command() {
    assert_eq!(why_no_bpf(&gather()), None);
    let host = as_nobody(Proc::Plain, gather);
    assert!(why_no_bpf(&host).unwrap().starts_with("not root: no exits, network, stacks — run `sudo ebtop`"), "{:?}", why_no_bpf(&host));
    let bpf = findings(&host).into_iter().find(|finding| finding.topic == "bpf system call").unwrap();
    assert_eq!(bpf.verdict, Verdict::Refused, "{bpf:?}");
}

#[test]
#[ignore = "needs root"]
fn hidepid_is_noticed() {
    let host = as_nobody(Proc::Hidden, gather);
    let hidden = findings(&host).into_iter().find(|finding| finding.topic == "hidepid").unwrap();
    assert_eq!(hidden.verdict, Verdict::Refused);
}

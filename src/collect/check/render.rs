//! The report for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Finding, Hook, Verdict};
use crate::sample::{DomainStatus, Health};

/// The report for people: one line each, the fix below what is not right.
pub fn text(findings: &[Finding], domains: &[DomainStatus], hooks: &[Hook]) -> String {
    let mut out = String::from("This machine\n");
    for finding in findings {
        line(&mut out, sign(finding.verdict), finding.topic, &finding.cause);
        if let Some(fix) = &finding.fix {
            line(&mut out, "", "", &format!("fix: {fix}"));
        }
    }
    if !domains.is_empty() {
        out.push_str("\nTried for real\n");
    }
    for status in domains {
        let (sign, reason) = match &status.health {
            Health::Live => ("works", "all of it"),
            Health::Standby if hooks.iter().any(|hook| hook.needed && hook.domain == status.domain.name()) => {
                ("PARTLY", "starts when something shows it; not all of its hooks work, see below")
            }
            Health::Standby => ("works", "starts when something shows it"),
            Health::Loading => ("works", "being loaded"),
            Health::Degraded { reason } => ("PARTLY", reason.as_str()),
            Health::Off { reason } => ("OFF", reason.as_str()),
        };
        line(&mut out, sign, status.domain.name(), reason);
        if let Some(cost) = &status.cost {
            line(&mut out, "", "", &format!("cost: {cost}"));
        }
    }
    if !hooks.is_empty() {
        out.push_str("\nEach hook alone; a part takes the best of its hooks that work\n");
    }
    for hook in hooks {
        let count = hook.instructions.map_or(String::new(), |n| format!("{n} instructions verified"));
        let is_spare = hook.verdict != Verdict::Works && !hook.needed;
        let (sign, cause) = match hook.verdict {
            Verdict::Works => ("works", count),
            _ if is_spare => ("spare", format!("not needed here: {}", hook.cause)),
            verdict => (sign(verdict), hook.cause.clone()),
        };
        let _ = writeln!(out, "  {sign:<8} {:<6} {:<15} {:<28} {cause}", hook.domain, hook.program, hook.place);
        if let Some(fix) = hook.fix.as_ref().filter(|_| !is_spare) {
            let _ = writeln!(out, "{:<62}fix: {fix}", "");
        }
    }
    out
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Works => "works",
        Verdict::Refused => "REFUSED",
        Verdict::Missing => "MISSING",
    }
}

fn line(out: &mut String, sign: &str, topic: &str, text: &str) {
    let _ = writeln!(out, "  {sign:<8} {topic:<23} {text}");
}

/// The report for programs: `{"findings": [{topic, verdict, cause, fix}], "domains": [{domain, state, reason, cost, lost}], "hooks":
/// [{domain, program, place, verdict, cause, fix, instructions}]}`.
pub fn json(findings: &[Finding], domains: &[DomainStatus], hooks: &[Hook]) -> Value {
    json!({ "findings": findings, "domains": domains.iter().map(domain).collect::<Vec<_>>(), "hooks": hooks })
}

fn domain(status: &DomainStatus) -> Value {
    let (state, reason) = match &status.health {
        Health::Live => ("live", None),
        Health::Standby => ("standby", None),
        Health::Loading => ("loading", None),
        Health::Degraded { reason } => ("degraded", Some(reason)),
        Health::Off { reason } => ("off", Some(reason)),
    };
    json!({ "domain": status.domain, "state": state, "reason": reason, "cost": status.cost, "lost": status.lost })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Domain;

    fn report() -> (Vec<Finding>, Vec<DomainStatus>) {
        let finding = |topic, verdict, fix: Option<&str>| Finding { topic, verdict, cause: "seen".into(), fix: fix.map(Into::into) };
        let status = |domain, health| DomainStatus { domain, health, lost: 0, cost: None };
        (
            vec![finding("kernel", Verdict::Works, None), finding("rights", Verdict::Refused, Some("run `sudo ebtop`"))],
            vec![status(Domain::Tasks, Health::Live), status(Domain::Net, Health::Off { reason: "why".into() })],
        )
    }

    #[test]
    fn text_names_the_fix_below_the_trouble() {
        let (findings, domains) = report();
        let hook = |verdict, cause: &str| Hook {
            domain: "net",
            program: "net_recv".into(),
            place: "tp_btf/sock_recv_length".into(),
            needed: verdict != Verdict::Works,
            verdict,
            cause: cause.into(),
            fix: (!cause.is_empty()).then(|| "mend it".into()),
            instructions: cause.is_empty().then_some(7),
        };
        let spare = Hook { needed: false, ..hook(Verdict::Refused, "refused") };
        let hooks = [hook(Verdict::Works, ""), hook(Verdict::Missing, "not there"), spare];
        let expected = "\
This machine
  works    kernel                  seen
  REFUSED  rights                  seen
                                   fix: run `sudo ebtop`

Tried for real
  works    tasks                   all of it
  OFF      net                     why

Each hook alone; a part takes the best of its hooks that work
  works    net    net_recv        tp_btf/sock_recv_length      7 instructions verified
  MISSING  net    net_recv        tp_btf/sock_recv_length      not there
                                                              fix: mend it
  spare    net    net_recv        tp_btf/sock_recv_length      not needed here: refused
";
        assert_eq!(text(&findings, &domains, &hooks), expected);
    }

    #[test]
    fn json_has_one_entry_each_and_null_where_unknown() {
        let (findings, domains) = report();
        let value = json(&findings, &domains, &[]);
        assert_eq!(value["findings"][1], json!({"topic": "rights", "verdict": "refused", "cause": "seen", "fix": "run `sudo ebtop`"}));
        assert_eq!(value["domains"][1], json!({"domain": "net", "state": "off", "reason": "why", "cost": null, "lost": 0}));
        assert_eq!(value["domains"][0]["reason"], Value::Null);
    }
}

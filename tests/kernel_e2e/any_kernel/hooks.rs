//! What `ebtop check` says of each hook, and which of them ebtop uses.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use libbpf_rs::query::ProgInfoIter;
use serde_json::Value;

use crate::objects::{self, Objects};
use crate::program::{list, run};

/// `ebtop check --json`, asked once: an emulated machine is slow at it.
pub fn check() -> &'static Value {
    static CHECK: LazyLock<Value> = LazyLock::new(|| {
        let output = run(&["check", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    });
    &CHECK
}

/// Whether every hook works whose program begins so.
pub fn work(check: &Value, prefix: &str) -> bool {
    let hooks: Vec<_> = list(check, "hooks").iter().filter(|hook| hook["program"].as_str().unwrap().starts_with(prefix)).collect();
    assert!(!hooks.is_empty(), "no hook begins with {prefix}");
    hooks.iter().all(|hook| hook["verdict"] == "works")
}

/// Names the programs that came with ebtop: those it holds open, and of those since `before` what perf events hold for it. Tasks are
/// walked by the open-coded iterator wherever the kernel has one (6.7).
pub fn print_used(pid: u32, before: &Objects) {
    let open = objects::of(pid);
    let programs =
        ProgInfoIter::default().filter(|program| open.contains(&("prog", program.id)) || !before.contains(&("prog", program.id)));
    let names: BTreeSet<_> = programs.map(|program| program.name.to_string_lossy().into_owned()).collect();
    assert!(["task_", "net_", "stacks_", "mem_"].iter().all(|domain| names.iter().any(|name| name.starts_with(domain))), "{names:?}");
    let types = std::fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let has_iterator = types.windows(19).any(|name| name == b"\0bpf_iter_task_new\0");
    assert_eq!(names.contains("task_walk"), has_iterator, "{names:?}");
    names.iter().for_each(|name| println!("TABLE used {name}"));
}

/// Every line of the report has a cause where it must, and the domains that work have hooks that work.
#[test]
#[ignore = "root"]
fn every_hook_is_tried_and_explained() {
    let before = objects::all();
    let check = check();
    for finding in list(check, "findings") {
        assert!(!finding["cause"].as_str().unwrap().is_empty(), "{finding}");
    }
    let hooks = list(check, "hooks");
    assert!(hooks.len() > 20, "{hooks:?}");
    for hook in hooks {
        let works = hook["verdict"] == "works";
        assert_eq!(hook["cause"].as_str().unwrap().is_empty(), works, "{hook}");
        assert!(!works || hook["instructions"].as_u64().is_some_and(|n| n > 0), "{hook}");
        println!(
            "TABLE hook {} {} {} {} {}",
            hook["domain"].as_str().unwrap(),
            hook["program"].as_str().unwrap(),
            hook["place"].as_str().unwrap(),
            hook["verdict"].as_str().unwrap(),
            hook["instructions"].as_u64().unwrap_or(0)
        );
    }
    for (domain, indispensable) in [("tasks", "task_iter"), ("stacks", "stacks_"), ("mem", "mem_alloc_raw")] {
        assert!(work(check, indispensable), "{domain}");
    }
    assert_eq!(objects::left_since(&before), Objects::new());
}

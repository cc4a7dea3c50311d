//! What the kernel holds of BPF, by id.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Kinds with their ids: `prog 12`, `map 5`, `link 3`.
pub type Objects = BTreeSet<(&'static str, u64)>;

fn bpftool(kind: &str, more: &[&str]) -> Vec<Value> {
    let output = Command::new("bpftool").args(["-j", kind]).args(more).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("bpftool {kind}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// All there are now.
pub fn all() -> Objects {
    let ids = |kind| bpftool(kind, &["list"]).into_iter().filter_map(move |one| Some((kind, one["id"].as_u64()?)));
    ["prog", "map", "link"].into_iter().flat_map(ids).collect()
}

/// Those that a process has open, with the programs of its links and the maps of those programs.
pub fn of(pid: u32) -> Objects {
    let infos = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
    let texts: Vec<String> = infos.filter_map(|info| std::fs::read_to_string(info.path()).ok()).collect();
    let field = |line: &str, name: &str| line.strip_prefix(name)?.trim().parse().ok();
    let object = |line: &str| {
        let kinds = [("prog", "prog_id:"), ("map", "map_id:"), ("link", "link_id:")];
        kinds.into_iter().find_map(|(kind, name)| Some((kind, field(line, name)?)))
    };
    texts.iter().flat_map(|text| text.lines()).filter_map(object).collect()
}

/// Those of every process there is, with the maps that their programs use.
fn held() -> Objects {
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut held: Objects = pids.flat_map(of).collect();
    for program in bpftool("prog", &["list"]) {
        if program["id"].as_u64().is_some_and(|id| held.contains(&("prog", id))) {
            held.extend(program["map_ids"].as_array().into_iter().flatten().filter_map(|id| Some(("map", id.as_u64()?))));
        }
    }
    held
}

/// What came since `before` and belongs to no process. The kernel frees programs and maps a grace period after their last user.
pub fn left_since(before: &Objects) -> Objects {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        // In this order: what is held when it is looked for may be gone later, but not the other way round.
        let there = all();
        let held = held();
        let left: Objects = there.into_iter().filter(|one| !before.contains(one) && !held.contains(one)).collect();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Entries of the hash maps that a process has open.
pub fn map_entries(pid: u32) -> usize {
    let open = of(pid);
    let hashes = bpftool("map", &["list"]).into_iter().filter_map(|map| {
        let id = map["id"].as_u64().filter(|&id| open.contains(&("map", id)))?;
        map["type"].as_str().is_some_and(|kind| kind.contains("hash")).then_some(id)
    });
    let hashes: Vec<u64> = hashes.collect();
    assert!(!hashes.is_empty(), "{pid} has no hash maps: {open:?}");
    hashes.iter().map(|id| bpftool("map", &["dump", "id", &id.to_string()]).len()).sum()
}

//! What the kernel holds of BPF, by id.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use libbpf_rs::query::{LinkInfoIter, MapInfo, MapInfoIter, ProgInfoIter, ProgInfoQueryOptions};
use libbpf_rs::{MapCore, MapHandle, MapType};

/// Kinds with their ids: `prog 12`, `map 5`, `link 3`.
pub type Objects = BTreeSet<(&'static str, u32)>;

/// All there are now.
pub fn all() -> Objects {
    let programs = ProgInfoIter::default().map(|program| ("prog", program.id));
    let maps = MapInfoIter::default().map(|map| ("map", map.id));
    programs.chain(maps).chain(LinkInfoIter::default().map(|link| ("link", link.id))).collect()
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
    for program in programs_with_maps() {
        if held.contains(&("prog", program.id)) {
            held.extend(program.map_ids.iter().map(|&id| ("map", id)));
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

fn programs_with_maps() -> ProgInfoIter {
    ProgInfoIter::with_query_opts(ProgInfoQueryOptions::default().include_map_ids(true))
}

/// Entries of the hash maps that a process has open.
pub fn map_entries(pid: u32) -> usize {
    let open = of(pid);
    let is_open_hash =
        |map: &MapInfo| matches!(map.ty, MapType::Hash | MapType::PercpuHash | MapType::LruHash) && open.contains(&("map", map.id));
    let hashes: Vec<u32> = MapInfoIter::default().filter(is_open_hash).map(|map| map.id).collect();
    assert!(!hashes.is_empty(), "{pid} has no hash maps: {open:?}");
    hashes.into_iter().map(|id| MapHandle::from_map_id(id).unwrap().keys().count()).sum()
}

//! Control groups of the small web server.

use std::sync::Arc;

use ebtop::sample::*;

use super::common::{MIB, MS};
use super::{NGINX, POSTGRES};

/// Path, index of the one above, processes in it, CPU ms, MiB, the same at most, worst pressure.
pub type Given = (&'static str, Option<u32>, &'static [u32], u64, u64, Option<u64>, f32);

pub const GROUPS: [Given; 8] = [
    ("/", None, &[], 1660, 0, None, 12.0),
    ("/init.scope", Some(0), &[1], 0, 9, None, 0.0),
    ("/system.slice", Some(0), &[], 1386, 3300, None, 11.2),
    ("/user.slice", Some(0), &[], 229, 700, None, 2.0),
    ("/system.slice/nginx.service", Some(2), &[NGINX, 4113], 1004, 1100, Some(1200), 31.5),
    ("/system.slice/postgresql.service", Some(2), &[POSTGRES, 9921], 351, 1900, Some(8192), 3.0),
    ("/system.slice/redis-server.service", Some(2), &[1288], 24, 290, None, 0.0),
    ("/user.slice/user-1000.slice", Some(3), &[15_003, 15_010, 20_117, 20_450], 229, 690, None, 2.0),
];

fn cgroup(index: usize, later: bool) -> Cgroup {
    let (path, parent, pids, cpu_ms, mib, most, worst) = GROUPS[index];
    let grown = |growth: u64| Some(1000 + if later { growth } else { 0 });
    let is_nginx = path.ends_with("nginx.service");
    let is_group = parent.is_some();
    Cgroup {
        path: path.into(),
        key: 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(index as u64 + 3),
        parent,
        id: index as u64 + 1,
        inode: index as u64 + 1,
        holds_all: parent.is_none(),
        pids: Some(pids.to_vec()),
        cpu_ns: grown(cpu_ms * MS),
        periods: is_nginx.then(|| grown(10)).flatten(),
        throttled_periods: is_nginx.then(|| grown(4)).flatten(),
        throttled_ns: is_nginx.then(|| grown(1500 * MS)).flatten(),
        cpu_max_milli: is_nginx.then_some(1000),
        memory_bytes: is_group.then_some(mib * MIB),
        memory_max_bytes: most.map(|most| most * MIB),
        anon_bytes: is_group.then_some(mib * MIB / 2),
        file_bytes: is_group.then_some(mib * MIB / 3),
        pressure: [Some(worst), Some(0.0), Some(worst / 4.0)],
        device_read_bytes: grown(0),
        device_write_bytes: grown(cpu_ms * 9000),
    }
}

/// Control groups with the processes of the world in them; what exited was in the last.
pub fn with_cgroups(mut sample: Sample, later: bool) -> Sample {
    for task in &mut *sample.tasks {
        let own = (0..GROUPS.len()).find(|&index| GROUPS[index].2.contains(&task.key.pid));
        task.cgroup_id = own.unwrap_or(0) as u64 + 1;
    }
    sample.exits.iter_mut().for_each(|exit| exit.task.cgroup_id = 8);
    let list = (0..GROUPS.len()).map(|index| cgroup(index, later)).collect();
    sample.cgroups = Some(Arc::new(Cgroups { at_ns: sample.at_ns, list, left_out: 0, trouble: None }));
    sample
}

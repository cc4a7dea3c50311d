//! What the path of a control group tells: the systemd unit and slice, and the container, by the names that systemd and the runtimes
//! of containers give to their groups.
//!
//! ```text
//! /system.slice/ssh.service
//! /system.slice/docker-<id>.scope          /docker/<id>          (and below it whatever the container makes)
//! /kubepods.slice/kubepods-pod<uid>.slice/cri-containerd-<id>.scope   /kubepods/burstable/pod<uid>/<id>
//! /machine.slice/libpod-<id>.scope/container                       /user.slice/user-1000.slice/…/libpod-<id>.scope
//! /lxc.payload.web/system.slice/…          /machine.slice/systemd-nspawn@web.service/payload
//! ```

use super::container::Runtime;

/// Letters of a container's id.
const ID: usize = 64;
/// What may stand between a runtime's name and an id.
const SIGNS: [char; 3] = ['-', '.', ':'];

/// The innermost service or scope of a path, else its innermost slice, as systemctl writes it.
pub fn unit(path: &str) -> Option<&str> {
    innermost(path, &[".service", ".scope"]).or_else(|| slice(path))
}

/// The innermost slice of a path.
pub fn slice(path: &str) -> Option<&str> {
    innermost(path, &[".slice"])
}

fn innermost<'a>(path: &'a str, suffixes: &[&str]) -> Option<&'a str> {
    path.rsplit('/').map(unescaped).find(|part| suffixes.iter().any(|s| part.len() > s.len() && part.ends_with(s)))
}

/// systemd puts `_` before names that could be a file of the kernel's.
fn unescaped(part: &str) -> &str {
    part.strip_prefix('_').unwrap_or(part)
}

/// The innermost container of a path: its runtime, as far as the path tells, and its id or the name of the machine. `None` outside of
/// containers, and for the monitor of one, which runs outside, too.
pub fn container(path: &str) -> Option<(Runtime, &str)> {
    let mut parts = path.rsplit('/').peekable();
    while let Some(part) = parts.next() {
        let found = by_id(part, parts.peek().copied()).or_else(|| by_name(part, parts.peek().copied()));
        if let Some((runtime, id)) = found {
            return (!is_monitor(part)).then_some((runtime, id));
        }
    }
    None
}

/// conmon of podman and CRI-O, and what else has that place.
fn is_monitor(part: &str) -> bool {
    part.contains("-conmon-") || part.starts_with("lxc.monitor")
}

/// A part that holds the 64 hexadecimal digits by which Docker, containerd, CRI-O and podman call a container.
fn by_id<'a>(part: &'a str, above: Option<&str>) -> Option<(Runtime, &'a str)> {
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let id = part.rsplit(SIGNS).next()?;
    if id.len() != ID || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let before = part[..part.len() - ID].trim_end_matches(SIGNS);
    // systemd's driver where containerd was told to use none: slice:runtime:id.
    let runtime = match before.rsplit(':').next().unwrap_or(before) {
        "" => above.map_or(Runtime::Unknown, |above| if above == "docker" { Runtime::Docker } else { Runtime::Unknown }),
        "docker" => Runtime::Docker,
        "cri-containerd" | "nerdctl" => Runtime::Containerd,
        "crio" | "crio-conmon" => Runtime::CriO,
        "libpod" | "libpod-payload" | "libpod-conmon" => Runtime::Podman,
        _ => Runtime::Unknown,
    };
    Some((runtime, id))
}

/// A part that is named after a machine of LXC or systemd-nspawn.
fn by_name<'a>(part: &'a str, above: Option<&str>) -> Option<(Runtime, &'a str)> {
    let lxc = part.strip_prefix("lxc.payload.").or_else(|| part.strip_prefix("lxc.monitor."));
    let lxc = lxc.or_else(|| above.filter(|above| matches!(*above, "lxc" | "lxc.payload")).map(|_| part));
    let nspawn = || part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service");
    let found = lxc.map(|name| (Runtime::Lxc, name)).or_else(|| nspawn().map(|name| (Runtime::Nspawn, name)));
    found.filter(|(_, name)| !name.is_empty())
}

/// The user in whose part of the tree a path lies: `user-1000.slice`.
pub fn owner(path: &str) -> Option<u32> {
    path.split('/').find_map(|part| part.strip_prefix("user-")?.strip_suffix(".slice")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> String {
        "0123456789abcdef".repeat(4)
    }

    #[test]
    fn units_and_slices() {
        assert_eq!(unit("/system.slice/ssh.service"), Some("ssh.service"));
        assert_eq!(unit("/user.slice/user-0.slice/session-3.scope"), Some("session-3.scope"));
        assert_eq!(unit("/system.slice/_cpu.service"), Some("cpu.service"));
        assert_eq!(unit("/user.slice"), Some("user.slice"));
        assert_eq!((unit("/"), unit("/.service"), slice("/a/.slice")), (None, None, None));
        assert_eq!(slice("/user.slice/user-0.slice/session-3.scope"), Some("user-0.slice"));
    }

    #[test]
    fn containers_of_each_runtime() {
        let id = id();
        for (path, runtime) in [
            (format!("/docker/{id}"), Runtime::Docker),
            (format!("/docker/{id}/system.slice/nginx.service"), Runtime::Docker),
            (format!("/system.slice/docker-{id}.scope/init.scope"), Runtime::Docker),
            (format!("/ecs/8f1c/{id}"), Runtime::Unknown),
            (format!("/kubepods/besteffort/pod1c0f/{id}"), Runtime::Unknown),
            (format!("/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-{id}.scope"), Runtime::Containerd),
            (format!("/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:{id}"), Runtime::Containerd),
            (format!("/system.slice/nerdctl-{id}.scope"), Runtime::Containerd),
            (format!("/kubepods.slice/kubepods-pod1.slice/crio-{id}.scope"), Runtime::CriO),
            (format!("/machine.slice/libpod-{id}.scope/container"), Runtime::Podman),
            (format!("/a.service/libpod-payload-{id}"), Runtime::Podman),
            (format!("/../{id}"), Runtime::Unknown),
        ] {
            assert_eq!(container(&path), Some((runtime, id.as_str())), "{path}");
        }
        assert_eq!(container("/lxc.payload.web/system.slice/cron.service"), Some((Runtime::Lxc, "web")));
        assert_eq!(container("/lxc/web"), Some((Runtime::Lxc, "web")));
        assert_eq!(container("/machine.slice/systemd-nspawn@deb12.service/payload/x"), Some((Runtime::Nspawn, "deb12")));
    }

    #[test]
    fn the_innermost_container_counts_and_monitors_are_outside() {
        let (outer, inner) = ("a".repeat(64), id());
        assert_eq!(container(&format!("/docker/{outer}/docker/{inner}")), Some((Runtime::Docker, inner.as_str())));
        for path in ["/", "/system.slice/ssh.service", "/lxc.monitor.web", "/lxc.payload.", "/docker/0123"] {
            assert_eq!(container(path), None, "{path}");
        }
        for monitor in ["crio-conmon", "libpod-conmon"] {
            assert_eq!(container(&format!("/machine.slice/{monitor}-{inner}.scope")), None);
        }
    }

    #[test]
    fn the_owner_of_a_part_of_the_tree() {
        assert_eq!(owner("/user.slice/user-1000.slice/user@1000.service/app.slice"), Some(1000));
        assert_eq!((owner("/system.slice/user-.slice"), owner("/user.slice")), (None, None));
    }

    proptest! {
        #[test]
        fn any_path_is_read_without_harm(path in "(/?(docker|lxc|libpod|conmon|cri-containerd|user|x)?[-.:/@]?([0-9a-f]{0,3}|[0-9a-f]{64}|\\PC{0,4})(\\.scope|\\.slice|\\.service)?){0,5}") {
            let _ = (unit(&path), slice(&path), owner(&path));
            if let Some((_, id)) = container(&path) {
                prop_assert!(!id.is_empty() && path.contains(id));
            }
        }
    }
}

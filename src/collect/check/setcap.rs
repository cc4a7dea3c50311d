//! File capabilities: whether they would work for this program, and the command that gives them.

use std::path::Path;

use caps::{CapSet, Capability};
use procfs::FromRead;
use procfs::process::Status;
use rustix::fs::{StatVfsMountFlags, getxattr, statvfs};
use rustix::io::Errno;

/// What buys all there is ([docs/privileges.md] says what each does), as setcap(8) writes it.
const ALL: &str = "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search,cap_checkpoint_restore,cap_syslog=ep";

/// The command that gives this program the rights that it asks for; `None` where the kernel would not honour them: on a file system
/// mounted `nosuid` or without such attributes, with `no_new_privs`, and where the bounding set lacks them.
pub(super) fn command() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let status = Status::from_file("/proc/self/status").ok()?;
    let may_have = |capability| caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false);
    let may_gain = status.nonewprivs == Some(0) && may_have(Capability::CAP_BPF) && may_have(Capability::CAP_PERFMON);
    (may_gain && keeps_capabilities(&program)).then(|| command_for(&program)).flatten()
}

/// Whether the file system has room for them, and the kernel heeds them there.
fn keeps_capabilities(program: &Path) -> bool {
    let heeds = statvfs(program).is_ok_and(|facts| !facts.f_flag.contains(StatVfsMountFlags::NOSUID));
    let has_room = matches!(getxattr(program, "security.capability", &mut [0u8; 64]), Ok(_) | Err(Errno::NODATA | Errno::RANGE));
    heeds && has_room
}

fn command_for(program: &Path) -> Option<String> {
    Some(format!("sudo setcap {ALL} {}", quoted(program.to_str()?)?))
}

/// One word of a shell; `None` for what would not stay one line.
fn quoted(text: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./+-=@%:,".contains(c);
    match () {
        () if text.chars().any(char::is_control) => None,
        () if text.chars().all(is_plain) => Some(text.to_owned()),
        () => Some(format!("'{}'", text.replace('\'', "'\\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for path in ["/usr/bin/ebtop", "/tmp/a b/eb'top", "/x/$(id)`id`\"*;", "/größe/ebtop"] {
            let word = quoted(path).unwrap();
            let said = std::process::Command::new("sh").args(["-c", &format!("printf %s {word}")]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), path);
        }
        assert_eq!((quoted("/usr/bin/ebtop").as_deref(), quoted("/a\nb")), (Some("/usr/bin/ebtop"), None));
    }

    #[test]
    fn where_programs_get_no_rights_none_are_offered() {
        assert!(!keeps_capabilities(Path::new("/proc/self/exe/none")));
        // Always mounted nosuid, by every distribution.
        assert!(!keeps_capabilities(Path::new("/proc/version")));
    }
}

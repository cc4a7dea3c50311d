//! Why the kernel refused a program, in one line that names the fix.

use std::fs;
use std::path::Path;

use libbpf_rs::ErrorKind;

/// Explains an error of opening, loading or attaching.
pub fn why(error: &libbpf_rs::Error) -> String {
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let has_btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    explain(error.kind(), &format!("{error:#}"), has_btf, &lockdown, may_load())
}

fn explain(kind: ErrorKind, text: &str, has_btf: bool, lockdown: &str, may_load: bool) -> String {
    if !has_btf {
        return "this kernel has no BTF: boot one built with CONFIG_DEBUG_INFO_BTF=y".into();
    }
    match kind {
        ErrorKind::PermissionDenied if !may_load => "not permitted: run as root, or with CAP_BPF and CAP_PERFMON".into(),
        ErrorKind::PermissionDenied if lockdown.contains("[confidentiality]") => {
            "kernel lockdown (confidentiality) forbids it: boot with lockdown=integrity or without lockdown".into()
        }
        ErrorKind::PermissionDenied => {
            format!("the kernel forbids it though the capabilities are there (lockdown, seccomp or an LSM): {text}")
        }
        ErrorKind::OutOfMemory => "not enough memory, or RLIMIT_MEMLOCK is too low: ulimit -l unlimited".into(),
        _ => format!("this kernel refused it: {text}"),
    }
}

/// CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN (all there was before 5.8).
fn may_load() -> bool {
    let has = |cap| caps::has_cap(None, caps::CapSet::Effective, cap).unwrap_or(false);
    has(caps::Capability::CAP_SYS_ADMIN) || has(caps::Capability::CAP_BPF) && has(caps::Capability::CAP_PERFMON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_true_cause() {
        let denied = ErrorKind::PermissionDenied;
        assert!(explain(denied, "", false, "", false).contains("BTF"));
        assert!(explain(denied, "", true, "none integrity [confidentiality]", false).contains("root"));
        assert!(explain(denied, "", true, "none integrity [confidentiality]", true).contains("lockdown=integrity"));
        assert!(explain(denied, "EPERM", true, "[none] integrity confidentiality", true).contains("EPERM"));
        assert!(explain(ErrorKind::InvalidInput, "bad insn", true, "", true).contains("bad insn"));
    }
}

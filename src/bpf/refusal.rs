//! Why the kernel refused a program though nothing about the host stands against it, in one line that says what to do.

use libbpf_rs::ErrorKind;

use super::words;

/// Explains an error of opening, loading or attaching, with the verifier's last word where it spoke on this thread.
pub fn why(error: &libbpf_rs::Error) -> String {
    let words = words::take();
    if words.contains("Error loading vmlinux BTF") {
        return "its hooks need the kernel's own types, not those of a file: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y".into();
    }
    explain(error.kind(), &format!("{error:#}"), words::verdict(&words))
}

fn explain(kind: ErrorKind, text: &str, verdict: Option<&str>) -> String {
    match (kind, verdict) {
        (_, Some(verdict)) => format!("the verifier refused it: {verdict}; `ebtop check --log FILE` keeps all it said"),
        (ErrorKind::PermissionDenied, None) => {
            format!("the kernel forbids it though the capabilities are there (lockdown, seccomp or a security module): {text}")
        }
        (ErrorKind::OutOfMemory, None) => "not enough memory, or RLIMIT_MEMLOCK is too low: ulimit -l unlimited".into(),
        (_, None) => format!("this kernel refused it: {text}; `ebtop check` tells which hooks it has"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_cause() {
        assert!(explain(ErrorKind::PermissionDenied, "EPERM", None).contains("lockdown"));
        assert!(explain(ErrorKind::PermissionDenied, "EACCES", Some("R1 bad")).starts_with("the verifier refused it: R1 bad;"));
        assert!(explain(ErrorKind::OutOfMemory, "", None).contains("ulimit"));
        assert!(explain(ErrorKind::InvalidInput, "bad insn", None).contains("bad insn"));
    }
}

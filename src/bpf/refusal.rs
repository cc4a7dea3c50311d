//! Why the kernel refused a program though nothing about the host stands against it, in one line that says what to do.

use libbpf_rs::ErrorKind;

use super::words;
use crate::files;

/// What is said where no descriptor was left.
pub const OUT_OF_FILES: &str = "no more files may be open here: raise the limit with `ulimit -n 1024`";

/// Explains an error of opening, loading or attaching, with the verifier's last word where it spoke on this thread.
pub fn why(error: &libbpf_rs::Error) -> String {
    let words = words::take();
    if words.contains("Error loading vmlinux BTF") {
        return "its hooks need the kernel's own types, not those of a file: boot a kernel built with CONFIG_DEBUG_INFO_BTF=y".into();
    }
    let why = explain(error.kind(), &format!("{error:#}"), words::verdict(&words));
    match super::types_file() {
        Some(file) => format!("{why} (with the types of {}: are they this kernel's?)", file.display()),
        None => why,
    }
}

fn explain(kind: ErrorKind, text: &str, verdict: Option<&str>) -> String {
    match (kind, verdict) {
        (_, None) if files::is_out_of_them(text) => OUT_OF_FILES.into(),
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
        assert_eq!(explain(ErrorKind::Other, "cannot create map: Too many open files (os error 24)", None), OUT_OF_FILES);
        assert!(explain(ErrorKind::InvalidInput, "bad insn", None).contains("bad insn"));
    }
}

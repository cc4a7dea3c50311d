//! What a user without rights gets, and exit codes.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::program::{EBTOP, list, number, run, ticks_of};

pub const NOBODY: u32 = 65534;

/// A copy of the program where anybody may run it.
pub fn public_copy(dir: &Path) -> PathBuf {
    std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    let copy = dir.join("ebtop");
    std::fs::copy(EBTOP, &copy).unwrap();
    copy
}

fn as_nobody(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).uid(NOBODY).gid(NOBODY).current_dir("/").stdin(Stdio::null()).output().unwrap()
}

#[test]
#[ignore = "root"]
fn nobody_gets_what_proc_tells_and_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let ebtop = public_copy(dir.path());
    let output = as_nobody(&ebtop, &["-b", "-n", "2", "-d", "0.5", "-o", "json"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let ticks = ticks_of(&output.stdout);
    assert_eq!(ticks.len(), 2);
    let health = &ticks[1]["health"];
    for (domain, state) in [("tasks", "degraded"), ("net", "off"), ("stacks", "off"), ("mem", "off"), ("watch", "off")] {
        assert_eq!(health[domain]["state"], state);
        assert!(health[domain]["reason"].as_str().unwrap().contains("run `sudo ebtop`"), "{health}");
    }
    let own = list(&ticks[1], "processes").iter().find(|row| number(row, "pid") == u64::from(std::process::id())).unwrap();
    assert!(number(own, "rss_bytes") > 0 && number(own, "min_flt_total") > 0);
    assert!(own["tx_bytes"].is_null() && own["cpu_ns"].is_u64(), "{own}");

    let text = as_nobody(&ebtop, &["-b", "-n", "1", "-d", "0.1"]);
    let head = String::from_utf8(text.stdout).unwrap();
    assert_eq!(
        head.matches("tasks degraded, net off, stacks off, mem off, watch off: not root").count(),
        1,
        "one line says what is missing"
    );
    let check = as_nobody(&ebtop, &["check"]);
    assert!(check.status.success());
    assert!(String::from_utf8_lossy(&check.stdout).contains("REFUSED  rights"));
}

#[test]
#[ignore = "root"]
fn exit_codes_are_as_documented() {
    let code = |args: &[&str]| {
        let output = run(args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // A very busy machine may lose something.
    assert!(matches!(code(&["-b", "-n", "1", "-d", "0.1"]), (Some(0 | 4), error) if error.is_empty()));
    assert_eq!(code(&["check"]), (Some(0), String::new()));
    for (args, says) in [
        (&["-b", "-n", "1", "--sort", "nonsense"][..], "there is no column `nonsense`"),
        (&["-b", "-n", "1", "--fields", "pid,nonsense"], "there is no column `nonsense`"),
        (&["-b", "-n", "1", "-o", "json", "--fields", "nonsense"], "there is no field `nonsense`"),
        (&["-b", "-n", "1", "--filter", "cpu>"], "expected a value after `cpu>`"),
        (&["-b", "-n", "1", "--filter", "nonsense>5"], "no column `nonsense`"),
        (&["-b", "-n", "1", "--user", "no such user"], "there is no user `no such user`"),
        (&["-b", "-n", "0"], "--iterations"),
        (&["nonsense"], "nonsense"),
    ] {
        let (code, error) = code(args);
        assert_eq!(code, Some(2), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?}: {error}");
    }
    assert_eq!(code(&["replay", "/none/such", "-b"]), (Some(1), "ebtop: /none/such: No such file or directory (os error 2)\n".to_owned()));
    assert_eq!(code(&["replay", EBTOP, "-b"]).0, Some(1));
    assert_eq!(code(&["record", "-o", "/none/such", "-n", "1"]).0, Some(1));
    assert_eq!(code(&["-b", "-n", "1", "-d", "0.1", "--no-bpf"]).0, Some(4));
    for list in [&["-b", "--sort", "help"][..], &["-b", "--fields", "help"], &["-b", "-o", "json", "--fields", "help"]] {
        let output = run(list);
        assert!(output.status.success() && output.stderr.is_empty(), "{list:?}");
        assert!(String::from_utf8_lossy(&output.stdout).lines().count() > 20, "{list:?}");
    }
}

//! Programs as Debian ships them.

use std::process::Command;

use crate::watch::watch;

/// Fails where the program is missing: the corpus is the point.
fn check(program: &str, args: &[&str]) {
    watch(Command::new(program).args(args), 4.0).assert_complete(program);
}

#[test]
#[ignore = "root"]
fn openssl() {
    check("openssl", &["speed", "-seconds", "8", "sha256"]);
    check("openssl", &["speed", "-seconds", "8", "rsa2048"]);
}

#[test]
#[ignore = "root"]
fn python() {
    check("python3", &["-c", "def f(n):\n  return n if n < 2 else f(n-1)+f(n-2)\nwhile True: f(20)"]);
}

#[test]
#[ignore = "root"]
fn sqlite() {
    const QUERY: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT 100000000) SELECT sum(x*x%7) FROM c;";
    check("sqlite3", &[":memory:", QUERY]);
}

#[test]
#[ignore = "root"]
fn perl() {
    check("perl", &["-e", "sub f { my $n = shift; $n < 2 ? $n : f($n-1) + f($n-2) } f(20) while 1"]);
}

#[test]
#[ignore = "root"]
fn node() {
    const SCRIPT: &str = "function f(n) { return n < 2 ? n : f(n-1) + f(n-2); } for (;;) f(24);";
    let dir = tempfile::tempdir().unwrap();
    watch(Command::new("node").args(["--perf-basic-prof", "-e", SCRIPT]).current_dir(dir.path()), 4.0).assert_complete("node");
}

//! Programs as Debian ships them.

use std::process::Command;

use crate::watch::watch;

/// How long a program is sampled, in seconds.
const SECONDS: f64 = 2.0;

/// Fails where the program is missing: the corpus is the point.
fn check(program: &str, args: &[&str]) {
    watch(Command::new(program).args(args), SECONDS).assert_complete(program);
}

#[test]
#[ignore = "root"]
fn openssl() {
    check("openssl", &["speed", "-seconds", "60", "sha256"]);
    check("openssl", &["speed", "-seconds", "60", "rsa2048"]);
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
fn rust_release() {
    const PROGRAM: &str = "use std::hint::black_box; use std::collections::BTreeMap;
        fn f(n: u64) -> u64 { if n < 2 { n } else { f(black_box(n - 1)) + f(black_box(n - 2)) } }
        fn main() { loop { let m: BTreeMap<u64, u64> = (0..20).map(|n| (n, f(n))).collect(); black_box(m); } }";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hot.rs"), PROGRAM).unwrap();
    assert!(Command::new("rustc").args(["-O", "-Cstrip=symbols", "hot.rs"]).current_dir(dir.path()).status().unwrap().success());
    watch(&mut Command::new(dir.path().join("hot")), SECONDS).assert_complete("Rust");
}

//! Large programs as Debian ships them, which script/bootstrap does not install: `script/test` leaves them out but with `EBTOP_LONG` set.

mod evict;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::watch::{watch, watch_child};

/// How long a program is sampled, in seconds.
const SECONDS: f64 = 2.0;

#[test]
#[ignore = "root"]
fn node() {
    const SCRIPT: &str = "function f(n) { return n < 2 ? n : f(n-1) + f(n-2); } for (;;) f(24);";
    let dir = tempfile::tempdir().unwrap();
    watch(Command::new("node").args(["--perf-basic-prof", "-e", SCRIPT]).current_dir(dir.path()), SECONDS).assert_complete("node");
}

#[test]
#[ignore = "root"]
fn java() {
    const PROGRAM: &str = "public class Hot {
        static long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
        public static void main(String[] a) { long x = 0; while (true) x += fib(24); }
    }";
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("Hot.java"), PROGRAM).unwrap();
    assert!(Command::new("javac").arg("Hot.java").current_dir(dir.path()).status().unwrap().success());
    let args = ["-XX:+PreserveFramePointer", "-Xint", "Hot"];
    watch(Command::new("java").args([args[0], args[2]]).current_dir(dir.path()), SECONDS).assert_complete("java");
    watch(Command::new("java").args(args).current_dir(dir.path()), SECONDS).assert_complete("java, interpreted");
}

/// One process, kept busy with requests for a small file.
#[test]
#[ignore = "root"]
fn nginx() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = dir.path().display();
    let config = format!(
        "daemon off; master_process off; user root; pid {at}/pid; error_log /dev/null; events {{}}
         http {{ access_log off; keepalive_requests 100000000; server {{ listen 127.0.0.1:{port}; root {at}; }} }}"
    );
    std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
    std::fs::write(dir.path().join("index.html"), "a small file").unwrap();
    let child = Command::new("nginx").arg("-c").arg(dir.path().join("nginx.conf")).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let asker = std::thread::spawn(move || ask_until_closed(port));
    watch_child(child, SECONDS).assert_complete("nginx");
    assert!(asker.join().unwrap() > 1000, "requests answered");
}

/// A backend by itself, which the server would fork for a connection.
#[test]
#[ignore = "root"]
fn postgres() {
    const QUERY: &str = "SELECT count(*), sum(a * b % 7) FROM generate_series(1, 3000) a, generate_series(1, 100000) b GROUP BY a % 10;\n";
    let folder = std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|version| version.unwrap().path().join("bin")).max().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let as_postgres = |program: &str, args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(folder.join(program)).args(args);
        command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    assert!(Command::new("chown").arg("postgres:").arg(dir.path()).status().unwrap().success());
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    assert!(as_postgres("initdb", &["-N", "-A", "trust", "-D", data]).status().unwrap().success());
    // What LLVM writes at run time has neither tables that others can read nor frame pointers.
    let mut backend = as_postgres("postgres", &["--single", "-c", "jit=off", "-D", data, "postgres"]);
    let mut child = backend.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_ref().unwrap().write_all(QUERY.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "the backend ended");
    watch_child(child, SECONDS).assert_complete("postgres");
}

#[test]
#[ignore = "root"]
fn go() {
    const PROGRAM: &str = "package main\nfunc f(n int) int { if n < 2 { return n }; return f(n-1) + f(n-2) }\nvar s []int\nfunc main() { for { s = append(s[:0], f(25)) } }\n";
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("hot");
    std::fs::write(dir.path().join("hot.go"), PROGRAM).unwrap();
    // Building Go's own library takes a minute; it is kept for the next time.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
    let env = [("GOCACHE", cache.as_path()), ("HOME", dir.path())];
    assert!(Command::new("go").envs(env).args(["build", "-o", "hot", "hot.go"]).current_dir(dir.path()).status().unwrap().success());
    watch(&mut Command::new(program), SECONDS).assert_complete("Go");
}

/// Sends requests ten at a time over one connection; how many were answered before the server went.
fn ask_until_closed(port: u16) -> usize {
    const ASKED: usize = 10;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n".repeat(ASKED);
    let (mut answered, mut buffer) = (0, vec![0; 1 << 16]);
    while stream.write_all(request.as_bytes()).is_ok() {
        let mut round = 0;
        while round < ASKED {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => round += buffer[..n].windows(12).filter(|w| w == b"a small file").count(),
                _ => return answered,
            }
        }
        answered += round;
    }
    answered
}

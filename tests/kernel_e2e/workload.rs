//! Programs with a known truth, from `tests/workloads`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex};

/// The program of `tests/workloads/NAME.c`, compiled once; or, where there is no compiler, already in the folder `EBTOP_WORKLOADS`.
fn program(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("EBTOP_WORKLOADS") {
        return Path::new(&folder).join(format!("e2e-{name}"));
    }
    static BUILT: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);
    let build = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workloads").join(name).with_extension("c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{name}"));
        let mut flags = vec!["-O1", "-Wall", "-Werror", "-pthread", "-fno-omit-frame-pointer", "-fno-inline"];
        if cfg!(target_arch = "x86_64") {
            flags.push("-mno-omit-leaf-frame-pointer");
        }
        assert!(Command::new("cc").args(flags).arg("-o").arg(&program).arg(source).status().unwrap().success());
        program
    };
    BUILT.lock().unwrap().entry(name.to_owned()).or_insert_with(build).clone()
}

/// One of them, running. Most wait for a line, after their report, before they end.
pub struct Workload {
    child: Child,
    waited_for: bool,
    output: BufReader<ChildStdout>,
}

/// What `tests/workloads/tasks.c` says that getrusage said.
#[derive(Debug)]
pub struct Usage {
    pub cpu_ns: u64,
    pub minor: u64,
    pub major: u64,
}

impl Workload {
    pub fn start(name: &str, args: &[&str]) -> Workload {
        let mut child = Command::new(program(name)).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Workload { child, waited_for: false, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The second report of `tasks.c`: the first one made it touch all it needs.
    pub fn usage(&mut self) -> Usage {
        self.line();
        let n: Vec<u64> = self.line().split_whitespace().map(|n| n.parse().unwrap()).collect();
        Usage { cpu_ns: n[0], minor: n[1], major: n[2] }
    }

    /// How many children `tasks forks` or `tasks execs` made; its report follows.
    pub fn made(&mut self) -> usize {
        self.line().parse().unwrap()
    }

    /// Lets it end; gives what wait4 says of it.
    pub fn end(mut self) -> libc::rusage {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        // SAFETY: all zeros is a valid value of a struct of integers.
        let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
        // SAFETY: both out-pointers are valid for the call.
        let pid = unsafe { libc::wait4(self.child.id() as i32, &mut status, 0, &mut usage) };
        assert_eq!(pid, self.child.id() as i32);
        self.waited_for = true;
        usage
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        if !self.waited_for {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

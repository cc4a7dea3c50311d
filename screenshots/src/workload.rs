//! Real work for the pictures: a hot program with named functions, a memory toucher, a storm of short processes, TCP traffic.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/workload.c");

/// Everything that runs; it ends with this value.
pub struct Workload {
    running: Vec<Child>,
    folder: TempDir,
}

impl Workload {
    /// Compiles what is needed and starts it. Needs gcc and iperf3.
    pub fn start() -> Result<Workload> {
        let mut work = Workload { running: Vec::new(), folder: tempfile::tempdir()? };
        for name in ["web-server", "cache", "builder"] {
            let program = work.compile(name)?;
            work.spawn(Command::new(&program).arg0(name))?;
        }
        work.spawn(Command::new("iperf3").args(["-s", "-p", "5299"]))?;
        thread::sleep(Duration::from_millis(500));
        work.spawn(Command::new("iperf3").args(["-c", "127.0.0.1", "-p", "5299", "-t", "3600", "-b", "400M"]))?;
        Ok(work)
    }

    fn compile(&self, name: &str) -> Result<PathBuf> {
        let program = self.folder.path().join(name);
        let status = Command::new("gcc")
            .args(["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-o"])
            .args([&program, Path::new(SOURCE)])
            .status()
            .context("gcc")?;
        ensure!(status.success(), "gcc could not compile {SOURCE}");
        Ok(program)
    }

    fn spawn(&mut self, command: &mut Command) -> Result<()> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(child.with_context(|| format!("{command:?}"))?);
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        for child in &mut self.running {
            // An error means that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

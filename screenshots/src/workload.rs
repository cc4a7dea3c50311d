//! Real work for the pictures: one C program under several names; its head says what each does.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::groups::Groups;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/workload.c");

/// What runs, how many of each.
const ROLES: [(&str, u32); 7] =
    [("web-server", 1), ("cache", 1), ("load-gen", 2), ("indexer", 1), ("queue-worker", 12), ("backup", 1), ("builder", 1)];
/// Whom it runs as: a user that every Debian has. Pictures show that user alone, so nobody else's command lines.
pub const USER: (&str, u32) = ("www-data", 33);

/// Everything that runs; it ends with this value.
pub struct Workload {
    running: Vec<Child>,
    folder: TempDir,
    groups: Groups,
}

impl Workload {
    /// Compiles what is needed and starts it. Needs gcc and root.
    pub fn start() -> Result<Workload> {
        let folder = tempfile::tempdir()?;
        set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let groups = Groups::make(ROLES.iter().map(|(name, _)| *name))?;
        let mut work = Workload { running: Vec::new(), folder, groups };
        for (name, count) in ROLES {
            let program = work.folder.path().join(name);
            compile(&program)?;
            for _ in 0..count {
                let mut command = Command::new(&program);
                command.arg0(name).uid(USER.1).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
                let child = command.spawn().with_context(|| format!("{command:?}"))?;
                let pid = child.id();
                work.running.push(child);
                work.groups.put(name, pid)?;
            }
        }
        Ok(work)
    }
}

fn compile(program: &Path) -> Result<()> {
    let status = Command::new("gcc")
        .args(["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-nostartfiles", "-pthread", "-o"])
        .args([program, Path::new(SOURCE)])
        .status()
        .context("gcc")?;
    ensure!(status.success(), "gcc could not compile {SOURCE}");
    Ok(())
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

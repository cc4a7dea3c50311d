//! A control group in which memory can be made short.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What is left, while memory is short, beyond what those in the group have. The lists of a sample in a storm of forks take some of it.
const SPARE: u64 = 48 << 20;

/// The group; none where no hierarchy here limits memory.
pub struct Cage(Option<Group>);

struct Group {
    path: PathBuf,
    limit: &'static str,
    usage: &'static str,
    unlimited: &'static str,
}

impl Cage {
    /// Makes it, in version 2 or else 1 of control groups.
    pub fn make() -> Cage {
        // Where it is on already, or cannot be, the group's files tell. On a host with both versions that directory is a tmpfs with those of
        // version 1 in it, where a file would be made.
        if is_hierarchy("/sys/fs/cgroup") {
            let _ = fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
        }
        let versions = [
            ("/sys/fs/cgroup", "memory.max", "memory.current", "max"),
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "-1"),
        ];
        let mut hierarchies = versions.into_iter().filter(|(root, ..)| is_hierarchy(root));
        let group = hierarchies.find_map(|(root, limit, usage, unlimited)| {
            let path = PathBuf::from(root).join(format!("ebtop-soak-{}", std::process::id()));
            fs::create_dir(&path).ok()?;
            let is_bounded = path.join(limit).exists();
            let group = Group { path, limit, usage, unlimited };
            if !is_bounded {
                group.remove();
            }
            is_bounded.then_some(group)
        });
        if group.is_none() {
            println!("no memory pressure: nothing here limits the memory of a group");
        }
        Cage(group)
    }

    /// The words of a command that runs a program in it.
    pub fn words(&self, program: &str) -> Vec<String> {
        match &self.0 {
            None => vec![program.to_owned()],
            Some(group) => {
                let procs = group.path.join("cgroup.procs");
                // He who is sent to want too much must be the one who goes, also while what he had is not free yet.
                let script = "echo -1000 > /proc/self/oom_score_adj && echo $$ > \"$0\" && exec \"$@\"";
                ["sh", "-c", script, procs.to_str().unwrap(), program].map(str::to_owned).into()
            }
        }
    }

    /// That command.
    pub fn command(&self, program: &str) -> Command {
        let words = self.words(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// Makes memory short and sends somebody into the group who wants more than there is, until the kernel ends him. Whether it did.
    pub fn press(&self) -> bool {
        let Some(group) = &self.0 else { return false };
        let procs = group.path.join("cgroup.procs");
        // ebtop may want more than there is, too, and only he must be the one who goes: he is there before memory is short.
        let script = "echo 1000 > /proc/self/oom_score_adj && echo $$ > \"$0\" && echo in && read go && \
                      exec dd if=/dev/zero of=/dev/null bs=256M count=1";
        let mut hog = Command::new("sh");
        hog.args(["-c", script]).arg(procs).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut hog = hog.spawn().unwrap();
        hog.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        let used: u64 = fs::read_to_string(group.path.join(group.usage)).unwrap().trim().parse().unwrap();
        fs::write(group.path.join(group.limit), (used + SPARE).to_string()).unwrap();
        // He may be gone already.
        let _ = hog.stdin.as_mut().unwrap().write_all(b"go\n");
        let status = hog.wait().unwrap();
        fs::write(group.path.join(group.limit), group.unlimited).unwrap();
        !status.success()
    }
}

impl Group {
    fn remove(&self) {
        // Somebody is still in it after a test that failed.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Control groups can be made there, of either version (`include/uapi/linux/magic.h`).
fn is_hierarchy(root: &str) -> bool {
    const MAGIC: [u64; 2] = [0x6367_7270, 0x0027_e0eb];
    rustix::fs::statfs(root).is_ok_and(|facts| MAGIC.contains(&(facts.f_type as u64)))
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            group.remove();
        }
    }
}

/// What was there before is there afterwards, and no more: on a host with both versions, too.
#[test]
#[ignore = "root"]
fn a_cage_leaves_nothing_behind() {
    let names =
        || -> std::collections::BTreeSet<_> { fs::read_dir("/sys/fs/cgroup").unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    let before = names();
    let cage = Cage::make();
    println!("{:?}", cage.0.as_ref().map(|group| &group.path));
    drop(cage);
    assert_eq!(names(), before);
}

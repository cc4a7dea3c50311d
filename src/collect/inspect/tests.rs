use super::*;
use crate::clock::tick_ns;
use crate::sample::inspection::FileKind;
use std::process::{Child, Command, Stdio};

/// A process that sleeps, killed when dropped.
struct Sleeper(Child, tempfile::TempDir);

impl Sleeper {
    /// With a known environment, directory, limit and file.
    fn start() -> Sleeper {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("held open"), "x").unwrap();
        let script = "ulimit -S -n 77; exec 5<'held open'; rm 'held open'; exec 6<.; exec sleep 100";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env_clear().envs([("SECRET", "a b"), ("PATH", "/usr/bin:/bin")]).current_dir(dir.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sleeper = Sleeper(child, dir);
        while std::fs::read(sleeper.proc("cmdline")).unwrap() != b"sleep\x00100\0" {
            std::thread::yield_now();
        }
        sleeper
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0.id())
    }

    fn key(&self) -> ProcKey {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap();
        let ticks: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
        ProcKey { pid: self.0.id(), start_ns: ticks * tick_ns() }
    }

    fn ask(&self, environment: bool) -> Ask {
        Ask { key: self.key(), environment, all_memory: false }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn looks(inspector: &mut Inspector, ask: Ask) -> Vec<Option<Inspection>> {
    let mut told = Vec::new();
    inspector.look(ask, &mut |found| told.push(found.cloned()));
    told
}

fn known<T: Clone>(fact: &Fact<T>) -> T {
    fact.known().cloned().expect("a fact")
}

#[test]
fn a_process_is_seen_as_it_was_started() {
    let sleeper = Sleeper::start();
    let found = looks(&mut Inspector::new(sleeper.key(), SharedUsers::default()), sleeper.ask(true)).pop().unwrap().unwrap();
    assert_eq!(known(&found.arguments).first, ["sleep", "100"]);
    let environment = known(found.environment.as_ref().unwrap());
    assert!(environment.first.contains(&"SECRET=a b".to_owned()) && environment.first.contains(&"PATH=/usr/bin:/bin".to_owned()));
    assert_eq!(known(&found.exe), std::fs::read_link(sleeper.proc("exe")).unwrap().display().to_string());
    assert_eq!(known(&found.cwd), sleeper.1.path().canonicalize().unwrap().display().to_string());
    let limits = known(&found.limits);
    assert_eq!(limits.iter().find(|limit| limit.name == "Max open files").unwrap().soft, Some(77));
    let files = known(&found.files);
    let kinds = |fd| files.list.first.iter().find(|file| file.fd == fd).map(|file| (file.kind, file.target.clone()));
    assert_eq!(kinds(0), Some((FileKind::Device, "/dev/null".into())));
    assert_eq!(kinds(5).map(|(kind, _)| kind), Some(FileKind::Deleted));
    assert_eq!(kinds(6).map(|(kind, _)| kind), Some(FileKind::Path));
    // Those that the test runner left open are inherited, too.
    let open = std::fs::read_dir(sleeper.proc("fd")).unwrap().count();
    assert_eq!((files.list.total, files.looked_at, files.by_kind.iter().sum()), (open, open, open));
    let status = known(&found.status);
    assert_eq!(status.users[1].0, rustix::process::geteuid().as_raw());
    assert_eq!(known(&found.scheduling).policy, 0);
    assert_eq!(known(&found.oom).adjustment.to_string(), std::fs::read_to_string(sleeper.proc("oom_score_adj")).unwrap().trim());
    assert!(known(&found.namespaces).iter().any(|namespace| namespace.kind == "pid" && !namespace.is_other));
    assert_eq!(known(&found.cgroups).join("\n"), std::fs::read_to_string(sleeper.proc("cgroup")).unwrap().trim_end());
}

#[test]
fn the_memory_map_adds_up_to_what_the_kernel_adds_up() {
    let sleeper = Sleeper::start();
    let found = looks(&mut Inspector::new(sleeper.key(), SharedUsers::default()), sleeper.ask(false)).pop().unwrap().unwrap();
    let rollup = std::fs::read_to_string(sleeper.proc("smaps_rollup")).unwrap();
    let field = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
    };
    let map = known(&found.memory);
    assert_eq!((map.sum.rss_bytes, map.private_bytes), (field("Rss"), field("Private_Clean") + field("Private_Dirty")));
    // Each mapping's share is cut to KiB, and sharers come and go.
    assert!(map.sum.pss_bytes <= map.sum.rss_bytes && map.sum.pss_bytes > 0);
    assert!(map.top.first.iter().any(|mapping| mapping.name == "[stack]" && mapping.count == 1));
    assert_eq!(map.top.first.iter().map(|mapping| mapping.rss_bytes).sum::<u64>(), map.sum.rss_bytes);
}

#[test]
fn what_needs_no_lock_comes_first_and_secrets_only_when_asked_for() {
    let sleeper = Sleeper::start();
    let mut inspector = Inspector::new(sleeper.key(), SharedUsers::default());
    let told = looks(&mut inspector, sleeper.ask(false));
    let [Some(first), Some(second)] = &told[..] else { panic!("{told:?}") };
    assert!(first.exe.known().is_some() && first.arguments == Fact::Pending && first.memory == Fact::Pending);
    assert!(second.arguments.known().is_some() && second.environment.is_none());
    assert_eq!(looks(&mut inspector, sleeper.ask(true)).len(), 1, "later all at once");
    let hidden = looks(&mut inspector, sleeper.ask(false)).pop().unwrap().unwrap();
    assert!(hidden.environment.is_none());
}

#[test]
fn a_process_that_is_gone_or_another_is_not_looked_at() {
    let sleeper = Sleeper::start();
    let other = ProcKey { start_ns: sleeper.key().start_ns + 60_000_000_000, ..sleeper.key() };
    assert_eq!(looks(&mut Inspector::new(other, SharedUsers::default()), Ask { key: other, ..sleeper.ask(false) }), [None]);
    let (mut inspector, ask) = (Inspector::new(sleeper.key(), SharedUsers::default()), sleeper.ask(false));
    drop(sleeper);
    assert_eq!(looks(&mut inspector, ask), [None]);
}

#[test]
fn the_thread_answers_for_whom_it_was_asked() {
    let (to_screen, updates) = crossbeam_channel::bounded(16);
    let mut inspectors = Inspectors::new(to_screen);
    let sleepers = [Sleeper::start(), Sleeper::start()];
    for sleeper in &sleepers {
        inspectors.ask(Some(sleeper.ask(false)));
        let answered = || match updates.recv_timeout(Duration::from_secs(10)).unwrap() {
            Update::Inspected(key, Some(found)) => (key, found.arguments.known().is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!([answered(), answered()], [(sleeper.key(), false), (sleeper.key(), true)]);
    }
    inspectors.ask(None);
    assert!(inspectors.current.is_none());
}

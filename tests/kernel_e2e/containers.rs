//! Pids of other namespaces, clocks of another one, and containers by their control groups.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::{Batch, EBTOP, list, number};

/// A process that sleeps, killed when dropped.
struct Sleeper(Child);

impl Sleeper {
    fn start(command: &mut Command) -> Sleeper {
        Sleeper(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn row(ebtop: &Batch, pid: u32) -> Option<&Value> {
    list(ebtop.ticks.last()?, "processes").iter().find(|row| row["pid"] == pid)
}

#[test]
#[ignore = "root"]
fn a_process_of_another_pid_namespace_has_two_pids() {
    // unshare stays outside; what it forks is the first of a namespace, and starts a second one.
    let mut command = Command::new("unshare");
    let outer = Sleeper::start(command.args(["--pid", "--fork", "--kill-child", "sh", "-c", "sleep 1000 & wait"]));
    let children = |pid: u32| -> Vec<u32> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let only_child = |pid: u32| {
        loop {
            if let [child] = children(pid)[..] {
                return child;
            }
            std::thread::yield_now();
        }
    };
    let first = only_child(outer.0.id());
    let second = only_child(first);
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.3", "--fields", "pid,ns_pid,nspid"]);
    ebtop.read_until("the process", |ebtop| row(ebtop, second).is_some_and(|row| !row["ns_pid"].is_null()));
    assert_eq!([first, second].map(|pid| row(&ebtop, pid).unwrap()["ns_pid"].as_u64()), [Some(1), Some(2)]);
    for outside in [outer.0.id(), std::process::id()] {
        assert!(row(&ebtop, outside).unwrap()["ns_pid"].is_null());
    }
    ebtop.stop();
    let text = crate::program::run(&["-b", "-n", "1", "-d", "0.1", "--fields", "pid,nspid", "-p", &second.to_string()]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains(&format!("{second}/2")), "{text}");
}

/// Control groups of version 2, mounted for a test.
struct Cgroups {
    mount: tempfile::TempDir,
    groups: Vec<PathBuf>,
}

impl Cgroups {
    fn mount() -> Cgroups {
        let mount = tempfile::tempdir().unwrap();
        assert!(Command::new("mount").args(["-t", "cgroup2", "none"]).arg(mount.path()).status().unwrap().success(), "no cgroup2");
        Cgroups { mount, groups: Vec::new() }
    }

    /// Makes a group and moves a process into it.
    fn hold(&mut self, path: &str, pid: u32) {
        let whole = path.split('/').fold(self.mount.path().to_owned(), |above, part| {
            let group = above.join(part);
            if !group.exists() {
                std::fs::create_dir(&group).unwrap();
                self.groups.push(group.clone());
            }
            group
        });
        std::fs::write(whole.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for group in self.groups.iter().rev() {
            // The kernel lets go of the members of a group a little after they ended.
            for _ in 0..100 {
                if std::fs::remove_dir(group).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = Command::new("umount").arg(self.mount.path()).status();
    }
}

#[test]
#[ignore = "root"]
fn containers_and_units_are_those_of_the_control_group() {
    let mut cgroups = Cgroups::mount();
    let sleepers = [(); 3].map(|()| Sleeper::start(Command::new("sleep").arg("1000")));
    let [machine, docker, outside] = sleepers.each_ref().map(|sleeper| sleeper.0.id());
    let (name, id) = (format!("ebtop-{machine}"), format!("{docker:064x}"));
    cgroups.hold(&format!("lxc.payload.{name}/cron.service"), machine);
    cgroups.hold(&format!("ebtop-{docker}.slice"), outside);
    cgroups.hold(&format!("ebtop-{docker}.slice/docker-{id}.scope"), docker);
    let mut ebtop = Batch::start(&["--hz", "0", "-d", "0.3", "--filter", "container:*"]);
    ebtop.read_until("both", |ebtop| [machine, docker].iter().all(|pid| row(ebtop, *pid).is_some()));
    let words = |pid: u32| ["container", "container_id", "runtime", "unit"].map(|field| row(&ebtop, pid).unwrap()[field].as_str().unwrap());
    assert_eq!(words(machine), [&name, &name, "lxc", "cron.service"]);
    assert_eq!(words(docker), [&id[..12], &id, "docker", &format!("docker-{id}.scope")]);
    assert!(row(&ebtop, outside).is_none());
    ebtop.stop();
    drop(sleepers);
}

/// The kernel shifts the clocks, and every start time in /proc, for those in a time namespace; never for eBPF programs.
#[test]
#[ignore = "root"]
fn in_a_time_namespace_processes_are_found_by_their_start_times() {
    let sleeper = Sleeper::start(Command::new("sleep").arg("1000"));
    let pid = sleeper.0.id();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let start_ticks: u64 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
    let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
    for more in [&[][..], &["--no-bpf"]] {
        let mut command = Command::new("unshare");
        command.args(["--time", "--boottime", "1000000", "--monotonic", "5000", "--fork", "--kill-child", EBTOP, "-b", "-o", "json"]);
        let mut ebtop = Batch::start_by(command.args(["-d", "0.2", "--fields", "pid,start_ns,cmdline"]).args(more));
        ebtop.read_until("its arguments", |ebtop| row(ebtop, pid).is_some_and(|row| row["cmdline"] == "sleep 1000"));
        assert_eq!(number(row(&ebtop, pid).unwrap(), "start_ns") / tick_ns, start_ticks, "{more:?}");
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let age_s = now.tv_sec as u64 - number(ebtop.ticks.last().unwrap(), "at_ns") / 1_000_000_000;
        assert!(age_s < 60, "{age_s} s ago");
    }
}

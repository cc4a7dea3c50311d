//! Each hook by itself: does this kernel take it, and if not, why? A domain takes the best of its hooks that work.

use libbpf_rs::ErrorKind;
use serde::Serialize;

use super::rules::{charges_memlock, lacks_perf_events};
use super::{Finding, Host, Verdict};
use crate::bpf::trial::{Stage, Trial};
use crate::bpf::words::verdict;
use crate::files;
use crate::sample::{DomainStatus, Health};

/// The kernel's own "not supported", which libc does not know, as it stands in an error.
const ENOTSUPP: &str = "os error 524";

/// One hook: a program, tried alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// The domain it belongs to.
    pub domain: &'static str,
    /// The program's name in the kernel.
    pub program: String,
    /// Kind and place, as in `tp_btf/sched_process_exit`.
    pub place: String,
    /// Its part lacks something for want of it. A part that is whole has a better one, or another that does the same.
    pub needed: bool,
    /// Whether it works.
    pub verdict: Verdict,
    /// Why not; empty where it works.
    pub cause: String,
    /// What to do about it, if there is something to do.
    pub fix: Option<String>,
    /// Instructions that the verifier walked through.
    pub instructions: Option<u32>,
}

/// What the trials say about this host, whose domains are as `status` says.
pub fn hooks(trials: &[Trial], host: &Host, status: &[DomainStatus]) -> Vec<Hook> {
    let health = |domain: &str| status.iter().find(|status| status.domain.name() == domain).map(|status| &status.health);
    let is_done_by_another = |trial: &Trial| {
        let is_other = |other: &&Trial| other.object == trial.object && other.stage == Stage::Attached;
        trials.iter().filter(is_other).any(|other| use_of(&other.program) == use_of(&trial.program))
    };
    let is_spare = |trial: &Trial| match health(trial.object) {
        Some(Health::Live | Health::Loading) => true,
        // Nothing of it runs yet, so that it lacks nothing says nothing.
        Some(Health::Standby) => is_done_by_another(trial),
        _ => false,
    };
    trials.iter().map(|trial| hook(trial, host, is_spare(trial))).collect()
}

/// What a program is for: `send` of `watch_send`, `watch_x_send6` and `watch_kr_send`.
fn use_of(program: &str) -> &str {
    let name = program.split_once('_').map_or(program, |(_, name)| name);
    let name = ["x_", "k_", "kr_"].into_iter().find_map(|way| name.strip_prefix(way)).unwrap_or(name);
    ["_o", "_raw", "6"].into_iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name)
}

fn hook(trial: &Trial, host: &Host, is_spare: bool) -> Hook {
    let finding = explain(trial, host);
    Hook {
        needed: !is_spare && finding.verdict != Verdict::Works,
        domain: trial.object,
        program: trial.program.clone(),
        place: trial.section.clone(),
        verdict: finding.verdict,
        cause: finding.cause,
        fix: finding.fix,
        instructions: trial.instructions.filter(|_| trial.stage != Stage::Load),
    }
}

fn explain(trial: &Trial, host: &Host) -> Finding {
    let found = |verdict, cause: String, fix: Option<&str>| Finding { topic: "hook", verdict, cause, fix: fix.map(str::to_owned) };
    let Some((kind, text)) = trial.error.as_ref().filter(|_| trial.stage != Stage::Attached) else {
        return found(Verdict::Works, String::new(), None);
    };
    let forbidden = *kind == ErrorKind::PermissionDenied;
    let (hook, place) = trial.section.split_once('/').unwrap_or((&trial.section, ""));
    if files::is_out_of_them(text) {
        return found(Verdict::Refused, "no more files may be open here".into(), Some("`ulimit -n 1024`"));
    }
    let enters_functions = matches!(hook, "fentry" | "fexit");
    if trial.stage == Stage::Attach {
        return match hook {
            "kprobe" | "kretprobe" if !forbidden => {
                let fix = "boot a kernel built with CONFIG_KPROBE_EVENTS=y";
                found(Verdict::Missing, format!("this kernel has no kprobes ({text})"), Some(fix))
            }
            "perf_event" => match lacks_perf_events(host) {
                Some(refused) => refused,
                None => found(Verdict::Refused, format!("perf events are refused: {text}"), None),
            },
            _ if enters_functions && text.contains(ENOTSUPP) => {
                found(Verdict::Missing, "this kernel cannot enter functions on this architecture".into(), None)
            }
            _ => found(Verdict::Refused, format!("it loads, and does not attach: {text}"), None),
        };
    }
    if forbidden && !host.capabilities.may_trace() {
        found(Verdict::Refused, "without the rights above".into(), None)
    } else if lacks_types(trial) && !host.btf {
        let fix = "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y";
        found(Verdict::Missing, "needs the kernel's own types (BTF), not those of a file".into(), Some(fix))
    } else if lacks_types(trial) {
        found(Verdict::Missing, format!("this kernel has no {place}"), None)
    } else if let Some(word) = verdict(&trial.words) {
        found(Verdict::Refused, format!("the verifier refuses it: {word}"), Some("`ebtop check --log FILE` keeps all it said"))
    } else if forbidden && charges_memlock(host) && host.memlock_bytes.is_some() && !host.capabilities.sys_resource {
        found(Verdict::Refused, "the limit of locked memory is too low".into(), Some("`ulimit -l unlimited`"))
    } else if forbidden && enters_functions {
        let lockdown = host.lockdown.as_deref().unwrap_or("unknown");
        let cause = format!("this kernel lets nobody enter its functions (lockdown: {lockdown})");
        found(Verdict::Refused, cause, Some("boot without lockdown, if that is its cause"))
    } else {
        found(Verdict::Refused, format!("the kernel refuses it: {text}"), None)
    }
}

/// Whether libbpf looked for the place in the kernel's types in vain.
fn lacks_types(trial: &Trial) -> bool {
    ["is not found in vmlinux BTF", "failed to find kernel BTF type ID", "Error loading vmlinux BTF"]
        .iter()
        .any(|said| trial.words.contains(said))
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::{root_on, user_on};
    use super::*;
    use crate::collect::check::Tried;
    use crate::sample::Domain;

    fn refused(section: &str, stage: Stage, errno: i32, words: &str) -> Trial {
        let error = (errno != 0).then(|| libbpf_rs::Error::from_raw_os_error(errno));
        let error = error.map(|error| (error.kind(), format!("{error:#}")));
        Trial { object: "net", program: "net_x".into(), section: section.into(), stage, error, instructions: Some(9), words: words.into() }
    }

    fn cause(trial: &Trial, host: &Host) -> (Verdict, String) {
        let finding = explain(trial, host);
        (finding.verdict, finding.cause)
    }

    #[test]
    fn who_is_refused_is_needed_only_where_its_part_lacks_something() {
        let status = |health| [DomainStatus { domain: Domain::Net, health, lost: 0, cost: None }];
        let needed =
            |errno, status: &[DomainStatus]| hooks(&[refused("kprobe/x", Stage::Load, errno, "")], &root_on("6.1"), status)[0].needed;
        let degraded = Health::Degraded { reason: "no bytes".into() };
        assert_eq!([needed(1, &status(Health::Live)), needed(1, &status(degraded)), needed(1, &[])], [false, true, true]);
    }

    #[test]
    fn a_part_that_does_not_run_yet_needs_one_hook_for_each_use() {
        let status = [DomainStatus { domain: Domain::Watch, health: Health::Standby, lost: 0, cost: None }];
        let trial = |program: &str, stage| Trial { object: "watch", program: program.into(), ..refused("tp_btf/x", stage, 1, "") };
        let trials = [
            trial("watch_switch", Stage::Attached),
            trial("watch_switch_o", Stage::Load),
            trial("watch_send", Stage::Load),
            trial("watch_x_send6", Stage::Attached),
            trial("watch_kr_recv", Stage::Load),
            trial("watch_alloc", Stage::Load),
        ];
        let needed: Vec<_> =
            hooks(&trials, &root_on("6.1"), &status).into_iter().filter(|hook| hook.needed).map(|hook| hook.program).collect();
        assert_eq!(needed, ["watch_kr_recv", "watch_alloc"]);
    }

    #[test]
    fn a_hook_that_works_needs_no_words() {
        let [hook] = &hooks(&[refused("tp_btf/x", Stage::Attached, 0, "")], &root_on("6.1"), &[])[..] else { panic!() };
        assert_eq!((hook.verdict, hook.cause.as_str(), hook.instructions), (Verdict::Works, "", Some(9)));
    }

    #[test]
    fn each_refusal_has_its_cause() {
        let host = root_on("6.1");
        let said = "libbpf: prog 'net_x': failed to find kernel BTF type ID of 'sock_send_length': -3\n";
        let missing = refused("tp_btf/sock_send_length", Stage::Load, libc::ESRCH, said);
        assert_eq!(cause(&missing, &host), (Verdict::Missing, "this kernel has no sock_send_length".into()));
        let no_types = Host { btf: false, ..root_on("6.1") };
        assert!(cause(&missing, &no_types).1.contains("own types"));

        let locked = Host { lockdown: Some("integrity".into()), ..root_on("6.1") };
        let entered = refused("fexit/inet_sendmsg", Stage::Load, libc::EPERM, "");
        assert!(cause(&entered, &locked).1.ends_with("(lockdown: integrity)"));
        assert_eq!(cause(&refused("fexit/inet_sendmsg", Stage::Attach, 524, ""), &host).0, Verdict::Missing);

        assert_eq!(cause(&refused("kretprobe", Stage::Attach, libc::ENOENT, ""), &host).0, Verdict::Missing);
        assert!(explain(&refused("iter/task", Stage::Load, libc::EMFILE, ""), &host).fix.unwrap().contains("ulimit -n"));
        let filtered = Host { perf_event_open: Tried::Absent, seccomp: Some(true), ..root_on("6.1") };
        assert!(cause(&refused("perf_event", Stage::Attach, libc::ENOSYS, ""), &filtered).1.contains("seccomp"));
        let log = "-- BEGIN PROG LOAD LOG --\nR1 type=inv expected=fp\nprocessed 3 insns\n-- END PROG LOAD LOG --";
        assert!(cause(&refused("iter/task", Stage::Load, libc::EACCES, log), &host).1.ends_with("R1 type=inv expected=fp"));
        assert_eq!(cause(&refused("iter/task", Stage::Load, libc::EPERM, ""), &user_on("6.1")).1, "without the rights above");
    }

    #[test]
    fn old_kernels_charge_locked_memory() {
        let mut host = root_on("5.10.0");
        host.capabilities.sys_resource = false;
        assert!(cause(&refused("iter/task", Stage::Load, libc::EPERM, ""), &host).1.contains("locked memory"));
        host.release = "6.1.0".into();
        assert!(!cause(&refused("iter/task", Stage::Load, libc::EPERM, ""), &host).1.contains("locked memory"));
    }
}

use super::*;
use crate::collect::check::{Cgroups, HidePid, Hides, Tried};

pub(in crate::collect::check) fn root_on(release: &str) -> Host {
    Host {
        release: release.into(),
        capabilities: Capabilities {
            sys_admin: true,
            bpf: true,
            perfmon: true,
            sys_ptrace: true,
            dac_read_search: true,
            syslog: true,
            sys_resource: true,
        },
        initial_user_namespace: Some(true),
        initial_pid_namespace: Some(true),
        initial_cgroup_namespace: Some(true),
        btf: true,
        types_file: None,
        types_note: None,
        bpf_syscall: Tried::Works,
        perf_event_open: Tried::Works,
        seccomp: Some(false),
        lockdown: Some("none".into()),
        securityfs: true,
        sysfs: Some(true),
        setcap: None,
        unprivileged_bpf_disabled: Some(2),
        perf_event_paranoid: Some(3),
        kptr_restrict: Some(1),
        tracefs: Some("/sys/kernel/tracing".into()),
        cgroups: Cgroups::V2,
        hidepid: None,
        memlock_bytes: Some(8 << 20),
        open_files: Some(1 << 20),
        euid: 0,
    }
}

pub(in crate::collect::check) fn user_on(release: &str) -> Host {
    let refused = Tried::Refused("Operation not permitted (os error 1)".into());
    let perf_event_open = Tried::Refused("Permission denied (os error 13)".into());
    Host { euid: 1000, capabilities: Capabilities::default(), bpf_syscall: refused, perf_event_open, ..root_on(release) }
}

fn troubles(host: &Host) -> Vec<&'static str> {
    findings(host).into_iter().filter(|finding| finding.verdict != Verdict::Works).map(|finding| finding.topic).collect()
}

#[test]
fn root_on_debian_lacks_nothing() {
    for release in ["5.10.0-46-amd64", "6.1.0-50-cloud-amd64", "7.2.12+deb13-amd64"] {
        let host = root_on(release);
        assert_eq!(troubles(&host), Vec::<&str>::new());
        assert_eq!(why_no_bpf(&host), None);
    }
}

#[test]
fn a_user_is_told_the_one_command() {
    let host = user_on("6.1.0-50-amd64");
    assert_eq!(why_no_bpf(&host).as_deref(), Some("not root: no exits, network, stacks — run `sudo ebtop`"));
    let expected = ["rights", "bpf system call", "perf events", "kernel symbols", "other users' processes", "other users' files"];
    assert_eq!(troubles(&host), expected);
}

#[test]
fn what_no_right_can_mend_is_said_first() {
    let cause = |host: &Host| why_no_bpf(host).unwrap();
    assert!(cause(&user_on("4.19.0-27-amd64")).contains("older than 5.8"));
    assert!(cause(&Host { btf: false, ..user_on("6.1.0") }).contains("CONFIG_DEBUG_INFO_BTF"));
    assert!(cause(&Host { lockdown: Some("confidentiality".into()), ..user_on("6.1.0") }).contains("lockdown"));
}

#[test]
fn containers() {
    let cause = |host: &Host| why_no_bpf(host).unwrap();
    let bare = Host { capabilities: Capabilities::default(), ..root_on("6.12.0") };
    assert!(cause(&bare).contains("--privileged"));
    assert!(findings(&bare).iter().all(|finding| finding.fix.as_deref() != Some("run `sudo ebtop`")), "it is root already");
    let refused = Tried::Refused("EPERM".into());
    let rootless = Host { initial_user_namespace: Some(false), bpf_syscall: refused, ..root_on("6.12.0") };
    assert!(cause(&rootless).contains("rootless"));
    assert!(findings(&rootless).iter().all(|finding| !finding.cause.contains("in spite")));
    let filtered = Host { bpf_syscall: Tried::Refused("EPERM".into()), seccomp: Some(true), ..root_on("6.12.0") };
    assert!(cause(&filtered).contains("seccomp"));
    let own_pids = Host { initial_pid_namespace: Some(false), ..root_on("6.12.0") };
    assert_eq!((why_no_bpf(&own_pids), troubles(&own_pids)), (None, vec!["pid namespace"]));
}

#[test]
fn capabilities_without_root() {
    let two = Capabilities { bpf: true, perfmon: true, ..Capabilities::default() };
    let host = Host { capabilities: two, euid: 1000, perf_event_paranoid: Some(2), ..root_on("6.1.0") };
    assert_eq!(why_no_bpf(&host), None);
    assert!(!troubles(&host).contains(&"perf events"));
    assert!(!troubles(&Host { perf_event_paranoid: Some(3), ..host.clone() }).contains(&"perf events"), "some kernels let them through");
    let refused = Tried::Refused("Permission denied (os error 13)".into());
    let debian = findings(&Host { perf_event_paranoid: Some(3), perf_event_open: refused, ..host });
    let perf_events = debian.iter().find(|finding| finding.topic == "perf events").unwrap();
    assert_eq!(perf_events.verdict, Verdict::Refused);
    assert!(perf_events.fix.as_deref().unwrap().contains("sysctl kernel.perf_event_paranoid=2"), "{perf_events:?}");
}

#[test]
fn locked_memory_matters_before_5_11_only() {
    let mut host = root_on("5.10.0-46-amd64");
    host.capabilities.sys_resource = false;
    assert!(why_no_bpf(&host).unwrap().contains("8192 KiB"));
    // A map could not be charged: seen on 5.10 with a limit of 0.
    let refused = Host { bpf_syscall: Tried::Refused("Operation not permitted (os error 1)".into()), ..host.clone() };
    assert!(why_no_bpf(&refused).unwrap().ends_with("`ulimit -l unlimited`, or add CAP_SYS_RESOURCE"));
    assert!(!findings(&refused).iter().any(|finding| finding.cause.contains("in spite of the rights")));
    assert_eq!(why_no_bpf(&Host { memlock_bytes: None, ..host.clone() }), None);
    assert_eq!(why_no_bpf(&Host { release: "6.1.0".into(), ..host }), None);
}

fn hiding(mode: Hides, group: Option<u32>, is_member: bool) -> Option<HidePid> {
    Some(HidePid { mode, group, is_member })
}

#[test]
fn hidden_processes_and_addresses() {
    let host = Host { hidepid: hiding(Hides::All, None, false), kptr_restrict: Some(2), ..root_on("6.1.0") };
    assert_eq!(troubles(&host), ["kernel symbols"]);
    let of = |hidepid| findings(&Host { hidepid, ..user_on("6.1.0") }).into_iter().find(|finding| finding.topic == "hidepid").unwrap();
    let plain = of(hiding(Hides::All, None, false));
    assert_eq!(plain.cause, "/proc is mounted with hidepid=invisible: only your own processes are seen");
    assert_eq!(plain.fix.unwrap(), "run `sudo ebtop`, or `sudo mount -o remount,hidepid=0 /proc`");
    assert!(of(hiding(Hides::Contents, Some(23), false)).fix.unwrap().contains("join group 23 (`sudo usermod -aG \"$(getent group 23 |"));
    assert_eq!(of(hiding(Hides::All, Some(23), true)).verdict, Verdict::Works);
    let traced = of(hiding(Hides::FromTracersOnly, Some(23), true));
    assert!(traced.cause.ends_with("only processes that you may trace are seen") && !traced.fix.unwrap().contains("group"));
}

#[test]
fn what_is_not_mounted_has_a_line_and_the_command() {
    let finding = |host: &Host, topic: &str| findings(host).into_iter().find(|finding| finding.topic == topic).unwrap();
    let fix = |host: &Host, topic: &str| finding(host, topic).fix.unwrap();
    let bare = Host { sysfs: Some(false), btf: false, securityfs: false, lockdown: None, tracefs: None, ..root_on("6.1.0") };
    let bare = Host { cgroups: Cgroups::None, ..bare };
    assert!(why_no_bpf(&bare).unwrap().ends_with("— `sudo mount -t sysfs sysfs /sys`"));
    assert!(!troubles(&bare).contains(&"kernel types"));
    assert_eq!(fix(&bare, "lockdown"), "`sudo mount -t securityfs securityfs /sys/kernel/security`");
    assert_eq!(fix(&bare, "cgroups"), "`sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup`");
    assert_eq!(fix(&bare, "tracefs"), "`sudo mount -t tracefs tracefs /sys/kernel/tracing`");
    assert_eq!(finding(&Host { lockdown: None, ..root_on("6.1.0") }, "lockdown").cause, "this kernel has none");
    for host in [root_on("5.10.0"), root_on("6.1.0"), user_on("6.1.0"), Host { memlock_bytes: None, seccomp: None, ..bare }] {
        ["lockdown", "locked memory", "seccomp"].into_iter().for_each(|topic| drop(finding(&host, topic)));
    }
}

#[test]
fn a_user_is_told_of_file_capabilities_where_they_would_work() {
    let setcap = Some("sudo setcap cap_bpf=ep /usr/bin/ebtop".into());
    let user = Host { setcap: setcap.clone(), ..user_on("6.1.0") };
    assert!(why_no_bpf(&user).unwrap().ends_with("— run `sudo ebtop`, or once and for all `sudo setcap cap_bpf=ep /usr/bin/ebtop`"));
    assert!(!findings(&Host { setcap, ..root_on("6.1.0") }).iter().any(|f| f.fix.as_ref().is_some_and(|fix| fix.contains("setcap"))));
}

#[test]
fn files_of_types_are_told_whether_they_are_used_or_not() {
    let types = |host: &Host| findings(host).into_iter().find(|finding| finding.topic == "kernel types").unwrap();
    let left_out = types(&Host { types_note: Some(TypesNote::LeftOut("/tmp/x".into())), ..root_on("6.1.0") });
    assert_eq!(left_out.cause, "/sys/kernel/btf/vmlinux; --btf /tmp/x is left out, as this kernel describes its own");
    let note = Some(TypesNote::Useless("/usr/lib/ebtop/btf/6.1.btf".into(), "it is no plain file".into()));
    let useless = types(&Host { btf: false, types_note: note, ..root_on("6.1.0") });
    assert!(useless.verdict == Verdict::Missing && useless.cause.ends_with("/6.1.btf is of no use: it is no plain file"), "{useless:?}");
}

#[test]
fn kernel_addresses_without_a_right() {
    let open = Host { kptr_restrict: Some(0), perf_event_paranoid: Some(1), ..user_on("6.1.0") };
    assert!(!troubles(&open).contains(&"kernel symbols"));
    assert!(troubles(&Host { perf_event_paranoid: Some(2), ..open }).contains(&"kernel symbols"));
}

#[test]
fn nothing_known_blames_nothing_but_rights() {
    let host = Host { btf: true, release: "odd".into(), euid: 1, ..Host::default() };
    assert!(why_no_bpf(&host).unwrap().starts_with("not root"));
}

#[test]
fn a_seccomp_filter_is_named_whatever_it_answers() {
    for answer in [Tried::Absent, Tried::Refused("Operation not permitted (os error 1)".into())] {
        let host = Host { seccomp: Some(true), bpf_syscall: answer, ..root_on("6.1") };
        assert!(why_no_bpf(&host).unwrap().starts_with("a seccomp filter"), "{:?}", why_no_bpf(&host));
    }
    let few = Host { open_files: Some(20), ..root_on("6.1") };
    assert_eq!(
        why_no_bpf(&few).unwrap(),
        "only 20 files may be open here, and the kernel half needs 96 — raise the limit: `ulimit -n 1024`"
    );
    for answer in [Tried::Absent, Tried::Refused("Operation not permitted (os error 1)".into())] {
        let host = Host { seccomp: Some(true), perf_event_open: answer, ..root_on("6.1") };
        assert!(why_no_perf_events(&host).unwrap().starts_with("a seccomp filter of this container or service refuses perf_event_open()"));
        assert_eq!(why_no_bpf(&host), None);
        let cause = why_no_perf_events(&Host { seccomp: Some(false), ..host }).unwrap();
        assert!(cause.contains("CONFIG_PERF_EVENTS") || cause.contains("security module"), "{cause}");
    }
    let host = Host { bpf_syscall: Tried::TooManyFiles, ..root_on("6.1") };
    assert!(why_no_bpf(&host).unwrap().ends_with("`ulimit -n 1024`"));
}

#[test]
fn half_of_the_rights_names_the_other_half() {
    let with = |bpf, perfmon| Host { capabilities: Capabilities { bpf, perfmon, ..Capabilities::default() }, ..user_on("6.1") };
    assert!(why_no_bpf(&with(true, false)).unwrap().starts_with("CAP_BPF without CAP_PERFMON"));
    assert!(why_no_bpf(&with(false, true)).unwrap().starts_with("CAP_PERFMON without CAP_BPF"));
}

#[test]
fn rights_of_a_user_namespace_are_not_taken_for_those_of_the_host() {
    let perf_event_open = Tried::Refused("Permission denied (os error 13)".into());
    let host = Host { initial_user_namespace: Some(false), perf_event_open, ..root_on("6.1") };
    assert_eq!(troubles(&host), ["user namespace", "rights", "other users' processes"]);
    assert!(!findings(&host).iter().any(|f| ["perf events", "kernel symbols", "other users' files"].contains(&f.topic)));
}

#[test]
fn a_cgroup_namespace_hides_the_groups_of_others() {
    let host = Host { initial_cgroup_namespace: Some(false), ..root_on("6.1") };
    let found = findings(&host).into_iter().find(|finding| finding.topic == "cgroups").unwrap();
    assert_eq!((found.verdict, found.fix.is_some_and(|fix| fix.contains("--cgroupns=host"))), (Verdict::Refused, true));
    assert_eq!(troubles(&Host { cgroups: Cgroups::None, ..host }), ["cgroups"]);
}

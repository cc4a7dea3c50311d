use super::*;

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
        bpf_syscall: BpfSyscall::Works,
        seccomp: Some(false),
        lockdown: Some("none".into()),
        unprivileged_bpf_disabled: Some(2),
        perf_event_paranoid: Some(3),
        kptr_restrict: Some(1),
        tracefs: Some("/sys/kernel/tracing".into()),
        cgroups: Cgroups::V2,
        hidepid: Some(false),
        memlock_bytes: Some(8 << 20),
        open_files: Some(1 << 20),
        euid: 0,
    }
}

pub(in crate::collect::check) fn user_on(release: &str) -> Host {
    let refused = BpfSyscall::Refused("Operation not permitted (os error 1)".into());
    Host { euid: 1000, capabilities: Capabilities::default(), bpf_syscall: refused, ..root_on(release) }
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
    let refused = BpfSyscall::Refused("EPERM".into());
    let rootless = Host { initial_user_namespace: Some(false), bpf_syscall: refused, ..root_on("6.12.0") };
    assert!(cause(&rootless).contains("rootless"));
    assert!(findings(&rootless).iter().all(|finding| !finding.cause.contains("in spite")));
    let filtered = Host { bpf_syscall: BpfSyscall::Refused("EPERM".into()), seccomp: Some(true), ..root_on("6.12.0") };
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
    let debian = findings(&Host { perf_event_paranoid: Some(3), ..host });
    let perf_events = debian.iter().find(|finding| finding.topic == "perf events").unwrap();
    assert_eq!(perf_events.verdict, Verdict::Refused);
    assert!(perf_events.fix.as_deref().unwrap().contains("sysctl kernel.perf_event_paranoid=2"), "{perf_events:?}");
}

#[test]
fn locked_memory_matters_before_5_11_only() {
    let mut host = root_on("5.10.0-46-amd64");
    host.capabilities.sys_resource = false;
    assert!(why_no_bpf(&host).unwrap().contains("8192 KiB"));
    assert_eq!(why_no_bpf(&Host { memlock_bytes: None, ..host.clone() }), None);
    assert_eq!(why_no_bpf(&Host { release: "6.1.0".into(), ..host }), None);
}

#[test]
fn hidden_processes_and_addresses() {
    let host = Host { hidepid: Some(true), kptr_restrict: Some(2), ..root_on("6.1.0") };
    assert_eq!(troubles(&host), ["kernel symbols"]);
    assert!(troubles(&Host { hidepid: Some(true), ..user_on("6.1.0") }).contains(&"hidepid"));
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
    for answer in [BpfSyscall::Absent, BpfSyscall::Refused("Operation not permitted (os error 1)".into())] {
        let host = Host { seccomp: Some(true), bpf_syscall: answer, ..root_on("6.1") };
        assert!(why_no_bpf(&host).unwrap().starts_with("a seccomp filter"), "{:?}", why_no_bpf(&host));
    }
    let few = Host { open_files: Some(20), ..root_on("6.1") };
    assert_eq!(
        why_no_bpf(&few).unwrap(),
        "only 20 files may be open here, and the kernel half needs 96 — raise the limit: `ulimit -n 1024`"
    );
    let host = Host { bpf_syscall: BpfSyscall::TooManyFiles, ..root_on("6.1") };
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
    let host = Host { initial_user_namespace: Some(false), ..root_on("6.1") };
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

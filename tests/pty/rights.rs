//! What the threads of the whole ebtop may do once its screen is up.

use std::path::Path;

use crate::session::{Session, command};

/// `CapEff` of the thread of this name.
fn rights_of(pid: u32, thread: &str) -> u64 {
    let is_it = |dir: &Path| std::fs::read_to_string(dir.join("comm")).is_ok_and(|comm| comm.trim_end() == thread);
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|thread| thread.unwrap().path());
    let found: Vec<_> = threads.filter(|dir| is_it(dir)).collect();
    let [dir] = &found[..] else { panic!("threads `{thread}`: {found:?}") };
    let status = std::fs::read_to_string(dir.join("status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap()
}

/// The thread that draws gives up what the one that names needs; it must not inherit that.
#[test]
#[ignore = "root"]
fn names_keep_the_rights_they_need() {
    use caps::Capability::{CAP_CHECKPOINT_RESTORE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYSLOG};
    for args in [&["-d", "200ms"][..], &["-d", "200ms", "--readonly"]] {
        let mut command = command(env!("CARGO_BIN_EXE_ebtop"));
        command.args(args);
        let session = Session::start((120, 30), command);
        session.wait_for_text("COMMAND");
        let rights = rights_of(session.pid(), "symbols");
        for needed in [CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE, CAP_SYSLOG] {
            assert!(rights & needed.bitmask() != 0, "{args:?}: without {needed}: {rights:x}");
        }
    }
}

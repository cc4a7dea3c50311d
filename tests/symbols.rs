//! Names of the addresses of live processes, against what their own program printed.
//!
//! Those that need root (`/proc/PID/map_files`, kernel symbols) are ignored by default and run by `script/test`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ebtop::sample::{Origin, ProcKey};
use ebtop::symbols::{Answer, Frame, FrameKind, Request, spawn};

/// A running `hot_names` and the addresses it printed.
struct Names {
    child: Child,
    addresses: HashMap<String, u64>,
}

impl Names {
    fn start(program: &Path, perf_map: bool) -> Names {
        let mut command = Command::new(program);
        if perf_map {
            command.arg("perf-map");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut addresses = HashMap::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let (kind, address) = line.split_once(' ').unwrap();
            addresses.insert(kind.to_owned(), u64::from_str_radix(address, 16).unwrap());
            if kind == "vdso" {
                break;
            }
        }
        Names { child, addresses }
    }

    fn key(&self) -> ProcKey {
        key_of(self.child.id())
    }
}

impl Drop for Names {
    /// Ends it by the end of its input, so that it takes its perf map away.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn key_of(pid: u32) -> ProcKey {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    ProcKey { pid, start_ns: ticks * 10_000_000 }
}

fn build(dir: &Path, flags: &[&str]) -> PathBuf {
    let program = dir.join("names");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workloads/hot_names.c");
    let built = Command::new("cc").args(["-O1", source, "-o"]).arg(&program).args(flags).status().unwrap();
    assert!(built.success());
    program
}

fn ask(request: Request) -> Answer {
    let (requests, answers) = spawn(Origin::Here);
    requests.send(request).unwrap();
    answers.recv_timeout(Duration::from_secs(30)).unwrap()
}

fn name(names: &Names) -> (HashMap<String, Vec<Frame>>, Option<String>) {
    let user: Vec<u64> = names.addresses.values().copied().collect();
    let answer = ask(Request { key: names.key(), user, kernel: vec![], ..Request::default() });
    let by_address: HashMap<u64, Vec<Frame>> = answer.user.into_iter().collect();
    (names.addresses.iter().map(|(kind, address)| (kind.clone(), by_address[address].clone())).collect(), answer.reason)
}

fn functions(frames: &[Frame]) -> Vec<Option<&str>> {
    frames.iter().map(|f| f.function.as_deref()).collect()
}

#[test]
fn names_of_every_kind() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::start(&build(dir.path(), &["-g"]), true);
    let (frames, reason) = name(&names);
    assert_eq!(functions(&frames["f"]), [Some("f")]);
    assert_eq!(frames["f"][0].module, "names");
    assert_eq!(functions(&frames["bare"]), [Some("within")], "with debug information local labels are names, too");
    assert_eq!(functions(&frames["inlined"]), [Some("inner"), Some("outer")], "innermost first");
    let (file, line) = frames["inlined"][0].source.clone().unwrap();
    let text = include_str!("workloads/hot_names.c").lines().nth(line as usize - 1).unwrap();
    assert!(file.ends_with("hot_names.c") && text.contains("asm"), "{file}:{line}: {text}");
    let call = frames["inlined"][1].source.as_ref().unwrap().1;
    let text = include_str!("workloads/hot_names.c").lines().nth(call as usize - 1).unwrap();
    assert!(text.contains("inner()"), "{call}: {text}");
    assert_eq!((functions(&frames["jit"]), frames["jit"][0].kind), (vec![Some("Interpreter::run")], FrameKind::Jit));
    assert_eq!(functions(&frames["late"]), [Some("late\u{fffd}[1m")]);
    let libc = &frames["libc"][0];
    // With the debug symbols of libc installed it is __GI___qsort_r.
    assert!(libc.function.as_deref().is_some_and(|f| f.ends_with("qsort_r")), "{libc:?}");
    assert!(libc.module.starts_with("libc") && libc.kind == FrameKind::Native, "{libc:?}");
    assert_eq!(frames["vdso"][0].module, "[vdso]");
    assert!(frames["vdso"][0].function.as_deref().is_some_and(|f| f.ends_with("clock_gettime")), "{:?}", frames["vdso"]);
    assert_eq!(reason, None);
}

#[test]
fn a_perf_map_that_another_process_left_names_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::start(&build(dir.path(), &["-g"]), true);
    let map = std::fs::File::options().append(true).open(format!("/tmp/perf-{}.map", names.child.id())).unwrap();
    // As a container has it that was started again: the pids in it are the same, and its files stayed.
    map.set_modified(std::time::SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let (frames, reason) = name(&names);
    assert_eq!(functions(&frames["jit"]), [None]);
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("before the process began")), "{reason:?}");
}

#[test]
fn symbols_without_debug_information() {
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-g0"][..], &["-g0", "-no-pie"], &["-g0", "-static"]] {
        let (frames, _) = name(&Names::start(&build(dir.path(), flags), false));
        assert_eq!(functions(&frames["f"]), [Some("f")], "{flags:?}");
        assert_eq!(functions(&frames["bare"]), [Some("bare")], "{flags:?}");
        assert_eq!(functions(&frames["inlined"]), [Some("outer")], "{flags:?}");
    }
}

#[test]
fn nameless_code_has_module_and_offset() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &["-s"]);
    let names = Names::start(&program, false);
    let (frames, reason) = name(&names);
    let f = &frames["f"][0];
    assert_eq!((f.function.as_deref(), f.module.as_str(), f.kind), (None, "names", FrameKind::Native));
    // The file's bytes at that offset are the memory's at that address.
    let mut memory = [0; 8];
    let file = std::fs::read(&program).unwrap();
    let mem = std::fs::File::open(format!("/proc/{}/mem", names.child.id())).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&mem, &mut memory, names.addresses["f"]).unwrap();
    assert_eq!(file[f.offset as usize..][..8], memory);
    let jit = &frames["jit"][0];
    assert_eq!((jit.function.as_deref(), jit.module.as_str(), jit.offset, jit.kind), (None, "[anon]", 8, FrameKind::Jit));
    assert!(reason.is_some_and(|r| r.contains("perf-PID.map")));
}

#[test]
fn a_process_that_exited() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::start(&build(dir.path(), &[]), false);
    let (key, address) = (names.key(), names.addresses["f"]);
    let (requests, answers) = spawn(Origin::Here);
    let request = Request { key, user: vec![address], kernel: vec![], ..Request::default() };
    requests.send(request.clone()).unwrap();
    let before = answers.recv().unwrap();
    drop(names);
    requests.send(request.clone()).unwrap();
    let after = answers.recv().unwrap();
    assert_eq!(after.user, before.user, "it was seen alive");
    assert!(after.reason.is_some_and(|r| r.contains("exited")));
    let stranger = ask(request);
    assert_eq!((stranger.user[0].1[0].function.as_deref(), stranger.user[0].1[0].module.as_str()), (None, "[unknown]"));
    assert!(stranger.reason.is_some_and(|r| r.contains("exited")));
}

/// Its samples of the last moments are named after it ended, and often before its parent took note.
#[test]
fn a_process_that_nobody_asked_about_is_named_after_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &[]);
    let names = Names::start(&program, false);
    let (key, address) = (names.key(), names.addresses["f"]);
    let (requests, answers) = spawn(Origin::Here);
    let request = Request { key, user: vec![address], ..Request::default() };
    requests.send(Request { only_keep: true, ..request.clone() }).unwrap();
    // The one that is answered tells that the one before was heard.
    requests.send(Request::default()).unwrap();
    assert!(answers.recv().unwrap().user.is_empty());
    drop(names);
    std::fs::remove_file(&program).unwrap();
    requests.send(request).unwrap();
    let answer = answers.recv().unwrap();
    assert_eq!(functions(&answer.user[0].1), [Some("f")], "{:?}", answer.reason);
}

#[test]
fn a_zombie_keeps_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut names = Names::start(&build(dir.path(), &[]), false);
    let (requests, answers) = spawn(Origin::Here);
    let request = Request { key: names.key(), user: vec![names.addresses["f"]], kernel: vec![], ..Request::default() };
    requests.send(request.clone()).unwrap();
    let before = answers.recv().unwrap();
    drop(names.child.stdin.take());
    let stat = format!("/proc/{}/stat", names.child.id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    requests.send(request).unwrap();
    let after = answers.recv().unwrap();
    assert_eq!(after.user, before.user);
    assert!(after.reason.is_some_and(|r| r.contains("exited")));
}

#[test]
fn a_reused_pid_is_never_named() {
    let dir = tempfile::tempdir().unwrap();
    let names = Names::start(&build(dir.path(), &[]), false);
    let mut key = names.key();
    key.start_ns -= 10_000_000;
    let answer = ask(Request { key, user: vec![names.addresses["f"]], kernel: vec![], ..Request::default() });
    assert_eq!(answer.user[0].1[0].function, None);
}

#[test]
fn a_program_replaced_in_place_gets_its_new_names() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &[]);
    let (requests, answers) = spawn(Origin::Here);
    let ask = |names: &Names| {
        requests.send(Request { key: names.key(), user: vec![names.addresses["f"]], kernel: vec![], ..Request::default() }).unwrap();
        answers.recv().unwrap().user[0].1[0].function.clone()
    };
    assert_eq!(ask(&Names::start(&program, false)).as_deref(), Some("f"));
    build(dir.path(), &["-Df=renamed"]);
    assert_eq!(ask(&Names::start(&program, false)).as_deref(), Some("renamed"));
}

#[test]
#[ignore = "root"]
fn a_deleted_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &[]);
    let names = Names::start(&program, false);
    std::fs::remove_file(&program).unwrap();
    let (frames, _) = name(&names);
    assert_eq!((functions(&frames["f"]), frames["f"][0].module.as_str()), (vec![Some("f")], "names"));
}

#[test]
#[ignore = "root"]
fn kernel_names() {
    let kallsyms = std::fs::read_to_string("/proc/kallsyms").unwrap();
    let address = |wanted: &str| {
        let line = kallsyms.lines().find(|l| l.split_whitespace().nth(2) == Some(wanted)).unwrap();
        u64::from_str_radix(&line[..16], 16).unwrap()
    };
    let kernel = vec![address("vfs_read") + 8, address("schedule") + 4, address("_stext") - 4096];
    let answer = ask(Request { key: ProcKey::default(), user: vec![], kernel: kernel.clone(), ..Request::default() });
    let names: Vec<_> = answer.kernel.iter().map(|(_, frames)| frames[0].function.as_deref()).collect();
    assert_eq!(names[..2], [Some("vfs_read"), Some("schedule")]);
    let frame = &answer.kernel[0].1[0];
    assert_eq!((frame.module.as_str(), frame.kind), ("vmlinux", FrameKind::Kernel));
    assert_eq!(frame.offset, kernel[0] - address("_stext"));
    assert_eq!((names[2], answer.reason), (None, None));
}

#[test]
fn addresses_of_another_machine_get_no_names_of_this_one() {
    let (requests, answers) = spawn(Origin::Elsewhere);
    let here = addresses_of_another_machine_get_no_names_of_this_one as fn() as usize as u64;
    let request = Request { key: key_of(std::process::id()), user: vec![here], kernel: vec![0xffff_ffff_8100_0000], ..Request::default() };
    requests.send(request).unwrap();
    let answer = answers.recv_timeout(Duration::from_secs(10)).unwrap();
    let frames: Vec<&Frame> = answer.user.iter().chain(&answer.kernel).flat_map(|(_, frames)| frames).collect();
    assert_eq!(frames.iter().map(|f| f.function.clone()).collect::<Vec<_>>(), [None, None]);
    assert!(answer.reason.is_some_and(|why| why.contains("another machine")));
}

/// Splits the program's debug information off and strips it, without a link to it.
fn split(program: &Path, debug: &Path) {
    std::fs::create_dir_all(debug.parent().unwrap()).unwrap();
    run(Command::new("objcopy").arg("--only-keep-debug").arg(program).arg(debug));
    run(Command::new("strip").arg("-s").arg(program));
}

fn run(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}

/// The functions and whether a line is known.
fn told(frames: &[Frame]) -> (Vec<Option<&str>>, bool) {
    (functions(frames), frames.iter().all(|f| f.source.is_some()))
}

#[test]
fn a_linked_debug_file_is_found_beside_the_program_and_below_it() {
    for place in ["names.debug", ".debug/names.debug"] {
        for build_id in ["-Wl,--build-id=sha1", "-Wl,--build-id=none"] {
            let dir = tempfile::tempdir().unwrap();
            let program = build(dir.path(), &["-g", build_id]);
            let debug = dir.path().join(place);
            split(&program, &debug);
            run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(&program));
            let (frames, _) = name(&Names::start(&program, false));
            assert_eq!(told(&frames["f"]), (vec![Some("f")], true), "{place} {build_id}");
            assert_eq!(told(&frames["inlined"]), (vec![Some("inner"), Some("outer")], true), "{place} {build_id}");
            // One of another build is not taken.
            std::fs::write(&debug, std::fs::read("/proc/self/exe").unwrap()).unwrap();
            let (frames, _) = name(&Names::start(&program, false));
            assert_eq!(told(&frames["f"]), (vec![None], false), "{place} {build_id}");
        }
    }
}

#[test]
fn a_link_to_a_pipe_does_not_stop_the_names() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &["-g", "-Wl,--build-id=none"]);
    let debug = dir.path().join("names.debug");
    split(&program, &debug);
    run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(&program));
    std::fs::remove_file(&debug).unwrap();
    run(Command::new("mkfifo").arg(&debug));
    let (frames, _) = name(&Names::start(&program, false));
    assert_eq!(functions(&frames["f"]), [None]);
}

/// Installs the debug file of the program, which it strips, by build id in a root directory.
fn install_by_build_id(program: &Path, root: &Path) -> PathBuf {
    let notes = Command::new("readelf").arg("-n").arg(program).output().unwrap().stdout;
    let notes = String::from_utf8(notes).unwrap();
    let id = notes.lines().find_map(|l| l.trim().strip_prefix("Build ID: ")).unwrap();
    let debug = root.join("usr/lib/debug/.build-id").join(&id[..2]).join(format!("{}.debug", &id[2..]));
    split(program, &debug);
    debug
}

#[test]
#[ignore = "root"]
fn a_debug_file_is_found_by_build_id_in_our_root() {
    let dir = tempfile::tempdir().unwrap();
    let program = build(dir.path(), &["-g", "-Wl,--build-id=sha1"]);
    let debug = install_by_build_id(&program, Path::new("/"));
    let names = Names::start(&program, false);
    let (frames, _) = name(&names);
    std::fs::remove_file(debug).unwrap();
    assert_eq!(told(&frames["inlined"]), (vec![Some("inner"), Some("outer")], true));
}

#[test]
#[ignore = "root"]
fn a_debug_file_is_found_in_the_root_of_a_container() {
    let root = tempfile::tempdir().unwrap();
    let program = build(root.path(), &["-g", "-static", "-Wl,--build-id=sha1"]);
    install_by_build_id(&program, root.path());
    let start = root.path().join("start");
    std::fs::write(&start, format!("#!/bin/sh\nexec chroot {} /names\n", root.path().display())).unwrap();
    run(Command::new("chmod").arg("+x").arg(&start));
    let (frames, _) = name(&Names::start(&start, false));
    assert_eq!(told(&frames["inlined"]), (vec![Some("inner"), Some("outer")], true));
}

#[test]
fn packed_symbols_of_a_stripped_program() {
    let dir = tempfile::tempdir().unwrap();
    // Exported names are in .dynsym, and the packed symbols leave them out.
    let program = build(dir.path(), &["-g", "-Wl,--export-dynamic-symbol=outer"]);
    let packed = dir.path().join("symbols");
    split(&program, &packed);
    run(Command::new("objcopy").args(["-S", "--remove-section=.gdb_index", "--keep-symbol=f"]).arg(&packed));
    run(Command::new("xz").arg(&packed));
    let section = format!(".gnu_debugdata={}/symbols.xz", dir.path().display());
    run(Command::new("objcopy").args(["--add-section", &section]).arg(&program));
    let (frames, _) = name(&Names::start(&program, false));
    assert_eq!(functions(&frames["f"]), [Some("f")]);
    assert_eq!(functions(&frames["inlined"]), [Some("outer")]);
}

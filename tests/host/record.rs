use std::process::Stdio;
use std::time::{Duration, Instant};

use ebtop::collect::proc_fs::ProcFs;
use ebtop::collect::{Collector, Source, SourceError};
use ebtop::record::{Recorder, Replay};
use ebtop::sample::{Command, Details, Update};

#[test]
fn what_the_host_said_plays_again_through_the_collector() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let mut source = ProcFs::open("why".into()).unwrap();
    let first = source.sample().unwrap();
    let second = source.sample().unwrap();
    let me = first.tasks.iter().find(|task| task.key.pid == std::process::id()).unwrap();
    let details = Details { cmdline: "me".into(), ..Details::default() };
    let mut recorder = Recorder::create(&path).unwrap();
    recorder.details(&[(me.key, details.clone())]);
    recorder.sample(&first).unwrap();
    recorder.sample(&second).unwrap();

    let file = path.clone();
    let collector = Collector::start(Duration::from_millis(50), move || Ok(Replay::open(&file)?)).unwrap();
    let Update::Sample(played) = collector.updates.recv().unwrap() else { panic!("no sample") };
    assert_eq!(*played, first);
    collector.send(Command::Details(vec![me.key]));
    let mut seen = (None, None);
    loop {
        match collector.updates.recv().unwrap() {
            Update::Sample(played) => seen.0 = Some(played),
            Update::Details(answer) => seen.1 = Some(answer),
            Update::Inspected(..) => panic!("nobody asked"),
            Update::Ready => {}
            Update::Missed(why) => panic!("{why}"),
            Update::End(error) => {
                assert_eq!(error, None);
                break;
            }
        }
    }
    assert_eq!(seen.0.as_deref(), Some(&second));
    assert_eq!(seen.1, Some(vec![(me.key, details)]));
}

#[test]
fn a_recording_that_does_not_exist_says_its_name() {
    let error = Replay::open("/none/such".as_ref()).err().unwrap().to_string();
    assert!(error.starts_with("/none/such: "), "{error}");
    assert_eq!(SourceError::End.to_string(), "end of the recording");
}

/// The shell sends SIGHUP to what runs in the background when the line drops.
#[test]
fn under_nohup_a_recording_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r");
    let mut command = std::process::Command::new("nohup");
    command
        .args([env!("CARGO_BIN_EXE_ebtop"), "record", "--no-bpf", "-d", "0.1", "-o"])
        .arg(&path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut recording = command.stdin(Stdio::null()).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&recording);
    let length = || std::fs::metadata(&path).map_or(0, |file| file.len());
    let deadline = Instant::now() + Duration::from_secs(60);
    let grows_beyond = |before: u64| {
        while length() <= before {
            assert!(Instant::now() < deadline, "waited in vain for a sample");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    grows_beyond(200);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    // One sample may have been under way.
    (0..3).for_each(|_| grows_beyond(length()));
    assert!(recording.try_wait().unwrap().is_none());
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(recording.wait().unwrap().success());
}

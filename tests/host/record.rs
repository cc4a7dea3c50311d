use std::time::Duration;

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

//! Recording and playing it again.

use serde_json::Value;

use crate::assert_within;
use crate::program::{PATIENCE, list, number, run, sum, ticks_of};
use crate::workload::Workload;

#[test]
#[ignore = "root"]
fn a_recording_plays_the_numbers_that_were_true() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("e2e.rec");
    let file = file.to_str().unwrap();
    let mut idle = Workload::start("tasks", &["report"]);
    let truth = idle.usage();
    let mut busy = None;
    let recorded = std::thread::scope(|scope| {
        let recording = scope.spawn(|| run(&["record", "-o", file, "-n", "8", "-d", "0.5"]));
        // Its header is a few bytes; what happens after the first walk must be in the ticks that follow.
        let deadline = std::time::Instant::now() + PATIENCE;
        while std::fs::metadata(file).map_or(0, |file| file.len()) < 1024 {
            assert!(std::time::Instant::now() < deadline, "waited in vain for the first walk");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let mut load = Workload::start("tasks", &["children", "5", "0.5"]);
        busy = Some((load.pid(), load.usage()));
        load.end();
        recording.join().unwrap()
    });
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    assert_eq!(std::fs::metadata(file).unwrap().permissions(), std::os::unix::fs::PermissionsExt::from_mode(0o100600));

    let play = || {
        let output = run(&["replay", file, "-b", "-o", "json", "-d", "0.1"]);
        let (code, error) = (output.status.code(), String::from_utf8_lossy(&output.stderr));
        assert!(matches!(code, Some(0 | 4)) && error.is_empty(), "{code:?} {error}");
        output.stdout
    };
    let ticks = ticks_of(&play());
    assert_eq!(ticks.len(), 7);
    for tick in &ticks {
        let row = list(tick, "processes").iter().find(|row| number(row, "pid") == u64::from(idle.pid())).unwrap();
        assert_eq!([number(row, "min_flt_total"), number(row, "maj_flt_total"), number(row, "cpu_ns")], [truth.minor, truth.major, 0]);
        assert!(row["cmdline"].as_str().unwrap().ends_with("e2e-tasks report"), "{row}");
    }
    let (parent, usage) = busy.unwrap();
    let of_busy = |row: &Value| number(row, "ppid") == u64::from(parent);
    assert_within("recorded CPU of children", sum(&ticks, "cpu_ns", of_busy), usage.cpu_ns, 1.0);
    assert_eq!(ticks_of(&play()), ticks, "it plays the same every time");
    idle.end();
}

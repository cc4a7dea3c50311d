//! Starts ebtop under a real workload, presses keys, and writes each view as SVG and PNG.
//!
//! usage: `screenshots EBTOP FOLDER`, as root; script/screenshots builds both and calls it so.

mod draw;
mod glyph;
mod groups;
#[path = "../../tests/pty/session.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod session;
mod workload;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result};
use session::{Session, command};
use workload::Workload;

/// Columns and rows of every picture.
const SIZE: (u16, u16) = (120, 34);
/// How long stacks are sampled before the first picture.
const WARM_UP: Duration = Duration::from_secs(12);
/// Two refreshes at the default second, so that a view shows rates.
const SETTLE: Duration = Duration::from_millis(2500);

/// One picture: file name, keys that lead there from the one before, text that must be on it.
struct Shot {
    name: &'static str,
    keys: &'static [&'static str],
    holds: &'static str,
}

const SHOTS: [Shot; 10] = [
    Shot { name: "processes", keys: &["1"], holds: "web-server" },
    Shot { name: "cpu", keys: &["2"], holds: "WAIT%" },
    Shot { name: "memory", keys: &["3"], holds: "ANON" },
    Shot { name: "network", keys: &["4"], holds: "load-gen" },
    Shot { name: "sockets", keys: &["s"], holds: "8080" },
    Shot { name: "listeners", keys: &["l"], holds: "WAITING" },
    Shot { name: "disk", keys: &["5"], holds: "backup" },
    Shot { name: "details", keys: &["1", "/web-server", "\r", "i"], holds: "Runs in" },
    Shot { name: "stacks", keys: &["\x1b", "1", "/web-server", "\r", "\r"], holds: "compress_body" },
    Shot { name: "help", keys: &["\x1b", "?"], holds: "filter" },
];

/// Control groups have no user: these are told by their name.
const OF_GROUPS: Shot = Shot { name: "cgroups", keys: &["6"], holds: "queue-worker" };

fn main() -> Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let (ebtop, folder) = args.next().zip(args.next()).context("usage: screenshots EBTOP FOLDER")?;
    let ebtop = fs::canonicalize(&ebtop).with_context(|| ebtop.display().to_string())?;
    let _work = Workload::start()?;
    // Who else works on the machine is nobody's business; what exited tells only names.
    take_all(&ebtop, &format!("user={} or exited", workload::USER.0), &SHOTS, &folder)?;
    take_all(&ebtop, groups::TOP, &[OF_GROUPS], &folder)
}

/// Pictures of one run, which shows what passes the filter.
fn take_all(ebtop: &Path, filter: &str, shots: &[Shot], folder: &Path) -> Result<()> {
    let mut command = command(ebtop);
    command.args(["--filter", filter]);
    let mut session = Session::start(SIZE, command);
    thread::sleep(WARM_UP);
    for shot in shots {
        take(&session, shot, folder)?;
    }
    press(&session, &["\x1b", "q"]);
    session.wait_exit();
    Ok(())
}

fn take(session: &Session, shot: &Shot, folder: &Path) -> Result<()> {
    press(session, shot.keys);
    thread::sleep(SETTLE);
    session.wait_for(shot.name, |screen| screen.contains(shot.holds));
    let svg = session.with_screen(|screen| draw::svg(screen, &format!("ebtop: {}", shot.name)));
    fs::write(folder.join(shot.name).with_extension("svg"), &svg)?;
    draw::png(&svg, &folder.join(shot.name).with_extension("png"))?;
    println!("{}", shot.name);
    Ok(())
}

/// Keys one after another: an escape right before another key would be Alt and that key.
fn press(session: &Session, keys: &[&str]) {
    for key in keys {
        session.keys(key);
        thread::sleep(Duration::from_millis(300));
    }
}

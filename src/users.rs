//! Names of users.
//!
//! A dynamically linked binary asks the C library, and with it whatever name service the machine has. The static one carries a C
//! library that must not load the machine's plugins for that: it reads /etc/passwd, and asks `getent` for those that are not there.

#[cfg(target_feature = "crt-static")]
mod getent;
mod passwd;

use std::path::PathBuf;
use std::time::Duration;

use crate::sample::printable;

/// How long somebody who looks at an empty screen waits for a directory on a network.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long somebody waits who asked for a user by name: as long as a directory takes that is only slow.
const PATIENCE_FOR_NAMES: Duration = Duration::from_secs(5);

/// Why the number of a user is not known.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// Nobody has that name.
    #[error("there is no user `{0}`: give a name or a number")]
    Nobody(String),
    /// Whoever would know does not answer.
    #[error("no answer within {within:?} about user `{0}`, who is not in /etc/passwd: give the number instead", within = PATIENCE_FOR_NAMES)]
    NoAnswer(String),
}

/// The number of a user: by /etc/passwd, or else by what the directory says in time.
///
/// # Errors
/// Nobody has that name, or nobody says so in time.
pub fn uid_in_time(name: &str) -> Result<u32, NoUser> {
    let known = passwd::users(&passwd::read()).find(|user| user.name == name).map(|user| user.uid);
    known.map_or_else(|| uid_within(PATIENCE_FOR_NAMES, name, uid_of), Ok)
}

fn uid_within(patience: Duration, name: &str, ask: impl FnOnce(&str) -> Option<u32> + Send + 'static) -> Result<u32, NoUser> {
    let (shown, asked) = (printable(name.as_bytes()), name.to_owned());
    match within(patience, move || ask(&asked)) {
        Some(Some(uid)) => Ok(uid),
        Some(None) => Err(NoUser::Nobody(shown)),
        None => Err(NoUser::NoAnswer(shown)),
    }
}

/// As [`name_of`], but waits for a directory no longer than a moment: /etc/passwd first.
pub fn name_soon(uid: u32) -> Option<String> {
    let known = passwd::users(&passwd::read()).find(|user| user.uid == uid).map(|user| printable(user.name.as_bytes()));
    known.or_else(|| soon(move || name_of(uid)))
}

/// The users of /etc/passwd, in order, fit for a terminal.
pub fn local() -> Vec<(u32, String)> {
    passwd::users(&passwd::read()).map(|user| (user.uid, printable(user.name.as_bytes()))).collect()
}

/// The home directory of a user, by /etc/passwd or else by what the directory says within a moment.
pub fn home_soon(uid: u32) -> Option<PathBuf> {
    let known = passwd::users(&passwd::read()).find(|user| user.uid == uid).map(|user| user.home.into());
    known.or_else(|| soon(move || home_of(uid)))
}

fn soon<T: Send + 'static>(ask: impl FnOnce() -> Option<T> + Send + 'static) -> Option<T> {
    within(PATIENCE, ask).flatten()
}

/// The answer of something that may hang; then its thread is left behind.
fn within<T: Send + 'static>(patience: Duration, ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = crossbeam_channel::bounded(1);
    let work = move || {
        let _ = tell.send(ask());
    };
    std::thread::Builder::new().name("users".into()).spawn(work).ok()?;
    told.recv_timeout(patience).ok()
}

/// The name of a user, fit for a terminal; `None` where nobody has that number, or nobody knows. May wait for a directory on a network.
pub fn name_of(uid: u32) -> Option<String> {
    raw_name_of(uid).map(|name| printable(name.as_bytes()))
}

#[cfg(not(target_feature = "crt-static"))]
fn raw_name_of(uid: u32) -> Option<String> {
    use nix::unistd::{Uid, User};
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

#[cfg(not(target_feature = "crt-static"))]
fn home_of(uid: u32) -> Option<PathBuf> {
    use nix::unistd::{Uid, User};
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.dir)
}

/// The number of a user; `None` where nobody has that name, or nobody knows.
#[cfg(not(target_feature = "crt-static"))]
fn uid_of(name: &str) -> Option<u32> {
    nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// What /etc/passwd does not have.
#[cfg(target_feature = "crt-static")]
fn home_of(uid: u32) -> Option<PathBuf> {
    passwd::users(&getent::passwd(&uid.to_string())).find(|user| user.uid == uid).map(|user| user.home.into())
}

#[cfg(target_feature = "crt-static")]
fn raw_name_of(uid: u32) -> Option<String> {
    let find = |file: &[u8]| passwd::users(file).find(|user| user.uid == uid).map(|user| user.name);
    find(&passwd::read()).or_else(|| find(&getent::passwd(&uid.to_string())))
}

/// The number of a user; `None` where nobody has that name, or nobody knows.
#[cfg(target_feature = "crt-static")]
fn uid_of(name: &str) -> Option<u32> {
    let find = |file: &[u8]| passwd::users(file).find(|user| user.name == name).map(|user| user.uid);
    find(&passwd::read()).or_else(|| find(&getent::passwd(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_hangs_is_not_waited_for() {
        let (_never, release) = crossbeam_channel::bounded::<()>(0);
        let start = std::time::Instant::now();
        assert_eq!(soon(move || Some(release.recv())), None);
        assert!(start.elapsed() < 20 * PATIENCE);
        assert_eq!(soon(|| Some(7)), Some(7));
        assert_eq!((name_soon(0).as_deref(), home_soon(0)), (Some("root"), Some("/root".into())));
        assert_eq!(name_soon(3_999_999_999), None);
    }

    #[test]
    fn a_name_is_asked_for_no_longer_than_somebody_waits() {
        let (_never, release) = crossbeam_channel::bounded::<()>(0);
        let hangs = move |_: &str| release.recv().ok().map(|()| 1);
        let error = uid_within(PATIENCE, "bob\x1b[2J", hangs).unwrap_err();
        assert_eq!(error, NoUser::NoAnswer("bob\u{fffd}[2J".into()));
        assert!(error.to_string().ends_with("give the number instead"));
        assert_eq!((uid_in_time("root"), uid_in_time("no such user")), (Ok(0), Err(NoUser::Nobody("no such user".into()))));
    }

    #[test]
    fn root_is_zero_and_nobody_is_unknown() {
        assert_eq!((name_of(0).as_deref(), uid_of("root")), (Some("root"), Some(0)));
        assert_eq!((name_of(3_999_999_999), uid_of("no such user")), (None, None));
    }
}

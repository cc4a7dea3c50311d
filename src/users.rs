//! Names of users.
//!
//! A dynamically linked binary asks the C library, and with it whatever name service the machine has. The static one carries a C
//! library that must not load the machine's plugins for that: it reads /etc/passwd, and asks `getent` for those that are not there.

#[cfg(target_feature = "crt-static")]
mod getent;
#[cfg_attr(not(target_feature = "crt-static"), cfg(test))]
mod passwd;

use crate::sample::printable;

/// The name of a user, fit for a terminal; `None` where nobody has that number, or nobody knows. May wait for a directory on a network.
pub fn name_of(uid: u32) -> Option<String> {
    raw_name_of(uid).map(|name| printable(name.as_bytes()))
}

#[cfg(not(target_feature = "crt-static"))]
fn raw_name_of(uid: u32) -> Option<String> {
    use nix::unistd::{Uid, User};
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
}

/// The home directory of a user; `None` where nobody has that number, or nobody knows.
#[cfg(not(target_feature = "crt-static"))]
pub fn home_of(uid: u32) -> Option<std::path::PathBuf> {
    use nix::unistd::{Uid, User};
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.dir)
}

/// The number of a user; `None` where nobody has that name, or nobody knows.
#[cfg(not(target_feature = "crt-static"))]
pub fn uid_of(name: &str) -> Option<u32> {
    nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// The home directory of a user; `None` where nobody has that number, or nobody knows.
#[cfg(target_feature = "crt-static")]
pub fn home_of(uid: u32) -> Option<std::path::PathBuf> {
    let find = |file: &[u8]| passwd::users(file).find(|user| user.uid == uid).map(|user| user.home.into());
    find(&passwd::read()).or_else(|| find(&getent::passwd(&uid.to_string())))
}

#[cfg(target_feature = "crt-static")]
fn raw_name_of(uid: u32) -> Option<String> {
    let find = |file: &[u8]| passwd::users(file).find(|user| user.uid == uid).map(|user| user.name);
    find(&passwd::read()).or_else(|| find(&getent::passwd(&uid.to_string())))
}

/// The number of a user; `None` where nobody has that name, or nobody knows.
#[cfg(target_feature = "crt-static")]
pub fn uid_of(name: &str) -> Option<u32> {
    let find = |file: &[u8]| passwd::users(file).find(|user| user.name == name).map(|user| user.uid);
    find(&passwd::read()).or_else(|| find(&getent::passwd(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_zero_and_nobody_is_unknown() {
        assert_eq!((name_of(0).as_deref(), uid_of("root")), (Some("root"), Some(0)));
        assert_eq!((name_of(3_999_999_999), uid_of("no such user")), (None, None));
    }
}

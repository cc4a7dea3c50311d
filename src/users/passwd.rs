//! Lines of passwd(5), as /etc/passwd holds them and `getent passwd` prints them.

use std::io::Read;

/// Far more than a file that people edit has.
const BYTES_MAX: u64 = 16 << 20;

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    /// Home directory.
    pub(super) home: String,
}

/// /etc/passwd; empty where it cannot be read.
pub(super) fn read() -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open("/etc/passwd") {
        // What was read before an error still holds.
        let _ = file.take(BYTES_MAX).read_to_end(&mut bytes);
    }
    bytes
}

/// The users, in order. Lines that make no sense are left out, as are those of NIS (`+name`).
pub(super) fn users(bytes: &[u8]) -> impl Iterator<Item = User> {
    bytes.split(|&b| b == b'\n').filter_map(user)
}

/// `name:password:uid:gid:comment:home:…`
fn user(line: &[u8]) -> Option<User> {
    let mut fields = line.split(|&b| b == b':');
    let name = std::str::from_utf8(fields.next()?).ok()?;
    let uid = std::str::from_utf8(fields.nth(1)?).ok()?;
    let home = fields.nth(2).and_then(|home| std::str::from_utf8(home).ok()).unwrap_or_default().to_owned();
    let is_name = !name.is_empty() && !name.starts_with(['+', '-', '#', ' ']);
    (is_name && uid.bytes().all(|b| b.is_ascii_digit())).then_some(User { name: name.to_owned(), uid: uid.parse().ok()?, home })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_that_make_no_sense_are_left_out() {
        let text =
            b"root:x:0:0:root:/root:/bin/sh\n# old:x:9:9\n+nis:x:5:5\n\nbroken\n:x:1:1\na:x:-1:1\nb:x:+1:1\nc:x:4294967296:1\nlast:x:7:7";
        let found: Vec<_> = users(text).map(|user| (user.name, user.uid)).collect();
        assert_eq!(found, [("root".to_owned(), 0), ("last".to_owned(), 7)]);
    }

    #[test]
    fn the_machines_own_file_has_root() {
        assert!(users(&read()).any(|user| user.uid == 0 && user.name == "root" && user.home == "/root"));
    }

    proptest! {
        #[test]
        fn every_good_line_is_found_among_noise(name in "[a-z_][a-z0-9_-]{0,12}", uid: u32, noise in "[^\n]{0,40}") {
            let text = format!("{noise}\n{name}:x:{uid}:0:{noise}:/:\n{noise}");
            prop_assert!(users(text.as_bytes()).any(|user| (&user.name, user.uid) == (&name, uid)));
        }

        #[test]
        fn any_bytes_parse(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(users(&bytes).all(|user| !user.name.is_empty() && !user.name.contains([':', '\n'])));
        }
    }
}

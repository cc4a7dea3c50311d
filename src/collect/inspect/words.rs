//! Arguments and environment: words that end in NUL.

use std::os::fd::OwnedFd;

use super::{fact, read};
use crate::sample::inspection::{Fact, Listing};
use crate::sample::printable;

/// Bytes that are read; the rest is left out.
const BYTES: usize = 256 << 10;
/// Words that are kept.
const WORDS: usize = 4096;

/// The arguments, the program's name first.
pub(super) fn arguments(process: &OwnedFd) -> Fact<Listing<String>> {
    fact(read(process, "cmdline", BYTES).map(|(bytes, is_cut)| words(title(&bytes), is_cut)))
}

/// `NAME=value`, as the program was started.
pub(super) fn environment(process: &OwnedFd) -> Fact<Listing<String>> {
    fact(read(process, "environ", BYTES).map(|(bytes, is_cut)| words(&bytes, is_cut)))
}

/// A process that writes its own title leaves NULs or blanks behind it.
fn title(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    // An empty argument at the end is one, where the arguments are still as they were: each with its own NUL.
    let nuls = bytes[end..].iter().all(|&b| b == 0);
    let rest = if nuls && bytes.len() - end <= 2 { bytes.len() } else { end };
    &bytes[..rest]
}

fn words(bytes: &[u8], is_cut: bool) -> Listing<String> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if bytes.is_empty() {
        return Listing { is_cut, ..Listing::default() };
    }
    let all = bytes.split(|&b| b == 0);
    Listing { total: all.clone().count(), first: all.take(WORDS).map(printable).collect(), is_cut }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> Vec<String> {
        words(title(bytes), false).first
    }

    #[test]
    fn words_end_in_nul() {
        assert_eq!(of(b"a\0b c\0\0d\0"), ["a", "b c", "", "d"]);
        assert_eq!(of(b"sh\0-c\0\0"), ["sh", "-c", ""]);
        assert_eq!(of(b"postgres: writer   \0\0\0\0"), ["postgres: writer"]);
        assert_eq!(of(b"x\x1b]0;t\x07\xff"), ["x\u{fffd}]0;t\u{fffd}\u{fffd}"]);
        assert_eq!((of(b""), of(b"\0\0\0")), (vec![], vec![]));
    }

    #[test]
    fn many_are_counted_and_the_first_kept() {
        let listing = words(&b"x\0".repeat(WORDS + 5), true);
        assert_eq!((listing.first.len(), listing.total, listing.is_cut), (WORDS, WORDS + 5, true));
    }

    proptest! {
        #[test]
        fn any_bytes_make_printable_words(bytes in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..200)) {
            prop_assert!(of(&bytes).iter().all(|word| !word.chars().any(char::is_control)));
        }
    }
}

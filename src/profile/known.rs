//! Whether a file is a profile that was written before, by what it holds: only such a file is replaced.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes looked at: the longest stacks make lines of some dozen kilobytes.
const HEAD: usize = 64 << 10;
/// Lines of folded stacks looked at.
const LINES: usize = 16;
/// What inferno's flame graphs say of themselves.
const FLAME_GRAPH: &str = "Flame graph stack visualization";
/// Which profiles speedscope's files are told by.
const SPEEDSCOPE: &str = "https://www.speedscope.app/file-format-schema.json";

/// Whether a file is empty, or begins like a profile in any of the forms.
///
/// # Errors
/// The file cannot be read.
pub(super) fn is_profile(file: &File) -> io::Result<bool> {
    let mut head = vec![0; HEAD];
    let mut len = 0;
    while len < HEAD {
        match file.read_at(&mut head[len..], len as u64)? {
            0 => break,
            read => len += read,
        }
    }
    head.truncate(len);
    let text = String::from_utf8_lossy(&head);
    Ok(head.is_empty() || crate::export::pprof::is_ours(&head) || is_drawn(&text) || is_table(&text) || is_folded(&text, len == HEAD))
}

fn is_drawn(text: &str) -> bool {
    (text.starts_with("<?xml") && text.contains(FLAME_GRAPH)) || (text.starts_with('{') && text.contains(SPEEDSCOPE))
}

/// As `hot::text` begins.
fn is_table(text: &str) -> bool {
    text.lines().next().is_some_and(|line| line.contains("% of stacks whole, ") && line.ends_with(" lost"))
}

/// Whole lines, each `frame;frame VALUE`; the last is not looked at where the text is cut.
fn is_folded(text: &str, is_cut: bool) -> bool {
    let is_stack = |line: &str| {
        let path_and_value = line.rsplit_once(' ');
        path_and_value.is_some_and(|(path, value)| path.contains(';') && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()))
    };
    let whole = if is_cut { text.rsplit_once('\n').map_or("", |(whole, _)| whole) } else { text };
    !whole.is_empty() && whole.lines().take(LINES).all(is_stack)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::profile::tests::{profile, stack};
    use crate::profile::Form;

    fn is_known(bytes: &[u8]) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        is_profile(file.as_file()).unwrap()
    }

    #[test]
    fn every_form_is_known_again() {
        let small = profile(vec![stack(&["main", "a b"], 3), stack(&["main"], 1)]);
        let names: Vec<String> = (0..8000).map(|i| format!("function{i}")).collect();
        let large = profile(vec![stack(&names.iter().map(String::as_str).collect::<Vec<_>>(), 3), stack(&["main"], 1)]);
        let forms = [Form::Text, Form::Folded, Form::Pprof, Form::Speedscope];
        for form in forms.into_iter().chain(cfg!(feature = "svg").then_some(Form::Svg)) {
            assert!(is_known(&form.bytes(&small).unwrap()), "{form:?}");
            // One stack longer than what is looked at tells nothing.
            assert_eq!(is_known(&form.bytes(&large).unwrap()), form != Form::Folded, "{form:?}");
        }
        assert!(is_known(b""));
    }

    #[test]
    fn other_files_are_not() {
        let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
        let others: [&[u8]; 7] = [b"a;b\n", b"a;b 1\nand more\n", b"{\"a\": 1}", b"<?xml?><svg/>", b"\x7fELF", &gzip, &[b'x'; HEAD + 1]];
        for other in others {
            assert!(!is_known(other), "{other:?}");
        }
    }
}

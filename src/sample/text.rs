//! Words from processes: names as bytes, and as text fit for a terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kernel's 16-byte task name, as bytes: it may hold anything but NUL. Only `Display` is fit for a terminal.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// Cuts `name` to the kernel's 15 bytes.
    pub fn new(name: &[u8]) -> Self {
        let mut comm = [0; 16];
        let len = name.iter().position(|&b| b == 0).unwrap_or(name.len()).min(15);
        comm[..len].copy_from_slice(&name[..len]);
        Comm(comm)
    }

    /// The bytes before the first NUL.
    pub fn bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        &self.0[..len]
    }
}

impl fmt::Display for Comm {
    /// Printable text: control characters become `�`, as does what is not UTF-8.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.bytes()))
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Text from a process, made fit for a terminal: control characters, invisible direction marks and what is not UTF-8 become `�`.
pub fn printable(bytes: &[u8]) -> String {
    if bytes.iter().all(|b| (b' '..=b'~').contains(b)) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    String::from_utf8_lossy(bytes).chars().map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect()
}

/// Characters that move the cursor, start an escape sequence, reorder the text around them, or hide text within text.
fn is_unsafe(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let is_note_or_tag = matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_mark || is_note_or_tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invisible_mark_passes() {
        for c in ['\u{61c}', '\u{200f}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{fff9}', '\u{fffb}', '\u{e0001}', '\u{e0041}', '\u{e007f}']
        {
            assert_eq!(printable(format!("a{c}b").as_bytes()), "a\u{fffd}b", "{:x}", u32::from(c));
        }
        assert_eq!(printable("größe 漢字 ✓".as_bytes()), "größe 漢字 ✓");
    }
}

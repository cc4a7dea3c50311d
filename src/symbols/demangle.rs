//! Names as the source has them. Only names that say they are mangled are touched: a C function `f` is not `float`.
//!
//! Swift's (`$s`, `_$s`) stay as they are. Whatever takes them apart is Swift's own demangler in C++ (`swift-demangler`,
//! `symbolic-demangle`) or links its runtime (`swift-demangle`): a C++ toolchain for each build, and C++ that reads hostile names as
//! root. A part of the grammar by hand would give wrong names with confidence.

use std::fmt::{self, Write};

use crate::sample::printable;

/// Longest name shown, bytes. A few hostile bytes of mangled name can stand for gigabytes.
const NAME_MAX: usize = 2048;

/// The name of a symbol, demangled if it is C++ (`_Z`) or Rust (`_R`, or `_ZN…17h…E`), and fit for a terminal.
pub(super) fn demangle(symbol: &str) -> String {
    let symbol = cut(symbol, NAME_MAX);
    let name = match symbol {
        s if s.starts_with("_R") => rust(s),
        s if s.starts_with("_Z") => rust(s).or_else(|| cpp(s)),
        _ => None,
    };
    printable(name.as_deref().unwrap_or(symbol).as_bytes())
}

fn rust(symbol: &str) -> Option<String> {
    let symbol = rustc_demangle::try_demangle(symbol).ok()?;
    let mut name = Bounded::default();
    name.accept(|out| write!(out, "{symbol:#}"))
}

fn cpp(symbol: &str) -> Option<String> {
    let symbol = cpp_demangle::Symbol::new(symbol).ok()?;
    let mut name = Bounded::default();
    let options = cpp_demangle::DemangleOptions::new();
    name.accept(|out| symbol.structured_demangle(out, &options))
}

/// At most `len` bytes, whole characters.
fn cut(text: &str, len: usize) -> &str {
    let len = (0..=len.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    &text[..len]
}

/// Text that refuses to grow past [`NAME_MAX`].
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

impl Bounded {
    /// What `write` wrote, cut where it was too long; `None` where it failed.
    fn accept(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> Option<String> {
        let written = write(self);
        (written.is_ok() || self.full).then(|| std::mem::take(&mut self.text))
    }
}

impl Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        if self.text.len() + s.len() > NAME_MAX {
            self.text.push_str(cut(s, NAME_MAX - self.text.len()));
            self.full = true;
            return Err(fmt::Error);
        }
        self.text.push_str(s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_c_go_and_swift_stay() {
        for name in [
            "f",
            "i",
            "main",
            "v",
            "_start",
            "_init",
            "St",
            "main.(*T).Run",
            "hot_a.cold",
            "runtime.gcBgMarkWorker",
            "$s4main5helloSSyYaKF",
        ] {
            assert_eq!(demangle(name), name);
        }
    }

    #[test]
    fn cpp_and_rust_names() {
        assert_eq!(demangle("_Z3addii"), "add(int, int)");
        assert_eq!(demangle("_ZN3foo3barEv"), "foo::bar()");
        assert_eq!(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"), "core::fmt::Write::write_fmt");
        assert_eq!(demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(demangle("_Zgarbage"), "_Zgarbage");
    }

    #[test]
    fn escape_sequences_do_not_pass() {
        assert_eq!(demangle("a\x1b[2Jb"), "a\u{fffd}[2Jb");
    }

    #[test]
    fn a_bomb_is_cut() {
        let mut bomb = String::from("_Z1fSt4pairIiiE");
        for i in 0..30 {
            let s = char::from_digit(i, 36).map(|c| c.to_ascii_uppercase()).unwrap_or('0');
            bomb.push_str(&format!("St4pairIS{s}_S{s}_E"));
        }
        assert!(demangle(&bomb).len() <= 3 * NAME_MAX);
        assert!(demangle(&"é".repeat(5000)).len() <= NAME_MAX);
    }

    proptest! {
        #[test]
        fn any_name_is_safe(name in "(_R|_Z)?\\PC{0,80}") {
            prop_assert!(demangle(&name).chars().all(|c| !c.is_control()));
        }
    }
}

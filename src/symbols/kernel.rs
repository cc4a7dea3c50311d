//! Names of kernel addresses: the core, modules and BPF programs, from /proc/kallsyms.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use blazesym::MaybeDefault;
use blazesym::symbolize::source::{Kernel as KernelSource, Source};
use blazesym::symbolize::{Input, Symbolizer};
use rustc_hash::FxHashMap;

use super::demangle::demangle;
use super::{Frame, FrameKind};

const KALLSYMS: &str = "/proc/kallsyms";
/// Names held.
const NAMES_MAX: usize = 16_384;
/// Modules and BPF programs come and go; for an unknown address among them the list is read again, but not more often than this.
const RELOAD: Duration = Duration::from_secs(30);

/// Kernel symbols, read at the first question.
#[derive(Default)]
pub(super) struct Kernel {
    loaded: Option<Loaded>,
    names: FxHashMap<u64, Frame>,
}

struct Loaded {
    symbolizer: Symbolizer,
    source: Source<'static>,
    text: Text,
    /// Start, end and name, ascending.
    modules: Vec<(u64, u64, String)>,
    at: Instant,
    hidden: Option<String>,
}

/// Bounds of the core's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Text {
    start: u64,
    end: u64,
}

impl Kernel {
    /// Names an address.
    pub(super) fn frame(&mut self, address: u64) -> Frame {
        if let Some(frame) = self.names.get(&address) {
            return frame.clone();
        }
        let stale = |l: &Loaded| !l.text.holds(address) && l.at.elapsed() > RELOAD;
        if self.loaded.as_ref().is_none_or(stale) {
            self.names.clear();
            self.loaded = Some(Loaded::read());
        }
        let Some(loaded) = &self.loaded else { return nameless(address) };
        let frame = loaded.frame(address);
        if self.names.len() >= NAMES_MAX {
            self.names.clear();
        }
        // What comes and goes has a name once the list is read again.
        if frame.function.is_some() || loaded.text.holds(address) {
            self.names.insert(address, frame.clone());
        }
        frame
    }

    /// Why there are no names, once asked for some.
    pub(super) fn reason(&self) -> Option<String> {
        self.loaded.as_ref().and_then(|l| l.hidden.clone())
    }
}

impl Loaded {
    fn read() -> Loaded {
        let (text, hidden) = match File::open(KALLSYMS) {
            Ok(file) => find_text(BufReader::with_capacity(1 << 16, file)),
            Err(error) => (Text::default(), Some(format!("no kernel names: {KALLSYMS}: {error}"))),
        };
        let kernel = KernelSource {
            kallsyms: MaybeDefault::Some(KALLSYMS.into()),
            vmlinux: MaybeDefault::None,
            debug_syms: false,
            ..KernelSource::default()
        };
        let symbolizer = Symbolizer::builder().enable_code_info(false).enable_inlined_fns(false).enable_demangling(false).build();
        let modules = parse_modules(&fs::read_to_string("/proc/modules").unwrap_or_default());
        Loaded { symbolizer, source: kernel.into(), text, modules, at: Instant::now(), hidden }
    }

    fn frame(&self, address: u64) -> Frame {
        let mut frame = nameless(address);
        if self.text.holds(address) {
            frame.offset = address - self.text.start;
        } else if let Some((start, _, name)) = self.modules.iter().find(|(start, end, _)| (*start..*end).contains(&address)) {
            frame.module.clone_from(name);
            frame.offset = address - start;
        }
        if self.hidden.is_some() {
            return frame;
        }
        // One by one: an error (a BPF program that is gone) fails a whole batch.
        let Ok(found) = self.symbolizer.symbolize_single(&self.source, Input::AbsAddr(address)) else { return frame };
        let Some(symbol) = found.as_sym() else { return frame };
        let of_bpf = symbol.module.as_deref().is_some_and(|m| m == "[bpf]") || symbol.name.starts_with("bpf_prog_");
        if of_bpf && !self.text.holds(address) {
            frame.module = "[bpf]".into();
            frame.offset = symbol.offset as u64;
        }
        frame.function = Some(demangle(&symbol.name));
        frame
    }
}

impl Text {
    fn holds(self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// A kernel address without a name.
pub(super) fn nameless(address: u64) -> Frame {
    Frame { function: None, module: "vmlinux".into(), offset: address, kind: FrameKind::Kernel, source: None }
}

/// Bounds of the core, and why there are none: with kptr_restrict every address reads 0.
fn find_text(kallsyms: impl BufRead) -> (Text, Option<String>) {
    let mut text = Text::default();
    for line in kallsyms.lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace();
        let (Some(address), _, Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        if !matches!(name, "_stext" | "_etext") {
            continue;
        }
        match (name, u64::from_str_radix(address, 16).unwrap_or(0)) {
            (_, 0) => break,
            ("_stext", start) => text.start = start,
            (_, end) => text.end = end,
        }
        if text.start != 0 && text.end != 0 {
            return (text, None);
        }
    }
    (text, Some("kernel names are hidden: run as root, with kernel.kptr_restrict below 2".into()))
}

/// Lines `name size uses dependencies state address`.
fn parse_modules(text: &str) -> Vec<(u64, u64, String)> {
    let parse = |line: &str| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let size = words.get(1)?.parse::<u64>().ok()?;
        let start = u64::from_str_radix(words.get(5)?.strip_prefix("0x")?, 16).ok()?;
        (start != 0).then(|| (start, start.saturating_add(size), words[0].to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_bounds() {
        let shown = "0000000000000000 A irq_stack\nffffffff81000000 T _stext\nffffffff81000000 T _text\nffffffff82000000 T _etext\n";
        assert_eq!(find_text(shown.as_bytes()), (Text { start: 0xffff_ffff_8100_0000, end: 0xffff_ffff_8200_0000 }, None));
        let hidden = "0000000000000000 T _stext\n0000000000000000 T _etext\n";
        assert!(find_text(hidden.as_bytes()).1.is_some_and(|why| why.contains("kptr_restrict")));
    }

    #[test]
    fn what_had_no_name_is_asked_about_again_once_the_list_may_be_another() {
        // Between the halves of the address space: nothing is there, now or later.
        const NOWHERE: u64 = 0x8000_0000_0000_0000;
        let mut kernel = Kernel::default();
        assert_eq!(kernel.frame(NOWHERE).function, None);
        let long_ago = Instant::now().checked_sub(2 * RELOAD).unwrap();
        kernel.loaded.as_mut().unwrap().at = long_ago;
        assert_eq!(kernel.frame(NOWHERE).function, None);
        assert!(kernel.loaded.is_some_and(|loaded| loaded.at > long_ago), "a module or program may be there by now");
    }

    #[test]
    fn modules() {
        let text = "nf_tables 380928 0 - Live 0xffffffffc0a00000\nhidden 4096 1 - Live 0x0000000000000000\nbad\n";
        assert_eq!(parse_modules(text), [(0xffff_ffff_c0a0_0000, 0xffff_ffff_c0a0_0000 + 380_928, "nf_tables".to_owned())]);
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(([0-9a-fx]{0,17} [TtA]? ?(_stext|_etext|[a-z]{0,4})|[a-z]{0,4}( [0-9x-]{0,21}){0,6})\\PC{0,3}\n){0,8}", noise: Vec<u8>) {
            let (found, why) = find_text(text.as_bytes());
            prop_assert!(why.is_some() || (found.start != 0 && found.end != 0));
            find_text(noise.as_slice());
            prop_assert!(parse_modules(&text).iter().all(|(start, end, _)| start <= end));
        }
    }
}

//! What libbpf says while it loads. It would spoil the screen, and it holds the verifier's reasons: so each thread keeps its own.

use std::cell::RefCell;

use libbpf_rs::PrintLevel;

/// A verifier's log may have megabytes; its end tells most.
const KEPT_BYTES: usize = 256 << 10;

thread_local! {
    static WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on libbpf speaks to this module alone: its warnings, or with `all` everything (among it the verifier's log of what loads).
pub fn listen(all: bool) {
    libbpf_rs::set_print(Some((if all { PrintLevel::Debug } else { PrintLevel::Warn }, keep)));
}

/// What was said on this thread since the last time.
pub fn take() -> String {
    WORDS.take()
}

fn keep(level: PrintLevel, text: String) {
    if level != PrintLevel::Warn && !text.contains("PROG LOAD LOG") {
        return;
    }
    WORDS.with_borrow_mut(|words| {
        words.push_str(&text);
        if let Some(surplus) = words.len().checked_sub(KEPT_BYTES) {
            let cut = (surplus..).find(|&at| words.is_char_boundary(at)).unwrap_or(words.len());
            words.drain(..cut);
        }
    });
}

/// The program that libbpf spoke of last: where an object does not load, the one that was refused.
pub fn last_program(words: &str) -> Option<&str> {
    let (_, rest) = words.rsplit_once("prog '")?;
    rest.split_once('\'').map(|(name, _)| name)
}

/// The verifier's log of one program among others that loaded.
pub fn of_program<'w>(words: &'w str, program: &str) -> &'w str {
    let begin = format!("prog '{program}': -- BEGIN PROG LOAD LOG --");
    let log = words.split_once(&begin).map_or("", |(_, rest)| rest);
    log.split_once("-- END PROG LOAD LOG --").map_or(log, |(log, _)| log)
}

/// The verifier's last word on a program that it refused: the line before it counts its instructions.
pub fn verdict(words: &str) -> Option<&str> {
    let (_, log) = words.rsplit_once("BEGIN PROG LOAD LOG --")?;
    let lines = log.lines().take_while(|line| !line.starts_with("-- END") && !line.starts_with("processed "));
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("verification time")).last()
}

/// Instructions that the verifier walked through, of its log.
pub fn instructions(words: &str) -> Option<u32> {
    let (_, rest) = words.rsplit_once("processed ")?;
    rest.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "libbpf: prog 'x': BPF program load failed: Permission denied\nlibbpf: prog 'x': -- BEGIN PROG LOAD LOG --\n\
        0: R1=ctx(off=0,imm=0) R10=fp0\n; return *p;\nR1 invalid mem access 'scalar'\nverification time 41 usec\n\
        processed 12 insns (limit 1000000) max_states_per_insn 0\n-- END PROG LOAD LOG --\n";

    #[test]
    fn the_last_word_and_the_count_are_found() {
        assert_eq!(verdict(REFUSED), Some("R1 invalid mem access 'scalar'"));
        assert_eq!(instructions(REFUSED), Some(12));
        assert_eq!((verdict("libbpf: failed"), instructions("")), (None, None));
    }

    #[test]
    fn each_program_has_its_own_words() {
        let loaded = |name: &str, count: u32| {
            format!("libbpf: prog '{name}': -- BEGIN PROG LOAD LOG --\nprocessed {count} insns (limit)\n-- END PROG LOAD LOG --\n")
        };
        let said = format!("{}{}{REFUSED}", loaded("a", 7), loaded("b", 8));
        assert_eq!(["a", "b", "c"].map(|name| instructions(of_program(&said, name))), [Some(7), Some(8), None]);
        assert_eq!((last_program(&said), last_program("libbpf: map 'm': failed")), (Some("x"), None));
    }

    #[test]
    fn words_are_bounded_and_taken_once() {
        for _ in 0..3 {
            keep(PrintLevel::Warn, "ä".repeat(KEPT_BYTES / 3));
        }
        keep(PrintLevel::Debug, "relocation".into());
        assert!((KEPT_BYTES - 4..=KEPT_BYTES).contains(&take().len()));
        assert_eq!(take(), "");
    }
}

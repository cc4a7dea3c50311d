//! Long lines, folded to the width there is. Nothing is lost: what was typed with two blanks has two blanks.

use unicode_width::UnicodeWidthChar;

/// The lines that a text takes, none wider than `width` cells: broken behind a blank where one is near, else anywhere.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = first_line(rest, width) {
        let (line, after) = rest.split_at(end);
        lines.push(line.to_owned());
        rest = after;
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// Where the first line ends; `None` where all of it fits.
fn first_line(text: &str, width: usize) -> Option<usize> {
    let mut used = 0;
    let mut blank = None;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        // One letter that is wider than all stands alone.
        if used > width && at > 0 {
            // A line that would be left half empty is filled.
            return Some(blank.filter(|&end| end * 2 > at).unwrap_or(at));
        }
        if c == ' ' {
            blank = Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn breaks_behind_blanks_and_in_long_words() {
        assert_eq!(fold("one two three", 8), ["one two ", "three"]);
        assert_eq!(fold("a --very-long-option", 8), ["a --very", "-long-op", "tion"]);
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("", 4), [""]);
    }

    #[test]
    fn each_letter_there_is_comes_to_an_end() {
        for c in '\0'..=char::MAX {
            assert_eq!(fold(&format!("{c}{c}a"), 2).concat(), format!("{c}{c}a"));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_too_wide(text in "(\\PC|[a-z ]{1,9}){0,30}", width in 2usize..40) {
            let lines = fold(&text, width);
            prop_assert_eq!(lines.concat(), text);
            let fits = |line: &String| line.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>() <= width;
            prop_assert!(lines.iter().all(|line| fits(line) || line.chars().count() == 1));
        }
    }
}

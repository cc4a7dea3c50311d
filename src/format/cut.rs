//! Texts cut to the cells there are; a cut shows as `…`.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether each byte is a letter of one cell, as in nearly every text.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// Cells that `text` takes.
pub fn cells(text: &str) -> usize {
    if is_plain(text) { text.len() } else { text.width() }
}

/// The start of `text`, as far as it fits `width` cells.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    shorten(text, width, |room| text.chars().take_while(fits(room)).chain(['…']).collect())
}

/// The end of `text` that fits `width` cells, for paths.
pub fn cut_front(text: &str, width: usize) -> Cow<'_, str> {
    shorten(text, width, |room| {
        let end: Vec<char> = text.chars().rev().take_while(fits(room)).collect();
        ['…'].into_iter().chain(end.into_iter().rev()).collect()
    })
}

/// `text` where it fits; else what `shorten` makes of it for the cells that the sign of the cut leaves.
fn shorten(text: &str, width: usize, shorten: impl FnOnce(usize) -> String) -> Cow<'_, str> {
    match width {
        _ if cells(text) <= width => text.into(),
        0 => "".into(),
        _ => shorten(width - 1).into(),
    }
}

/// Whether one more character has room in what the ones before left of `room` cells.
fn fits(room: usize) -> impl FnMut(&char) -> bool {
    let mut used = 0;
    move |c| {
        used += c.width().unwrap_or(0);
        used <= room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_cut_whole() {
        assert_eq!([6, 5, 4, 1, 0].map(|width| cut("日本語", width)), ["日本語", "日本…", "日…", "…", ""]);
        assert_eq!([2, 1, 0].map(|width| cut("ab", width)), ["ab", "…", ""]);
    }

    #[test]
    fn of_a_path_the_end_is_kept() {
        assert_eq!(
            [24, 12, 1, 0].map(|width| cut_front("/build/src/deflate.c:148", width)),
            ["/build/src/deflate.c:148", "…flate.c:148", "…", ""]
        );
        assert_eq!(cut_front("日本語の関数", 6), "…関数");
    }
}

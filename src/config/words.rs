//! What is said of a value or a name that a configuration should not have: what to write, or what was meant.

use std::borrow::Cow;

use toml_edit::Item;

use crate::format::cut;
use crate::sample::printable;

/// Cells of what stands in the file, where it is repeated.
const FOUND_MAX: usize = 24;
/// How alike (by Jaro and Winkler, 0–1) a name must be to be what was meant.
const ALIKE: f64 = 0.75;

pub(super) fn boolean(key: &str, item: &Item) -> Result<bool, String> {
    item.as_bool().ok_or_else(|| format!("write {key} = true or {key} = false, not {}", found(item)))
}

/// What to write in place of what stands there.
pub(super) fn one_of<const N: usize>(key: &str, names: [&str; N], item: &Item) -> String {
    let all = names.map(|name| format!("\"{name}\""));
    let (last, others) = all.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    format!("write {key} = {} or {last}, not {}", others.join(", "), found(item))
}

/// What stands there, in short.
pub(super) fn found(item: &Item) -> String {
    if item.is_table_like() || item.is_array_of_tables() {
        return "a section".into();
    }
    cut(&printable(item.to_string().trim().as_bytes()), FOUND_MAX).into_owned()
}

/// A name as somebody wrote it, fit for a terminal.
pub(super) fn harmless(name: &str) -> String {
    cut(&printable(name.as_bytes()), FOUND_MAX).into_owned()
}

pub(super) fn no_key(name: &str) -> String {
    let known = ["theme", "units", "header", "ascii", "mouse", "keys", "columns"].map(Cow::Borrowed);
    format!("there is no key {}{}", harmless(name), or_nearest(name, known.into_iter(), ""))
}

/// `; meant theme?` where a name is like that, else other words.
pub(super) fn or_nearest(name: &str, known: impl Iterator<Item = Cow<'static, str>>, else_words: &str) -> String {
    let likeness = |known: Cow<'static, str>| (strsim::jaro_winkler(&known, name), known);
    let nearest = known.map(likeness).max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(alike, _)| *alike >= ALIKE);
    nearest.map_or_else(|| else_words.to_owned(), |(_, known)| format!("; meant {known}?"))
}

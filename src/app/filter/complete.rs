//! What the word at the cursor of a filter could become.

use super::term::KEYWORDS;
use crate::app::column::{CgroupColumn, Column, Columns, InterfaceColumn, RemoteColumn, SocketColumn};
use crate::app::net::NetTable;

/// What a filter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterOf {
    /// Processes, or what the network consists of.
    Net(NetTable),
    /// Control groups.
    Cgroups,
}

impl FilterOf {
    /// A table of processes.
    pub const PROCESSES: FilterOf = FilterOf::Net(NetTable::Processes);

    /// Names of the columns, and of what is none but can be asked for.
    fn names(self) -> Vec<&'static str> {
        fn of<C: Columns>() -> impl Iterator<Item = &'static str> {
            C::all().iter().map(|column| column.spec().name)
        }
        match self {
            FilterOf::Net(NetTable::Processes) => of::<Column>().collect(),
            FilterOf::Net(NetTable::Sockets | NetTable::Listeners) => of::<SocketColumn>().chain(["port"]).collect(),
            FilterOf::Net(NetTable::Remotes) => of::<RemoteColumn>().collect(),
            FilterOf::Net(NetTable::Interfaces) => of::<InterfaceColumn>().collect(),
            FilterOf::Cgroups => of::<CgroupColumn>().collect(),
        }
    }
}

/// The ways on from a word that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Where the word begins, in bytes.
    pub start: usize,
    /// What it could become, by the alphabet; never empty.
    pub names: Vec<&'static str>,
}

impl Completion {
    /// As much as all the names share: at least what was typed.
    pub fn common(&self) -> &'static str {
        let Some((first, rest)) = self.names.split_first() else { return "" };
        let shared = |name: &str| first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        // Names are ASCII, so that any count of bytes is a boundary.
        &first[..rest.iter().map(|name| shared(name)).min().unwrap_or(first.len())]
    }
}

/// The completions of the word that ends at byte `cursor` of a filter. `None` where no name of a column can
/// stand, for nothing typed yet, and for a word that is no name's beginning or a whole name already.
pub fn complete(text: &str, cursor: usize, of: FilterOf) -> Option<Completion> {
    let (start, word) = bare_word(text, cursor)?;
    let mut names: Vec<&'static str> =
        of.names().into_iter().chain(KEYWORDS).chain(["uid"]).filter(|name| name.starts_with(&word)).collect();
    names.sort_unstable();
    names.dedup();
    let is_whole = names == [word.as_str()];
    (!names.is_empty() && !is_whole).then_some(Completion { start, names })
}

/// Where the word begins that ends at byte `cursor` of a filter and may yet become `and`, another keyword, or a column to be compared:
/// nobody knows so far whether it is to be looked for as text.
pub fn half_word(text: &str, cursor: usize, of: FilterOf) -> Option<usize> {
    let (start, word) = bare_word(text, cursor)?;
    let is_all = text[cursor..].chars().next().is_none_or(|c| c.is_whitespace() || c == ')');
    let is_key = |name: &str| name.starts_with(&word);
    let is_half = of.names().into_iter().chain(NO_COLUMNS).any(is_key) || KEYWORDS.iter().any(|key| is_key(key) && *key != word);
    (is_all && is_half).then_some(start)
}

/// Where the word begins that ends at `cursor`, and the word in small letters. `None` where it is a value, quoted, or a part of something.
fn bare_word(text: &str, cursor: usize) -> Option<(usize, String)> {
    let before = text.get(..cursor)?;
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || "_%/+".contains(c)))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let (before, word) = before.split_at(start);
    let is_free = before.chars().next_back().is_none_or(|c| c.is_whitespace() || "(!|".contains(c));
    let is_value = before.trim_end().ends_with(['<', '>', '=', '~', ':', '"']);
    let is_bare = !word.is_empty() && is_free && !is_value && before.matches('"').count() % 2 == 0;
    is_bare.then(|| (start, word.to_ascii_lowercase()))
}

/// What comes before the sign of a comparison and is no column, but can be compared.
pub(super) const NO_COLUMNS: [&str; 2] = ["port", "uid"];
/// How alike (by Jaro and Winkler, 0–1) a name must be to be what was meant.
const ALIKE: f64 = 0.75;

/// The name, of any table, that is most like a word which is none.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    fn of<C: Columns>() -> impl Iterator<Item = &'static str> {
        C::all().iter().flat_map(|column| std::iter::once(&column.spec().name).chain(column.spec().aliases)).copied()
    }
    let word = word.to_ascii_lowercase();
    let names = of::<Column>().chain(of::<SocketColumn>()).chain(of::<RemoteColumn>()).chain(of::<InterfaceColumn>());
    let likeness = |name: &'static str| (strsim::jaro_winkler(name, &word), name);
    let all = names.chain(of::<CgroupColumn>()).chain(NO_COLUMNS).map(likeness);
    all.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(alike, _)| *alike >= ALIKE).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, table: NetTable) -> Vec<&'static str> {
        complete(text, text.len(), FilterOf::Net(table)).map_or(Vec::new(), |found| found.names)
    }

    #[test]
    fn names_begin_as_the_word_does() {
        assert!(names("cp", NetTable::Processes).contains(&"cpu"));
        assert_eq!(names("nginx and ex", NetTable::Processes), ["exited"]);
        assert_eq!(names("(!kth", NetTable::Processes), ["kthread"]);
        assert_eq!(names("remo", NetTable::Sockets), ["remote"]);
        assert_eq!(names("por", NetTable::Sockets), ["port"]);
        assert_eq!((names("rttm", NetTable::Remotes), names("spe", NetTable::Interfaces)), (vec!["rttmax"], vec!["speed"]));
        assert_eq!(names("por", NetTable::Processes), Vec::<&str>::new());
        assert_eq!(complete("thr", 3, FilterOf::Cgroups).unwrap().names, ["throttle"]);
    }

    #[test]
    fn values_quotes_and_whole_names_have_none() {
        for text in ["", "user=c", "user: c", "cpu>", "\"c", "state~\"c", "uid", "zzz", "é"] {
            assert_eq!(names(text, NetTable::Processes), Vec::<&str>::new(), "{text}");
        }
        assert_eq!(complete("é cp", 1, FilterOf::PROCESSES), None, "inside a character");
    }

    #[test]
    fn a_word_that_may_yet_be_a_keyword_or_a_column_is_half() {
        let half = |text: &str| half_word(text, text.len(), FilterOf::PROCESSES);
        assert_eq!([half("cpu>5 an"), half("a"), half("(no"), half("nginx us"), half("x user")], [6, 0, 1, 6, 2].map(Some));
        assert_eq!([half("and"), half("exited"), half("nginx"), half("user=ro"), half("x -c"), half("\"an"), half("")], [None; 7]);
        assert_eq!((half_word("a nginx", 1, FilterOf::PROCESSES), half_word("anginx", 1, FilterOf::PROCESSES)), (Some(0), None));
    }

    #[test]
    fn a_slip_of_the_finger_is_told_from_what_is_like_nothing() {
        let found = ["useer", "comand", "rss_", "cpuu", "contianer", "Remot"].map(nearest);
        assert_eq!(found, ["user", "command", "rss", "cpu", "container", "remote"].map(Some));
        assert_eq!([nearest("zzz"), nearest("q")], [None; 2]);
    }

    #[test]
    fn what_all_share_is_known() {
        let of = |names: &[&'static str]| Completion { start: 0, names: names.to_vec() }.common();
        assert_eq!((of(&["read", "rss", "rx"]), of(&["minflt", "minor"]), of(&["cpu"])), ("r", "min", "cpu"));
    }
}

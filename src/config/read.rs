//! Reads a configuration, and says line by line what it cannot use.

use toml_edit::{Array, Document, Item, Table};

use super::words::{boolean, found, harmless, no_key, one_of, or_nearest};
use super::{Config, syntax};
use crate::app::bindings::BINDINGS;
use crate::app::keymap::{self, OwnKeys, Preset};
use crate::app::keys::Key;
use crate::app::look::{Header, Palette, Units};
use crate::app::view::Shown;
use crate::sample::printable;

/// Warnings told; a file with more is not worth more words.
const WARNINGS_MAX: usize = 20;
/// Reads text; what cannot be used is warned of as `line 3: …` and left out.
///
/// # Errors
/// It is no TOML: all that is wrong with it, each as `line 3: …`.
pub fn read(text: &str) -> Result<(Config, Vec<String>), Vec<String>> {
    let error = match Document::parse(text) {
        Ok(document) => {
            let reader = Reader::new(text, document.as_table());
            return Ok((reader.config, told(reader.warnings)));
        }
        Err(error) => error,
    };
    let line = error.span().map_or(1, |span| Lines::of(text).line(span.start));
    let mut wrong = syntax::faults(text);
    if wrong.is_empty() {
        wrong.push((line, printable(error.message().replace('\n', "; ").as_bytes())));
    }
    // The rest of the file may be wrong, too.
    let rest = syntax::without(text, &wrong);
    wrong.extend(Document::parse(rest.as_str()).map_or_else(|_| Vec::new(), |document| Reader::new(&rest, document.as_table()).warnings));
    Err(told(wrong))
}

/// In the order of the lines, not too many.
fn told(mut warnings: Vec<(usize, String)>) -> Vec<String> {
    warnings.sort_by_key(|(line, _)| *line);
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    warnings.truncate(WARNINGS_MAX);
    let more = (more > 0).then(|| format!("and {more} more"));
    warnings.into_iter().map(|(line, wrong)| format!("line {line}: {wrong}")).chain(more).collect()
}

/// Where the lines of a text end.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Lines {
        Lines(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line that a byte is in, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

struct Reader {
    lines: Lines,
    config: Config,
    /// Line and words.
    warnings: Vec<(usize, String)>,
}

impl Reader {
    fn new(text: &str, table: &Table) -> Reader {
        let mut reader = Reader { lines: Lines::of(text), config: Config::default(), warnings: Vec::new() };
        reader.table(table);
        reader
    }

    fn table(&mut self, table: &Table) {
        for (name, item) in table {
            let at = table.key(name).and_then(|key| key.span()).or(item.span()).map_or(0, |span| span.start);
            let wrong = match name {
                "theme" => self.theme(item),
                "units" => self.units(item),
                "header" => self.header(item),
                "ascii" => boolean(name, item).map(|ascii| self.config.ascii = ascii),
                "mouse" => boolean(name, item).map(|mouse| self.config.no_mouse = !mouse),
                "keys" => self.keys(item),
                "columns" => item
                    .as_table()
                    .map(|views| self.columns(views))
                    .ok_or_else(|| format!("write [columns], not columns = {}", found(item))),
                _ => Err(no_key(name)),
            };
            self.check(at, wrong);
        }
        self.warnings.extend(keymap::losses(self.config.preset, &self.config.keys));
    }

    fn check(&mut self, at: usize, result: Result<(), String>) {
        if let Err(wrong) = result {
            self.warnings.push((self.lines.line(at), wrong));
        }
    }

    fn theme(&mut self, item: &Item) -> Result<(), String> {
        let wrong = || one_of("theme", Palette::ALL.map(Palette::name), item);
        self.config.look.palette = item.as_str().and_then(Palette::named).ok_or_else(wrong)?;
        Ok(())
    }

    fn units(&mut self, item: &Item) -> Result<(), String> {
        self.config.look.units = item.as_str().and_then(Units::named).ok_or_else(|| one_of("units", Units::ALL.map(Units::name), item))?;
        Ok(())
    }

    fn header(&mut self, item: &Item) -> Result<(), String> {
        let wrong = || one_of("header", Header::ALL.map(Header::name), item);
        self.config.look.header = item.as_str().and_then(Header::named).ok_or_else(wrong)?;
        Ok(())
    }

    /// A preset by name, or a table with one beside actions and their keys.
    fn keys(&mut self, item: &Item) -> Result<(), String> {
        let Some(table) = item.as_table() else { return self.preset("keys", item) };
        for (name, item) in table {
            let at = table.key(name).and_then(|key| key.span()).map_or(0, |span| span.start);
            let wrong = match name {
                "preset" => self.preset("preset", item),
                _ => self.keys_of(name, item, at),
            };
            self.check(at, wrong);
        }
        self.warnings.extend(keymap::conflicts(&self.config.keys));
        Ok(())
    }

    fn preset(&mut self, key: &str, item: &Item) -> Result<(), String> {
        let wrong = || one_of(key, Preset::ALL.map(Preset::name), item);
        self.config.preset = item.as_str().and_then(Preset::named).ok_or_else(wrong)?;
        Ok(())
    }

    fn keys_of(&mut self, action: &str, item: &Item, at: usize) -> Result<(), String> {
        if !BINDINGS.iter().any(|binding| binding.action.name() == action) {
            let names = BINDINGS.iter().map(|binding| binding.action.name());
            return Err(format!("no action is called {}{}", harmless(action), or_nearest(action, names, "; the palette (:) lists them")));
        }
        let names: Option<Vec<&str>> = match (item.as_str(), item.as_array()) {
            (Some(name), _) => Some(vec![name]),
            (_, Some(names)) => names.iter().map(|name| name.as_str()).collect(),
            _ => None,
        };
        let names =
            names.ok_or_else(|| format!("write a list of keys such as {action} = [\"x\", \"F9\", \"Ctrl-R\"], not {}", found(item)))?;
        let unknown: Vec<String> = names.iter().filter(|name| Key::named(name).is_none()).map(|name| harmless(name)).collect();
        if !unknown.is_empty() {
            return Err(format!("no key is called {}; keys are \"x\", \"X\", \"F9\", \"Ctrl-R\", \"Space\" and so on", unknown.join(", ")));
        }
        let mut keys: Vec<Key> = Vec::new();
        for key in names.into_iter().filter_map(Key::named) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        self.config.keys.push(OwnKeys { action: action.into(), keys, line: self.lines.line(at) });
        Ok(())
    }

    fn columns(&mut self, tables: &Table) {
        for (name, item) in tables {
            let at = tables.key(name).and_then(|key| key.span()).map_or(0, |span| span.start);
            let shown = Shown::with_columns().find(|shown| shown.name().eq_ignore_ascii_case(name));
            let wrong = match (shown, item.as_array()) {
                (None, _) => {
                    let views = Shown::with_columns().map(|shown| shown.name().into());
                    Err(format!("no view with columns is called {}{}", harmless(name), or_nearest(name, views, "")))
                }
                (_, None) => Err(format!("write a list of names such as {name} = [\"pid\", \"cpu\"], not {}", found(item))),
                (Some(shown), Some(names)) => self.columns_of(shown, names),
            };
            self.check(at, wrong);
        }
    }

    /// Those that are known, each once; the one that stands last need not be named.
    fn columns_of(&mut self, shown: Shown, names: &Array) -> Result<(), String> {
        let (mut columns, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match name.as_str().and_then(|name| shown.column(name)) {
                Some(Some(column)) if !columns.contains(&column) => columns.push(column),
                Some(_) => {}
                None => unknown.push(name.as_str().map_or_else(|| "something else than a name".into(), harmless)),
            }
        }
        self.config.look.choose_columns(shown, columns);
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(format!("there is no column {}; `ebtop --view {} --sort help` lists them", unknown.join(", "), shown.name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::View;
    use crate::config::DEFAULT;
    use proptest::prelude::*;

    #[test]
    fn the_default_file_says_the_defaults() {
        assert_eq!(read(DEFAULT).unwrap(), (Config::default(), vec![]));
        let shown: String = DEFAULT.lines().map(|l| if l.contains(" = [") { &l[2..] } else { l }.to_owned() + "\n").collect();
        let (config, warnings) = read(&shown).unwrap();
        assert_eq!((config.look.columns.len(), warnings), (Shown::with_columns().count(), vec![]), "the examples are right");
    }

    #[test]
    fn choices_are_read() {
        let (config, warnings) =
            read("theme='mono'\nunits='si'\nascii=true\nmouse=false\n[columns]\ncpu=['CPU%','command','pid','pid']\n").unwrap();
        assert_eq!((config.look.palette, config.look.units, config.ascii, config.no_mouse), (Palette::Mono, Units::Si, true, true));
        assert_eq!(config.look.columns, [(View::Cpu.into(), vec!["cpu", "pid"])]);
        assert!(warnings.is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_told_by_line() {
        let text = "theme = 'dark'\nthme = 'x'\nunits = 3\n\n[columns]\ncpu = ['pid', 'nosuch', 'more']\nstacks = []\nmemory = 7\n[more]\n";
        let (config, warnings) = read(text).unwrap();
        assert_eq!(config.look.columns, [(View::Cpu.into(), vec!["pid"])]);
        let begin: Vec<_> = warnings.iter().map(|w| w.split(';').next().unwrap()).collect();
        assert_eq!(
            begin,
            [
                "line 2: there is no key thme",
                "line 3: write units = \"iec\" or \"si\", not 3",
                "line 6: there is no column nosuch, more",
                "line 7: no view with columns is called stacks",
                "line 8: write a list of names such as memory = [\"pid\", \"cpu\"], not 7",
                "line 9: there is no key more",
            ]
        );
        assert!(warnings[0].ends_with("; meant theme?"), "{warnings:?}");
    }

    #[test]
    fn keys_are_read_and_conflicts_told() {
        let (config, warnings) = read("keys = 'vim'\n").unwrap();
        assert_eq!((config.preset, config.keys.len(), warnings.len()), (Preset::Vim, 0, 0));
        let text =
            "[keys]\npreset = 'top'\nsignal = ['x', 'x', 'F12']\ntree = 'x'\nnosuch = 'y'\npause = ['Hyper-1', 'p', 'Meta']\ndelay = 3\n";
        let (config, warnings) = read(text).unwrap();
        assert_eq!((config.preset, config.keys.len(), config.keys[0].keys.len()), (Preset::Top, 2, 2));
        let begin: Vec<_> = warnings.iter().map(|w| w.split(';').next().unwrap()).collect();
        assert_eq!(
            begin,
            [
                "line 4: x is the key of signal already, by line 3",
                "line 5: no action is called nosuch",
                "line 6: no key is called Hyper-1, Meta",
                "line 7: write a list of keys such as delay = [\"x\", \"F9\", \"Ctrl-R\"], not 3",
            ]
        );
        assert_eq!(read("keys = 'emacs'").unwrap().1, ["line 1: write keys = \"htop\", \"vim\" or \"top\", not \"emacs\""]);
        assert_eq!(read("mouse = 'no'").unwrap().1, ["line 1: write mouse = true or mouse = false, not \"no\""]);
        assert!(read("[keys]\nsignl = 'x'").unwrap().1[0].ends_with("; meant signal?"));
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_of_as_a_whole() {
        let wrong = read("theme = dark\nunits = 3\n[columns]\ncpu = ['nosuch']\nmemory = [}\n").unwrap_err();
        let lines: Vec<_> = wrong.iter().map(|w| w.split(':').next().unwrap()).collect();
        assert_eq!(lines, ["line 1", "line 2", "line 4", "line 5"], "{wrong:?}");
        assert_eq!(read("ascii = true\nascii = true\n").unwrap_err().len(), 1, "twice");
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        let (_, warnings) = read("\"\\u001b[2J\" = 1\n").unwrap();
        assert!(!warnings[0].contains('\x1b'), "{warnings:?}");
        assert_eq!(read(&"x = 1\ny = 1\n".replace('x', "'a b'")).unwrap().1.len(), 2);
        let many: String = (0..1000).map(|i| format!("k{i} = 1\n")).collect();
        let told = read(&many).unwrap().1;
        assert_eq!((told.len(), told.last().map(String::as_str)), (WARNINGS_MAX + 1, Some("and 980 more")));
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(theme|columns|\\[|\\]|=|'|\"|cpu|\n|\\.|\\PC){0,30}") {
            let _ = read(&text);
        }
    }
}

//! Reads a configuration, and says line by line what it cannot use.

use toml_edit::{Array, Document, Item, Table};

use super::Config;
use crate::app::bindings::BINDINGS;
use crate::app::keymap::{self, OwnKeys, Preset};
use crate::app::keys::Key;
use crate::app::look::{Header, Palette, Units};
use crate::app::view::Shown;
use crate::sample::printable;

/// Warnings kept; a file with more is not worth more words.
const WARNINGS_MAX: usize = 20;

/// Reads text; what cannot be used is warned of as `line 3: …` and left out.
///
/// # Errors
/// It is no TOML: `line 3: …`.
pub fn read(text: &str) -> Result<(Config, Vec<String>), String> {
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| Lines::of(text).line(span.start));
        format!("line {line}: {}", printable(error.message().replace('\n', "; ").as_bytes()))
    })?;
    let mut reader = Reader { lines: Lines::of(text), config: Config::default(), warnings: Vec::new() };
    reader.table(document.as_table());
    Ok((reader.config, reader.warnings))
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        Lines(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line that a byte is in, from 1.
    fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

struct Reader {
    lines: Lines,
    config: Config,
    warnings: Vec<String>,
}

impl Reader {
    fn table(&mut self, table: &Table) {
        for (name, item) in table {
            let at = table.key(name).and_then(|key| key.span()).or(item.span()).map_or(0, |span| span.start);
            let wrong = match name {
                "theme" => self.theme(item),
                "units" => self.units(item),
                "header" => self.header(item),
                "ascii" => item.as_bool().map(|ascii| self.config.ascii = ascii).ok_or_else(|| "ascii is true or false".into()),
                "mouse" => item.as_bool().map(|mouse| self.config.no_mouse = !mouse).ok_or_else(|| "mouse is true or false".into()),
                "keys" => self.keys(item),
                "columns" => item.as_table().map(|views| self.columns(views)).ok_or_else(|| "columns is a table: [columns]".into()),
                _ => Err(format!("there is no key {}", printable(name.as_bytes()))),
            };
            self.check(at, wrong);
        }
    }

    fn check(&mut self, at: usize, result: Result<(), String>) {
        if let Err(wrong) = result {
            self.warn(self.lines.line(at), &wrong);
        }
    }

    fn warn(&mut self, line: usize, wrong: &str) {
        if self.warnings.len() < WARNINGS_MAX {
            self.warnings.push(format!("line {line}: {wrong}; see `ebtop config --default`"));
        }
    }

    fn theme(&mut self, item: &Item) -> Result<(), String> {
        self.config.look.palette =
            item.as_str().and_then(Palette::named).ok_or_else(|| one_of("theme", Palette::ALL.map(Palette::name)))?;
        Ok(())
    }

    fn units(&mut self, item: &Item) -> Result<(), String> {
        self.config.look.units = item.as_str().and_then(Units::named).ok_or_else(|| one_of("units", Units::ALL.map(Units::name)))?;
        Ok(())
    }

    fn header(&mut self, item: &Item) -> Result<(), String> {
        self.config.look.header = item.as_str().and_then(Header::named).ok_or_else(|| one_of("header", Header::ALL.map(Header::name)))?;
        Ok(())
    }

    /// A preset by name, or a table with one beside actions and their keys.
    fn keys(&mut self, item: &Item) -> Result<(), String> {
        let Some(table) = item.as_table() else { return self.preset(item) };
        for (name, item) in table {
            let at = table.key(name).and_then(|key| key.span()).map_or(0, |span| span.start);
            let wrong = match name {
                "preset" => self.preset(item),
                _ => self.keys_of(name, item, at),
            };
            self.check(at, wrong);
        }
        for (line, why) in keymap::conflicts(&self.config.keys) {
            self.warn(line, &why);
        }
        Ok(())
    }

    fn preset(&mut self, item: &Item) -> Result<(), String> {
        let wrong = || one_of("the preset of keys", Preset::ALL.map(Preset::name));
        self.config.preset = item.as_str().and_then(Preset::named).ok_or_else(wrong)?;
        Ok(())
    }

    fn keys_of(&mut self, action: &str, item: &Item, at: usize) -> Result<(), String> {
        if !BINDINGS.iter().any(|binding| binding.action.name() == action) {
            return Err(format!("no action is called {}; `:` lists them", printable(action.as_bytes())));
        }
        let names: Option<Vec<&str>> = match (item.as_str(), item.as_array()) {
            (Some(name), _) => Some(vec![name]),
            (_, Some(names)) => names.iter().map(|name| name.as_str()).collect(),
            _ => None,
        };
        let names = names.ok_or_else(|| format!("{action} is a list of keys: [\"x\", \"F9\", \"Ctrl-R\"]"))?;
        let mut keys = Vec::new();
        for name in names {
            let key = Key::named(name).ok_or_else(|| format!("no key is called {}", printable(name.as_bytes())))?;
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
                (None, _) => Err(format!("no view with columns is called {}", printable(name.as_bytes()))),
                (_, None) => Err(format!("{name} is a list of names: [\"pid\", \"cpu\"]")),
                (Some(shown), Some(names)) => self.columns_of(shown, names),
            };
            self.check(at, wrong);
        }
    }

    /// Those that are known, each once; the one that stands last need not be named.
    fn columns_of(&mut self, shown: Shown, names: &Array) -> Result<(), String> {
        let mut columns = Vec::new();
        let mut unknown = None;
        for name in names {
            match name.as_str().and_then(|name| shown.column(name)) {
                Some(Some(column)) if !columns.contains(&column) => columns.push(column),
                Some(_) => {}
                None => {
                    unknown = Some(name.as_str().map_or_else(|| "something else than a name".into(), |name| printable(name.as_bytes())))
                }
            }
        }
        self.config.look.choose_columns(shown, columns);
        unknown.map_or(Ok(()), |name| Err(format!("there is no column {name}")))
    }
}

fn one_of<const N: usize>(key: &str, names: [&str; N]) -> String {
    format!("{key} is one of {}", names.join(", "))
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
        let text = "theme = 'dark'\nthme = 'x'\nunits = 3\n\n[columns]\ncpu = ['pid', 'nosuch']\nstacks = []\nmemory = 7\n[more]\n";
        let (config, warnings) = read(text).unwrap();
        assert_eq!(config.look.columns, [(View::Cpu.into(), vec!["pid"])]);
        let begin: Vec<_> = warnings.iter().map(|w| w.split(';').next().unwrap()).collect();
        assert_eq!(
            begin,
            [
                "line 2: there is no key thme",
                "line 3: units is one of iec, si",
                "line 6: there is no column nosuch",
                "line 7: no view with columns is called stacks",
                "line 8: memory is a list of names: [\"pid\", \"cpu\"]",
                "line 9: there is no key more",
            ]
        );
        assert!(read("a = 1\nb = = 2\n").unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn keys_are_read_and_conflicts_told() {
        let (config, warnings) = read("keys = 'vim'\n").unwrap();
        assert_eq!((config.preset, config.keys.len(), warnings.len()), (Preset::Vim, 0, 0));
        let text = "[keys]\npreset = 'top'\nsignal = ['x', 'x', 'F12']\ntree = 'x'\nnosuch = 'y'\npause = ['Hyper-1']\ndelay = 3\n";
        let (config, warnings) = read(text).unwrap();
        assert_eq!((config.preset, config.keys.len(), config.keys[0].keys.len()), (Preset::Top, 2, 2));
        let begin: Vec<_> = warnings.iter().map(|w| w.split(';').next().unwrap()).collect();
        assert_eq!(
            begin,
            [
                "line 5: no action is called nosuch",
                "line 6: no key is called Hyper-1",
                "line 7: delay is a list of keys: [\"x\", \"F9\", \"Ctrl-R\"]",
                "line 4: x is the key of signal already, by line 3",
            ]
        );
        assert!(read("keys = 'emacs'").unwrap().1[0].contains("htop, vim, top"));
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        let (_, warnings) = read("\"\\u001b[2J\" = 1\n").unwrap();
        assert!(!warnings[0].contains('\x1b'), "{warnings:?}");
        assert_eq!(read(&"x = 1\ny = 1\n".replace('x', "'a b'")).unwrap().1.len(), 2);
        let many: String = (0..1000).map(|i| format!("k{i} = 1\n")).collect();
        assert_eq!(read(&many).unwrap().1.len(), WARNINGS_MAX);
    }

    proptest! {
        #[test]
        fn odd_text_never_panics(text in "(theme|columns|\\[|\\]|=|'|\"|cpu|\n|\\.|\\PC){0,30}") {
            let _ = read(&text);
        }
    }
}

//! Reads a configuration, and says line by line what it cannot use.

use toml_edit::{Array, Document, Item, Table};

use super::Config;
use crate::app::column::{Column, Columns};
use crate::app::look::{Palette, Units};
use crate::app::view::View;
use crate::sample::printable;

/// Warnings kept; a file with more is not worth more words.
const WARNINGS_MAX: usize = 20;

/// Reads text; what cannot be used is warned of as `line 3: …` and left out.
///
/// # Errors
/// It is no TOML: `line 3: …`.
pub fn read(text: &str) -> Result<(Config, Vec<String>), String> {
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        format!("line {line}: {}", printable(error.message().replace('\n', "; ").as_bytes()))
    })?;
    let mut reader = Reader { text, config: Config::default(), warnings: Vec::new() };
    reader.table(document.as_table());
    Ok((reader.config, reader.warnings))
}

/// The line that a byte is in, from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&b| b == b'\n').count()
}

struct Reader<'a> {
    text: &'a str,
    config: Config,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn table(&mut self, table: &Table) {
        for (name, item) in table {
            let at = table.key(name).and_then(|key| key.span()).or(item.span()).map_or(0, |span| span.start);
            let wrong = match name {
                "theme" => self.theme(item),
                "units" => self.units(item),
                "ascii" => item.as_bool().map(|ascii| self.config.ascii = ascii).ok_or_else(|| "ascii is true or false".into()),
                "mouse" => item.as_bool().map(|mouse| self.config.no_mouse = !mouse).ok_or_else(|| "mouse is true or false".into()),
                "columns" => item.as_table().map(|views| self.columns(views)).ok_or_else(|| "columns is a table: [columns]".into()),
                _ => Err(format!("there is no key {}", printable(name.as_bytes()))),
            };
            self.check(at, wrong);
        }
    }

    fn check(&mut self, at: usize, result: Result<(), String>) {
        if let Err(wrong) = result
            && self.warnings.len() < WARNINGS_MAX
        {
            self.warnings.push(format!("line {}: {wrong}; see `ebtop config --default`", line_of(self.text, at)));
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

    fn columns(&mut self, views: &Table) {
        for (name, item) in views {
            let at = views.key(name).and_then(|key| key.span()).map_or(0, |span| span.start);
            let view = View::ALL.into_iter().find(|view| view.columns().is_some() && view.title().eq_ignore_ascii_case(name));
            let wrong = match (view, item.as_array()) {
                (None, _) => Err(format!("no view with columns is called {}", printable(name.as_bytes()))),
                (_, None) => Err(format!("{name} is a list of names: [\"pid\", \"cpu\"]")),
                (Some(view), Some(names)) => self.columns_of(view, names),
            };
            self.check(at, wrong);
        }
    }

    /// Those that are known; the command line last, each once.
    fn columns_of(&mut self, view: View, names: &Array) -> Result<(), String> {
        let mut columns = Vec::new();
        let mut unknown = None;
        for name in names {
            match name.as_str().and_then(Column::named) {
                Some(column) if !column.takes_the_rest() && !columns.contains(&column) => columns.push(column),
                Some(_) => {}
                None => {
                    unknown = Some(name.as_str().map_or_else(|| "something else than a name".into(), |name| printable(name.as_bytes())))
                }
            }
        }
        columns.push(Column::Command);
        self.config.look.columns.push((view, columns));
        unknown.map_or(Ok(()), |name| Err(format!("there is no column {name}")))
    }
}

fn one_of<const N: usize>(key: &str, names: [&str; N]) -> String {
    format!("{key} is one of {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT;
    use proptest::prelude::*;

    #[test]
    fn the_default_file_says_the_defaults() {
        assert_eq!(read(DEFAULT).unwrap(), (Config::default(), vec![]));
        let shown: String = DEFAULT.lines().map(|l| if l.contains(" = [") { &l[2..] } else { l }.to_owned() + "\n").collect();
        let (config, warnings) = read(&shown).unwrap();
        assert_eq!((config.look.columns.len(), warnings), (4, vec![]), "the examples are right");
    }

    #[test]
    fn choices_are_read() {
        let (config, warnings) =
            read("theme='mono'\nunits='si'\nascii=true\nmouse=false\n[columns]\ncpu=['CPU%','command','pid','pid']\n").unwrap();
        assert_eq!((config.look.palette, config.look.units, config.ascii, config.no_mouse), (Palette::Mono, Units::Si, true, true));
        assert_eq!(config.look.columns, [(View::Cpu, vec![Column::CpuPct, Column::Pid, Column::Command])]);
        assert!(warnings.is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_told_by_line() {
        let text = "theme = 'dark'\nthme = 'x'\nunits = 3\n\n[columns]\ncpu = ['pid', 'nosuch']\nstacks = []\nmemory = 7\n[more]\n";
        let (config, warnings) = read(text).unwrap();
        assert_eq!(config.look.columns, [(View::Cpu, vec![Column::Pid, Column::Command])]);
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

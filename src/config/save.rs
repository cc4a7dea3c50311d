//! Writes choices back into a configuration without touching anything else in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::{DEFAULT, text_of};
use crate::app::look::Look;

/// Saves choices in a file, which is made where it is not there: whole or not at all.
///
/// # Errors
/// One line: what went wrong and what to do.
pub fn save(path: &Path, look: &Look) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot save {}: {error}; --config names another file", path.display());
    let text = match text_of(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => DEFAULT.to_owned(),
        Err(error) => return Err(failed(error)),
    };
    let text = with(&text, look).map_err(|why| format!("{} is not saved: {why}", path.display()))?;
    replace(path, &text).map_err(failed)
}

/// The text with these choices in it.
fn with(text: &str, look: &Look) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|_| "it is no TOML; mend it or move it away".to_owned())?;
    let root = document.as_table_mut();
    set(root, "theme", look.palette.name().into());
    set(root, "units", look.units.name().into());
    set(root, "header", look.header.name().into());
    if !look.columns.is_empty() {
        let columns = root.entry("columns").or_insert_with(|| Item::Table(Table::new()));
        let columns = columns.as_table_like_mut().ok_or("`columns` in it is no table")?;
        for (shown, chosen) in &look.columns {
            let names: Array = chosen.iter().copied().collect();
            match columns.get_mut(shown.name()).and_then(Item::as_value_mut) {
                Some(value) => put(value, names.into()),
                None => drop(columns.insert(shown.name(), Item::Value(names.into()))),
            }
        }
    }
    Ok(document.to_string())
}

fn set(table: &mut Table, key: &str, new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(value) => put(value, new),
        None => drop(table.insert(key, Item::Value(new))),
    }
}

/// In place of another value, with the comment behind it.
fn put(value: &mut Value, mut new: Value) {
    *new.decor_mut() = value.decor().clone();
    *value = new;
}

/// Through a new file beside it, so that a full disk leaves the old one. A symbolic link stays one, and whoever may read it now may
/// read it after.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
        real => real?,
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let beside = path.with_extension(format!("toml.{}", std::process::id()));
    let old = fs::metadata(&path).ok().map(|old| old.permissions().mode() & 0o777);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(old.map_or(0o644, |old| old & 0o600)).open(&beside)?;
    // After it was made, since the process's mask takes away from what a new file asks for.
    let allowed = old.map_or(Ok(()), |old| file.set_permissions(PermissionsExt::from_mode(old)));
    let written =
        allowed.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::look::{Header, Palette, Units};
    use crate::app::net::NetTable;
    use crate::app::view::View;
    use crate::config::read;

    fn chosen() -> Look {
        Look {
            palette: Palette::Light,
            units: Units::Si,
            header: Header::Large,
            columns: vec![
                (View::Cpu.into(), vec!["cpu"]),
                (NetTable::Listeners.into(), vec!["local", "user"]),
                (View::Cgroups.into(), vec![]),
            ],
        }
    }

    #[test]
    fn choices_are_read_back_and_comments_stay() {
        let text = "# mine\ntheme = \"dark\" # at night\nfuture = 1\n\n[columns]\n# wide\nmemory = [\"pid\"] # few\n";
        let saved = with(text, &chosen()).unwrap();
        for kept in ["# mine", "theme = \"light\" # at night", "future = 1", "# wide\nmemory = [\"pid\"] # few"] {
            assert!(saved.contains(kept), "{kept} in\n{saved}");
        }
        let (config, warnings) = read(&saved).unwrap();
        assert_eq!((config.look.palette, config.look.units, config.look.columns.len(), warnings.len()), (Palette::Light, Units::Si, 4, 1));
        assert_eq!(with(&saved, &chosen()).unwrap(), saved, "saving twice changes nothing");
        assert_eq!(read(&with(DEFAULT, &chosen()).unwrap()).unwrap().0.look, chosen());
        assert_eq!(read(&with("", &chosen()).unwrap()).unwrap().0.look, chosen());
    }

    #[test]
    fn a_new_file_is_made_and_a_broken_one_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a").join("config.toml");
        save(&path, &chosen()).unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("# Colours"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
        for mode in [0o600, 0o664] {
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            save(&path, &chosen()).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        fs::write(&path, "theme = = 1").unwrap();
        assert!(save(&path, &chosen()).unwrap_err().contains("mend it"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theme = = 1");
        assert!(save(Path::new("/proc/ebtop/config.toml"), &chosen()).unwrap_err().starts_with("cannot save"));
    }
}

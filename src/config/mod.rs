//! The configuration file: where it is, what it says, and how choices get back into it. Its keys are described in docs/config.md.

mod read;
mod save;
mod syntax;
mod words;

use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::app::keymap::{OwnKeys, Preset};
use crate::app::look::Look;
use crate::sample::printable;
pub use read::read;
pub use save::Keeper;

/// A file of all keys with their defaults and what they mean.
pub const DEFAULT: &str = include_str!("default.toml");

/// Used where the user has no file.
const OF_THE_MACHINE: &str = "/etc/ebtop/config.toml";
/// No longer file is read.
const BYTES_MAX: u64 = 1 << 20;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Colours, units, columns.
    pub look: Look,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// Leave the mouse to the terminal.
    pub no_mouse: bool,
    /// Whose fingers the keys are made for.
    pub preset: Preset,
    /// Keys in place of those.
    pub keys: Vec<OwnKeys>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The choices.
    pub config: Config,
    /// The file they are from.
    pub from: Option<PathBuf>,
    /// The file they are saved to; `None` where there is no home directory, or saving would spoil a file that cannot be read.
    pub save_to: Option<PathBuf>,
    /// The file that the warnings are about.
    pub faulty: Option<PathBuf>,
    /// What is wrong with it: `line 3: …`.
    pub warnings: Vec<String>,
    /// It is not one of those that ebtop looks for.
    pub is_named: bool,
}

impl Loaded {
    /// One line for the screen: the number of faults and where to read them stand before the first of them, which may be cut.
    pub fn notice(&self) -> Option<String> {
        let name =
            self.faulty.as_ref().and_then(|path| path.file_name()).map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = printable(name.as_bytes());
        match &self.warnings[..] {
            [] => None,
            [one] => Some(format!("{name} {one}")),
            [first, ..] => {
                let command = if self.is_named { "`ebtop config --config …`" } else { "`ebtop config`" };
                Some(format!("{name}: {} faults, {command} lists them; {first}", self.warnings.len()))
            }
        }
    }
}

/// Reads the file that was named, else the user's, else the machine's.
///
/// # Errors
/// The file that was named cannot be read, or is no TOML. Other files only warn.
pub fn load(named: Option<&Path>) -> Result<Loaded, String> {
    let own = named.map(Path::to_path_buf).or_else(own_file);
    let candidates = own.iter().cloned().chain(named.is_none().then(|| OF_THE_MACHINE.into()));
    let mut loaded = Loaded { save_to: own.clone(), is_named: named.is_some(), ..Loaded::default() };
    for path in candidates {
        let text = match text_of(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => continue,
            Err(error) if named.is_some() => return Err(format!("cannot read {}: {error}", path.display())),
            Err(error) => return Ok(failed(path, vec![format!("cannot be read: {error}")])),
        };
        match read(&text) {
            Ok((config, warnings)) => (loaded.config, loaded.warnings) = (config, warnings),
            Err(wrong) if named.is_some() => return Err(format!("{} {}", path.display(), wrong.join("\n  "))),
            Err(wrong) => return Ok(failed(path, wrong)),
        }
        loaded.faulty = Some(path.clone()).filter(|_| !loaded.warnings.is_empty());
        loaded.from = Some(path);
        break;
    }
    Ok(loaded)
}

/// All defaults hold, and nothing is saved over what somebody wrote.
fn failed(path: PathBuf, warnings: Vec<String>) -> Loaded {
    Loaded { faulty: Some(path), warnings, ..Loaded::default() }
}

/// Neither a device nor a pipe can keep ebtop waiting, and no file can fill its memory.
fn text_of(path: &Path) -> io::Result<String> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    if file.take(BYTES_MAX + 1).read_to_string(&mut text)? as u64 > BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// `$XDG_CONFIG_HOME/ebtop/config.toml`, by default below `~/.config`; under sudo in the home of who is behind it.
fn own_file() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || crate::rights::invoking_user().and_then(crate::users::home_soon).or_else(|| variable("HOME"));
    let base = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| Some(home()?.join(".config")))?;
    Some(base.join("ebtop").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_must_be_there_and_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        assert!(load(Some(&path)).unwrap_err().starts_with("cannot read "));
        std::fs::write(&path, "theme = ").unwrap();
        assert!(load(Some(&path)).unwrap_err().contains("line 1"));
        std::fs::write(&path, "theme = \"light\"\n").unwrap();
        let loaded = load(Some(&path)).unwrap();
        assert_eq!((loaded.config.look.palette.name(), &loaded.from, &loaded.save_to), ("light", &Some(path.clone()), &Some(path.clone())));
        assert!(load(Some(directory.path())).unwrap_err().contains("no file"));
        std::fs::write(&path, "theme = light\nunits = si\n").unwrap();
        assert_eq!(load(Some(&path)).unwrap_err().lines().count(), 2, "all of it at once");
    }

    #[test]
    fn the_notice_says_how_many_faults_there_are_before_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.toml");
        let notice = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Loaded { is_named: false, ..load(Some(&path)).unwrap() }.notice()
        };
        assert_eq!(notice("theme = 'dark'\n"), None);
        assert_eq!(notice("\nthme = 1\n").as_deref(), Some("c.toml line 2: there is no key thme; meant theme?"));
        let told = notice("thme = 1\nunits = 2\n[keys]\nsignal = ['q']\n").unwrap();
        assert!(told.starts_with("c.toml: 3 faults, `ebtop config` lists them; line 1: there is no key thme"), "{told}");
        assert!(load(Some(&path)).unwrap().notice().unwrap().starts_with("c.toml: 3 faults, `ebtop config --config …` lists them; "));
    }
}

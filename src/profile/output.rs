//! The form a profile is written in, and where to.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, IsTerminal, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{ProfileError, known};
use crate::export::profile::Profile;
use crate::export::{folded, hot, pprof, speedscope};
use crate::files::{Opened, open_or_make};
use crate::sample::printable;

/// Form of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The hottest functions, for people
    Text,
    /// process;caller;callee VALUE, for flamegraph.pl and others
    Folded,
    /// Gzipped protobuf for `go tool pprof` and profile stores
    Pprof,
    /// JSON for speedscope.app
    Speedscope,
    /// A flame graph for a browser
    Svg,
}

impl Form {
    /// What the end of a file's name asks for.
    fn of(path: &Path) -> Option<Form> {
        let name = path.file_name()?.to_str()?;
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        match () {
            () if ends(&[".folded", ".collapsed"]) => Some(Form::Folded),
            () if ends(&[".pb.gz", ".pprof"]) => Some(Form::Pprof),
            () if ends(&[".json"]) => Some(Form::Speedscope),
            () if ends(&[".svg"]) => Some(Form::Svg),
            () if ends(&[".txt"]) => Some(Form::Text),
            () => None,
        }
    }

    /// The profile in this form.
    ///
    /// # Errors
    /// There is nothing to draw, or this program was built without the form.
    pub fn bytes(self, profile: &Profile) -> io::Result<Vec<u8>> {
        match self {
            Form::Text => Ok(hot::text(profile).into_bytes()),
            Form::Folded => Ok(folded::bytes(profile)),
            Form::Pprof => pprof::bytes(profile),
            Form::Speedscope => Ok(speedscope::bytes(profile)?),
            #[cfg(feature = "svg")]
            Form::Svg => crate::export::svg::bytes(profile),
            #[cfg(not(feature = "svg"))]
            Form::Svg => Err(io::Error::other(NO_SVG)),
        }
    }
}

#[cfg(not(feature = "svg"))]
const NO_SVG: &str = "built without flame graphs as SVG: take folded or speedscope";

/// Where a profile goes.
#[derive(Debug)]
pub struct Output {
    form: Form,
    to: To,
}

#[derive(Debug)]
enum To {
    Stdout,
    File { file: File, path: PathBuf, is_new: bool },
}

impl Output {
    /// Makes or opens the file, so that what is wrong with it is known before anything is sampled; its content stays until the end.
    ///
    /// # Errors
    /// One line: no form can be told from the name, or the file cannot be made, is somebody else's, or holds anything but an earlier profile.
    pub fn open(path: Option<&Path>, form: Option<Form>) -> Result<Output, ProfileError> {
        let path = path.filter(|path| *path != Path::new("-"));
        let Some(path) = path else {
            let form = form.unwrap_or(Form::Text);
            if form == Form::Pprof && io::stdout().is_terminal() {
                return Err(ProfileError::Usage("pprof is not for a terminal: give -o out.pb.gz, or send the output elsewhere".into()));
            }
            return Ok(Output { form, to: To::Stdout });
        };
        let unknown = || {
            let shown = path.display();
            ProfileError::Usage(format!("which form is {shown}? Name it .folded, .pb.gz, .json, .svg or .txt, or give --format"))
        };
        let form = form.or_else(|| Form::of(path)).ok_or_else(unknown)?;
        #[cfg(not(feature = "svg"))]
        if form == Form::Svg {
            return Err(ProfileError::Usage(NO_SVG.into()));
        }
        let name = || path.display().to_string();
        let (file, is_new) = match open_or_make(path) {
            Ok(Opened::New(file)) => (file, true),
            Ok(Opened::Old(file)) => match known::is_profile(&file) {
                Ok(true) => (file, false),
                Ok(false) => return Err(ProfileError::NotOurs(name())),
                Err(error) => return Err(ProfileError::Output(name(), error)),
            },
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(ProfileError::NotOurs(name())),
            Err(error) => return Err(ProfileError::Output(name(), error)),
        };
        Ok(Output { form, to: To::File { file, path: path.to_owned(), is_new } })
    }

    /// Writes the profile; gives the name of the file, if it is one.
    ///
    /// # Errors
    /// The disk is full or gone. A reader of standard output that went away is no error.
    pub fn write(self, profile: &Profile) -> Result<Option<String>, ProfileError> {
        let failed = |name: &str| {
            let name = name.to_owned();
            move |error| ProfileError::Output(name, error)
        };
        match self.to {
            To::Stdout => {
                let bytes = self.form.bytes(profile).map_err(failed("standard output"))?;
                match io::stdout().write_all(&bytes).and_then(|()| io::stdout().flush()) {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(failed("standard output")(error)),
                    _ => Ok(None),
                }
            }
            To::File { mut file, path, .. } => {
                let name = path.display().to_string();
                let bytes = self.form.bytes(profile).map_err(failed(&name))?;
                let written = file.rewind().and_then(|()| file.set_len(0)).and_then(|()| file.write_all(&bytes));
                written.map_err(failed(&name))?;
                Ok(Some(name))
            }
        }
    }

    /// Leaves nothing behind that was not there before, and what others put there by the same name meanwhile.
    pub fn discard(self) {
        if let To::File { path, file, is_new: true } = self.to
            && is_still(&file, &path)
        {
            // Whoever may make the file may remove it; if not, an empty file stays.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether the name leads to the file that was opened by it. The kernel has no call that removes one on that condition: what comes
/// between is the time of two calls.
fn is_still(file: &File, path: &Path) -> bool {
    let place = |meta: Metadata| (meta.dev(), meta.ino());
    let (opened, named) = (file.metadata().map(place), std::fs::symlink_metadata(path).map(place));
    opened.is_ok_and(|opened| named.is_ok_and(|named| named == opened))
}

/// Writes a profile to a file whose name says its form, and says so in one line.
///
/// # Errors
/// One line, fit for a terminal: the name says no form, or what [`Output::open`] and [`Output::write`] say.
pub fn save(path: &Path, profile: &Profile) -> Result<String, String> {
    // Also `-`: standard output is the screen's.
    if Form::of(path).is_none() {
        return Err("end it in .svg .folded .pb.gz .json .txt".into());
    }
    match Output::open(Some(path), None).and_then(|output| output.write(profile)) {
        Ok(_) => Ok(format!("Written: {}", printable(path.display().to_string().as_bytes()))),
        Err(error) => Err(printable(error.to_string().as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_by_name() {
        for (name, form) in [
            ("a.folded", Some(Form::Folded)),
            ("/t/a.b.pb.gz", Some(Form::Pprof)),
            ("a.json", Some(Form::Speedscope)),
            ("a.svg", Some(Form::Svg)),
            ("a.gz", None),
            ("svg", None),
        ] {
            assert_eq!(Form::of(Path::new(name)), form, "{name}");
        }
    }

    #[test]
    fn an_older_profile_is_replaced_only_when_there_is_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old.txt"), dir.path().join("new.txt"));
        let before = hot::text(&Profile { title: "before".into(), ..Profile::default() });
        std::fs::write(&old, &before).unwrap();
        for path in [&old, &new] {
            Output::open(Some(path), None).unwrap().discard();
        }
        assert_eq!((std::fs::read_to_string(&old).unwrap(), new.exists()), (before, false));
        let written = Output::open(Some(&old), None).unwrap().write(&Profile::default()).unwrap();
        assert_eq!(written.as_deref(), old.to_str());
        assert_eq!(std::fs::read_to_string(&old).unwrap(), hot::text(&Profile::default()));
    }

    #[test]
    fn what_others_put_in_its_place_stays() {
        let dir = tempfile::tempdir().unwrap();
        let [path, other] = ["a.txt", "other"].map(|name| dir.path().join(name));
        std::fs::write(&other, "theirs").unwrap();
        let output = Output::open(Some(&path), None).unwrap();
        std::fs::rename(&other, &path).unwrap();
        output.discard();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
        let link = dir.path().join("b.txt");
        let output = Output::open(Some(&link), None).unwrap();
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        output.discard();
        assert!(link.is_symlink());
    }

    #[test]
    fn no_other_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let notes = dir.path().join("notes.txt");
        std::fs::write(&notes, "x".repeat(100_000)).unwrap();
        let error = Output::open(Some(&notes), None).unwrap_err();
        assert!(matches!(error, ProfileError::NotOurs(_)) && error.to_string().contains("notes.txt"), "{error}");
        assert!(save(&notes, &Profile::default()).unwrap_err().contains("another name"));
        for formless in ["-", "", "a.gz", "/"] {
            assert!(save(Path::new(formless), &Profile::default()).unwrap_err().contains(".pb.gz"), "{formless:?}");
        }
        assert_eq!(std::fs::metadata(&notes).unwrap().len(), 100_000);
    }

    #[test]
    fn what_cannot_be_written_is_said_before_sampling() {
        let said = |path: &str| Output::open(Some(Path::new(path)), None).unwrap_err().to_string();
        assert!(said("/tmp/out").contains("--format"));
        assert!(said("/proc/nowhere/a.svg").contains("/proc/nowhere/a.svg"));
    }
}

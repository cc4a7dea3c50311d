//! Making files in places that others may write to.
//!
//! A directory like /tmp is anybody's: a name there may be a symbolic link that somebody left to have a file of root's overwritten.
//! Such links are not followed, wherever in a path they stand; those of root and of the user are.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::rights;
use crate::sample::printable;

/// Links in one path, as many as the kernel follows (`MAXSYMLINKS`).
const LINKS_MAX: usize = 40;
/// Nobody but the owner reads it: command lines hold secrets.
const PRIVATE: Mode = Mode::from_raw_mode(0o600);

/// Lets this process have as many files open as its hard limit says. The soft one is 1,024 nearly everywhere, for the sake of
/// `select(2)`, and each CPU takes a descriptor for its timer, two more while faults are looked at.
pub fn allow_many() {
    let limit = getrlimit(Resource::Nofile);
    // What is not allowed here is done without.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Most files that this process may have open at once; `None` without a limit.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Descriptors that stay free for what is opened and closed all the time: walks of the task list, files of processes.
const KEPT_FREE: u64 = 12;

/// Whether there is room for such beside this descriptor, which was just opened: the kernel gives the lowest number that is free.
pub fn leaves_room(newest: BorrowedFd<'_>) -> bool {
    limit().is_none_or(|limit| newest.as_raw_fd() as u64 + KEPT_FREE < limit)
}

/// What to do about an error, where the system ran out of what a limit bounds.
pub fn mend(error: &str) -> Option<&'static str> {
    if is_out_of_them(error) {
        return Some("raise the limit of open files: `ulimit -n 1024`");
    }
    // EAGAIN of a new thread.
    error.contains("(os error 11)").then_some("no thread is to be had: raise `ulimit -u`, `ulimit -v` or the control group's pids.max")
}

/// Whether an error says that no descriptor was left: EMFILE and ENFILE, as they stand in its text.
pub fn is_out_of_them(error: &str) -> bool {
    ["(os error 24)", "(os error 23)"].iter().any(|errno| error.contains(errno))
}

/// A file to be written.
#[derive(Debug)]
pub enum Opened {
    /// It is new, and its owner's only.
    New(File),
    /// It was there: a plain file of this user with one name, and whatever it had inside.
    Old(File),
}

/// Opens a file for reading and writing, or makes it.
///
/// # Errors
/// What the kernel says; `AlreadyExists` where the name is taken by anything but a plain file of this user.
pub fn open_or_make(path: &Path) -> io::Result<Opened> {
    open_as_owner(path).map_err(|error| {
        let owner = rights::file_owner();
        match error.raw_os_error() == Some(libc::EACCES) && owner != rustix::process::geteuid().as_raw() {
            true => io::Error::new(error.kind(), format!("user {owner}, as whom files are made under sudo, may not write there")),
            false => error,
        }
    })
}

/// Writes a new file, and says so in one line.
///
/// # Errors
/// One line, fit for a terminal: there is a file of that name, or the kernel refuses.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<String, String> {
    let name = printable(path.display().to_string().as_bytes());
    let taken = || format!("{name} exists: give another name, or remove it first");
    let written = match open_or_make(path) {
        Ok(Opened::New(mut file)) => file.write_all(bytes),
        Ok(Opened::Old(_)) => return Err(taken()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken()),
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => Ok(format!("Written: {name}")),
        Err(error) => Err(format!("{name}: {}", printable(error.to_string().as_bytes()))),
    }
}

fn open_as_owner(path: &Path) -> io::Result<Opened> {
    let (directory, name) = parent(path)?;
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(&directory, &name, flags | OFlags::CREATE | OFlags::EXCL, PRIVATE) {
        Err(rustix::io::Errno::EXIST) => {}
        made => return Ok(Opened::New(made?.into())),
    }
    let old = openat(&directory, &name, flags, Mode::empty()).map_err(|_| io::ErrorKind::AlreadyExists)?;
    let file = File::from(old);
    let facts = file.metadata()?;
    match facts.is_file() && facts.uid() == rights::file_owner() && facts.nlink() == 1 {
        true => Ok(Opened::Old(file)),
        false => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// A step of a path that is still to be taken.
enum Step {
    Root,
    Down(OsString),
}

fn steps(path: &Path) -> impl DoubleEndedIterator<Item = Step> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::CurDir | Component::Prefix(_) => None,
        Component::ParentDir => Some(Step::Down("..".into())),
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
    })
}

/// The directory that holds `path`, reached without a link that a stranger may have set, and the last name.
fn parent(path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let name = path.file_name().map(OsStr::to_owned).ok_or(io::ErrorKind::InvalidInput)?;
    let mut todo: VecDeque<Step> = path.parent().map(|parent| steps(parent).collect()).unwrap_or_default();
    let here = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = openat(CWD, ".", here, Mode::empty())?;
    let mut links = 0;
    while let Some(step) = todo.pop_front() {
        let Step::Down(name) = step else {
            directory = openat(CWD, "/", here, Mode::empty())?;
            continue;
        };
        let next = openat(&directory, &name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let facts = fstat(&next)?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::Symlink {
            directory = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(rustix::io::Errno::LOOP.into());
        }
        if !may_follow(facts.st_uid, &fstat(&directory)?) {
            let why = format!("`{}` is somebody else's symbolic link in a directory that everybody may write to", name.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let target = OsString::from_vec(readlinkat(&next, "", Vec::new())?.into_bytes());
        steps(Path::new(&target)).rev().for_each(|step| todo.push_front(step));
    }
    Ok((directory, name))
}

/// Links that this user or the directory's owner set are as good as the directory itself (`fs.protected_symlinks` has the same rule).
fn may_follow(owner: u32, directory: &rustix::fs::Stat) -> bool {
    let anybody_writes = directory.st_mode & 0o002 != 0;
    !anybody_writes || owner == rights::file_owner() || owner == directory.st_uid
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, text: &str) -> io::Result<bool> {
        let (is_new, mut file) = match open_or_make(path)? {
            Opened::New(file) => (true, file),
            Opened::Old(file) => (false, file),
        };
        file.write_all(text.as_bytes())?;
        Ok(is_new)
    }

    #[test]
    fn errors_of_limits_name_the_limit() {
        let of = |errno| mend(&io::Error::from_raw_os_error(errno).to_string()).unwrap_or_default();
        assert!(of(libc::EMFILE).contains("`ulimit -n") && of(libc::EAGAIN).contains("`ulimit -u`"));
        assert_eq!((of(libc::ENOENT), of(libc::EPERM)), ("", ""));
    }

    #[test]
    fn own_files_are_made_private_and_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(write(&path, "new").unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!write(&path, "old").unwrap());
        let mut text = String::new();
        let Opened::Old(mut file) = open_or_make(&path).unwrap() else { panic!() };
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
    }

    #[test]
    fn nothing_is_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("table.csv");
        assert_eq!(write_new(&path, b"a,b\n"), Ok(format!("Written: {}", path.display())));
        assert_eq!(write_new(&path, b"c"), Err(format!("{} exists: give another name, or remove it first", path.display())));
        assert_eq!(std::fs::read(&path).unwrap(), b"a,b\n");
        assert!(write_new(&dir.path().join("none/t.csv"), b"c").unwrap_err().contains("No such file"));
    }

    #[test]
    fn own_links_to_directories_are_followed_and_loops_end() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("real/deep")).unwrap();
        symlink("real/./deep", at("relative")).unwrap();
        symlink(at("relative"), at("absolute")).unwrap();
        symlink("loop", at("loop")).unwrap();
        write(&at("absolute/../deep/file"), "x").unwrap();
        assert_eq!(std::fs::read(at("real/deep/file")).unwrap(), b"x");
        let error = write(&at("loop/file"), "x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert_eq!(write(&at("none/file"), "x").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(write(&at("real/deep/file/x"), "x").unwrap_err().kind(), io::ErrorKind::NotADirectory);
        assert_eq!(write(Path::new("/"), "x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(write(&at("real/.."), "x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_link_is_never_the_file_itself() {
        let dir = tempfile::tempdir().unwrap();
        symlink(dir.path().join("target"), dir.path().join("link")).unwrap();
        assert_eq!(write(&dir.path().join("link"), "x").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!dir.path().join("target").exists());
    }

    #[test]
    fn a_strangers_link_counts_where_only_some_may_write() {
        let (me, root, stranger) = (rights::file_owner(), 0, 4_000_000);
        let directory = |mode, owner| {
            let mut facts = fstat(File::open("/").unwrap()).unwrap();
            (facts.st_mode, facts.st_uid) = (mode, owner);
            facts
        };
        assert!(!may_follow(stranger, &directory(0o1777, root)));
        assert!(!may_follow(stranger, &directory(0o777, me)));
        assert!(may_follow(me, &directory(0o1777, root)) && may_follow(root, &directory(0o1777, root)));
        assert!(may_follow(stranger, &directory(0o755, root)));
    }

    #[test]
    #[ignore = "needs root"]
    fn a_strangers_link_in_a_shared_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o1777)).unwrap();
        let [link, target] = ["link", "target"].map(|name| dir.path().join(name));
        std::fs::create_dir(&target).unwrap();
        symlink(&target, &link).unwrap();
        write(&link.join("mine"), "x").unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).unwrap();
        let error = write(&link.join("theirs"), "x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("symbolic link") && !target.join("theirs").exists());
    }
}

//! Files of container runtimes, read below the root directory of the machine. A container, or the user who runs it, may have written
//! them: no device, pipe or endless file is read, and none through a way out of that root.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

/// Longer files are left alone. The configuration of a container has some 30 KiB, podman's list of all some 1.5 KiB for each.
const LIMIT: u64 = 8 << 20;

/// A root directory and in whose name files are trusted.
pub(super) struct Root {
    directory: OwnedFd,
    /// Files must belong to this user, who can then only tell of what is theirs.
    owner: Option<u32>,
}

impl Root {
    /// The root of the machine, also from within a container that shares its pids.
    pub(super) fn of_machine() -> Option<Root> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path| openat(CWD, path, flags, Mode::empty()).ok();
        Some(Root { directory: open("/proc/1/root").or_else(|| open("/"))?, owner: None })
    }

    /// Any directory in place of the root.
    #[cfg(test)]
    pub(super) fn at(directory: &std::path::Path) -> Root {
        Root { directory: File::open(directory).expect("a directory").into(), owner: None }
    }

    /// The same for the files of one user.
    pub(super) fn of_user(&self, uid: u32) -> Option<Root> {
        Some(Root { directory: self.directory.try_clone().ok()?, owner: Some(uid) })
    }

    /// All of a regular file; `None` where there is none, it is refused, too long or somebody else's.
    pub(super) fn read(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let facts = fstat(&file).ok()?;
        let is_trusted = self.owner.is_none_or(|owner| facts.st_uid == owner);
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile || !is_trusted || facts.st_size as u64 > LIMIT {
            return None;
        }
        let mut bytes = Vec::new();
        File::from(file).take(LIMIT + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LIMIT).then_some(bytes)
    }

    /// Names in a directory, the first so many.
    pub(super) fn list(&self, path: &str, most: usize) -> Vec<String> {
        let Some(directory) = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) else { return Vec::new() };
        let Ok(entries) = rustix::fs::Dir::new(directory) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        names.filter(|name| !name.starts_with('.')).take(most).collect()
    }

    /// Links lead nowhere out of the root. Kernels before 5.6, and filters that do not know the call, get no files.
    fn open(&self, path: &str, flags: OFlags) -> Option<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(self.directory.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn reads_regular_files_below_its_root_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::at(dir.path());
        std::fs::write(dir.path().join("plain"), "text").unwrap();
        symlink("/plain", dir.path().join("link")).unwrap();
        symlink("/etc/passwd", dir.path().join("out")).unwrap();
        symlink("/proc/self/root/etc/passwd", dir.path().join("magic")).unwrap();
        std::fs::create_dir(dir.path().join("directory")).unwrap();
        rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(root.read("plain").as_deref(), Some(&b"text"[..]));
        assert_eq!(root.read("/link").as_deref(), Some(&b"text"[..]), "absolute links start at the root");
        for odd in ["out", "magic", "directory", "pipe", "none", "../../etc/passwd", "a\0b", ""] {
            assert_eq!(root.read(odd), None, "{odd:?}");
        }
        let long = File::create(dir.path().join("long")).unwrap();
        long.set_len(LIMIT + 1).unwrap();
        assert_eq!(root.read("long"), None);
    }

    #[test]
    fn a_users_files_must_be_theirs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "x").unwrap();
        let me = rustix::process::geteuid().as_raw();
        let root = Root::at(dir.path());
        assert!(root.of_user(me).unwrap().read("file").is_some());
        assert!(root.of_user(me + 1).unwrap().read("file").is_none());
    }

    #[test]
    fn lists_so_many_names() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c", ".hidden"];
        names.iter().for_each(|name| std::fs::create_dir(dir.path().join(name)).unwrap());
        let root = Root::at(dir.path());
        assert_eq!(root.list("/", 2).len(), 2);
        let mut all = root.list("/", 9);
        all.sort();
        assert_eq!(all, ["a", "b", "c"]);
        assert!(root.list("none", 9).is_empty());
    }
}

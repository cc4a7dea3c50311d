//! Which files the library may read the debug information of.
//!
//! It maps them, unpacks without a bound what is compressed, and opens whatever path they name, be it a pipe that never ends. So it is
//! given the files of the machine's own packages as they are, and of all others a copy, which nobody can change any more, and
//! only where that is uncompressed and ends with itself.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, ResolveFlags};

use super::process::reopen_path;
use super::sections::Sections;

/// From this size on a file's debug information is left alone, and only its symbols are read.
const DEBUG_BYTES_MAX: u64 = 96 << 20;
/// Most bytes of debug information once unpacked, as the file tells it.
const UNPACKED_MAX: u64 = 256 << 20;
/// Where packages install programs, libraries and debug files; only root changes what is in there. Not below `/var`, say: a container's
/// root makes files that are root's for us, too.
const SYSTEM_DIRS: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];

/// What the library may open in place of `file`; `None` where its debug information is left alone.
pub(super) fn for_the_library(file: &File) -> Option<File> {
    let is_the_systems = is_the_systems(file);
    if !is_fit(file, is_the_systems) {
        return None;
    }
    if is_the_systems {
        return file.try_clone().ok();
    }
    // Looked at again: it may have been changed between the look and the copy.
    copy(file).filter(|copy| is_fit(copy, false))
}

fn is_fit(file: &File, is_the_systems: bool) -> bool {
    let Ok(sections) = Sections::read(file) else { return false };
    // A link to a debug file was followed already, in the root of the process.
    let is_worth_it = sections.is_whole() && sections.has(b".debug_info") && !sections.has(b".gnu_debuglink");
    let leads_on = sections.has(b".gnu_debugaltlink") || sections.has(b".debug_sup");
    let is_plain = !leads_on && !sections.any_compressed();
    is_worth_it && sections.file_bytes() < DEBUG_BYTES_MAX && (is_plain || (is_the_systems && sections.unpacked_bytes() <= UNPACKED_MAX))
}

/// Whether a package of the machine that ebtop itself runs on installed the file: root owns it, nobody else writes to it, and its path
/// leads to it from our own root directory.
fn is_the_systems(file: &File) -> bool {
    let (Ok(meta), Ok(path)) = (file.metadata(), std::fs::read_link(reopen_path(file))) else { return false };
    meta.uid() == 0 && meta.mode() & 0o022 == 0 && SYSTEM_DIRS.iter().any(|dir| path.starts_with(dir)) && leads_to(&path, &meta)
}

fn leads_to(path: &Path, meta: &std::fs::Metadata) -> bool {
    let (Ok(root), Ok(path)) = (File::open("/"), path.strip_prefix("/")) else { return false };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS);
    let found = found.ok().and_then(|found| File::from(found).metadata().ok());
    found.is_some_and(|found| (found.dev(), found.ino()) == (meta.dev(), meta.ino()))
}

/// A copy in memory; `None` where the file is larger than what is read, or changes its size meanwhile.
fn copy(file: &File) -> Option<File> {
    let bytes = file.metadata().ok()?.len();
    let mut copy = File::from(rustix::fs::memfd_create("program", MemfdFlags::CLOEXEC).ok()?);
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < bytes.min(DEBUG_BYTES_MAX) {
        let read = file.read_at(&mut buffer, at).ok().filter(|&read| read > 0)?;
        copy.write_all(&buffer[..read]).ok()?;
        at += read as u64;
    }
    (at == bytes).then_some(copy)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A 64-bit file, or one that says it has 32, with one compressed section that claims to be 2^60 bytes, and its name.
    pub(crate) fn bomb(name: &str, class: u8) -> Vec<u8> {
        let names = [b"\0.shstrtab\0", name.as_bytes(), b"\0"].concat();
        let (unpacked, names_at) = ([&1u64.to_le_bytes()[..], &(1u64 << 60).to_le_bytes(), &1u64.to_le_bytes()].concat(), 64 + 24);
        let headers_at = (names_at + names.len() as u64).next_multiple_of(8);
        let section = |name: u32, kind: u32, flags: u64, offset: u64, bytes: u64| {
            let (first, second) = ([name, kind], [flags, 0, offset, bytes]);
            let rest = [0u64, 1, 24].map(u64::to_le_bytes).concat();
            [first.map(u32::to_le_bytes).concat(), second.map(u64::to_le_bytes).concat(), rest].concat()
        };
        let mut file = b"\x7fELF".to_vec();
        file.extend([class, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0]);
        file.extend([0, 0, headers_at].map(u64::to_le_bytes).concat());
        file.extend([0, 0, 0, 0, 64, 0, 56, 0, 0, 0, 64, 0, 3, 0, 1, 0]);
        file.extend(unpacked);
        file.extend(&names);
        file.resize(headers_at as usize, 0);
        file.extend(section(0, 0, 0, 0, 0));
        file.extend(section(1, 3, 0, names_at, names.len() as u64));
        file.extend(section(11, 1, 0x800, 64, 24));
        file
    }

    fn file_of(bytes: &[u8]) -> (tempfile::TempDir, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("python3");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        (dir, File::open(path).unwrap())
    }

    #[test]
    fn what_claims_to_be_huge_is_refused_whoever_owns_it() {
        let (_dir, file) = file_of(&bomb(".debug_info", 2));
        let sections = Sections::read(&file).unwrap();
        assert!(sections.is_whole() && sections.has(b".debug_info") && sections.any_compressed());
        assert_eq!(sections.unpacked_bytes(), 1 << 60);
        assert!(!is_fit(&file, true) && !is_fit(&file, false) && for_the_library(&file).is_none());
        let (_dir, other_kind) = file_of(&bomb(".debug_info", 1));
        assert!(!is_fit(&other_kind, true));
    }

    #[test]
    fn a_program_with_plain_debug_information_is_copied() {
        let own = File::open("/proc/self/exe").unwrap();
        assert!(!is_the_systems(&own), "it is built below a home directory");
        let copied = copy(&own).map(|copy| copy.metadata().unwrap().len());
        let bytes = own.metadata().unwrap().len();
        assert_eq!(copied, (bytes <= DEBUG_BYTES_MAX).then_some(bytes));
    }

    #[test]
    fn the_systems_files_are_known_by_place_and_owner() {
        let shell = std::fs::canonicalize("/bin/sh").unwrap();
        assert!(is_the_systems(&File::open(&shell).unwrap()), "{shell:?}");
        let (_dir, file) = file_of(b"x");
        assert!(!is_the_systems(&file), "root's, too, in a container of which root is the owner");
        assert!(!leads_to(&shell, &file.metadata().unwrap()), "the same path in another root");
    }
}

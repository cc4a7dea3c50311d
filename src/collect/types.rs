//! Kernel types (BTF) from a file, for kernels that do not describe their own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::check::{TYPES_DIR, TypesNote};
use crate::bpf;

/// First bytes of BTF, in the byte order of the machine it describes.
const MAGIC: u16 = 0xeb9f;
const KERNELS_OWN: &str = "/sys/kernel/btf/vmlinux";

/// What came of a file that is not in use.
static NOTE: OnceLock<TypesNote> = OnceLock::new();

/// A file of types that was asked for or found, and is not in use.
pub fn note() -> Option<&'static TypesNote> {
    NOTE.get()
}

/// Has all programs fitted by the kernel's own types; where it has none, by the file that was asked for, or else by one in [`TYPES_DIR`].
/// Those of another kernel would give wrong numbers and no error: so no file comes before the kernel's own.
///
/// # Errors
/// The file that was asked for cannot be read, or holds something else; in one line.
pub fn choose(asked: Option<&Path>) -> Result<(), String> {
    choose_for(asked, Path::new(KERNELS_OWN), Path::new(TYPES_DIR)).map(|choice| match choice {
        Choice::Use(file) => bpf::use_types_of(&file),
        Choice::Leave(note) => drop(NOTE.set(note)),
        Choice::Nothing => {}
    })
}

/// What to do about files of types.
#[derive(Debug, PartialEq)]
enum Choice {
    Use(PathBuf),
    Leave(TypesNote),
    Nothing,
}

fn choose_for(asked: Option<&Path>, own: &Path, dir: &Path) -> Result<Choice, String> {
    let name = |file: &Path| file.display().to_string();
    if let Some(file) = asked {
        inspect(file).map_err(|why| format!("--btf {}: {why}", file.display()))?;
        return Ok(if own.exists() { Choice::Leave(TypesNote::LeftOut(name(file))) } else { Choice::Use(file.to_owned()) });
    }
    let file = dir.join(format!("{}.btf", rustix::system::uname().release().to_string_lossy()));
    Ok(match inspect(&file) {
        _ if own.exists() || file.symlink_metadata().is_err() => Choice::Nothing,
        Ok(()) => Choice::Use(file),
        Err(why) => Choice::Leave(TypesNote::Useless(name(&file), why)),
    })
}

/// BTF by itself, or an ELF file with it (a kernel with debug information).
fn inspect(file: &Path) -> Result<(), String> {
    // Opening a named pipe would wait for whoever writes to it.
    let found = std::fs::metadata(file).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is no plain file".into());
    }
    let mut start = Vec::with_capacity(HEADER);
    File::open(file).and_then(|file| file.take(HEADER as u64).read_to_end(&mut start)).map_err(|error| error.to_string())?;
    if start.starts_with(b"\x7fELF") {
        return Ok(());
    }
    if !start.starts_with(&MAGIC.to_ne_bytes()) {
        return Err("it holds no kernel types (BTF): `bpftool gen min_core_btf` or `pahole --btf_encode_detached` makes such a file".into());
    }
    match bytes_told(&start) {
        Some(bytes) if bytes <= found.len() => Ok(()),
        _ => Err(format!("its end is missing: {} bytes are left; copy it again", found.len())),
    }
}

/// Bytes of a header (`struct btf_header`): magic, version and flags; then its own length, and offset and length of types and of strings
/// behind it.
const HEADER: usize = 24;

/// How long a file with this header is; `None` where the header itself is cut.
fn bytes_told(header: &[u8]) -> Option<u64> {
    let word = |at: usize| Some(u64::from(u32::from_ne_bytes(*header.get(at..)?.first_chunk()?)));
    Some(word(4)? + (word(8)? + word(12)?).max(word(16)? + word(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_types_is_known_by_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("types");
        assert!(inspect(&file).unwrap_err().contains("No such file"));
        std::fs::write(&file, "not types").unwrap();
        assert!(choose(Some(&file)).unwrap_err().contains("min_core_btf"));
        std::fs::write(&file, "ab").unwrap();
        assert!(inspect(&file).is_err());
        let words = |words: [u32; 5]| words.map(u32::to_ne_bytes).concat();
        let whole = [&MAGIC.to_ne_bytes()[..], &[1, 0], &words([24, 0, 12, 12, 4]), &[0; 16]].concat();
        std::fs::write(&file, &whole).unwrap();
        assert_eq!(inspect(&file), Ok(()));
        for bytes in [whole.len() - 1, 23, 3] {
            std::fs::write(&file, &whole[..bytes]).unwrap();
            assert!(inspect(&file).unwrap_err().contains("its end is missing"), "{bytes}");
        }
    }

    #[test]
    fn no_file_comes_before_the_kernels_own_types_and_each_that_is_not_used_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (own, asked) = (at("own"), at("asked"));
        let found = at(&format!("{}.btf", rustix::system::uname().release().to_string_lossy()));
        let choose = |asked: Option<&Path>| choose_for(asked, &own, folder.path());
        std::fs::write(&asked, b"\x7fELF").unwrap();
        assert_eq!((choose(None), choose(Some(&asked))), (Ok(Choice::Nothing), Ok(Choice::Use(asked.clone()))));
        std::fs::write(&found, "garbage").unwrap();
        let Ok(Choice::Leave(TypesNote::Useless(file, why))) = choose(None) else { panic!("{:?}", choose(None)) };
        assert!(file == found.display().to_string() && why.contains("no kernel types"), "{file} {why}");
        std::fs::write(&found, b"\x7fELF").unwrap();
        assert_eq!(choose(None), Ok(Choice::Use(found)));
        std::fs::write(&own, "").unwrap();
        assert_eq!(choose(None), Ok(Choice::Nothing));
        assert_eq!(choose(Some(&asked)), Ok(Choice::Leave(TypesNote::LeftOut(asked.display().to_string()))));
        assert!(choose(Some(&at("none"))).is_err());
    }

    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert_eq!(inspect(&pipe), Err("it is no plain file".into()));
        assert!(inspect(folder.path()).is_err());
    }
}

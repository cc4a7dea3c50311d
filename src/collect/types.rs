//! Kernel types (BTF) from a file, for kernels that do not describe their own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::check::TYPES_DIR;
use crate::bpf;

/// First bytes of BTF, in the byte order of the machine it describes.
const MAGIC: u16 = 0xeb9f;
const KERNELS_OWN: &str = "/sys/kernel/btf/vmlinux";

/// Has all programs fitted by the file that was asked for; else, where the kernel has no types of its own, by one in [`TYPES_DIR`].
///
/// # Errors
/// The file that was asked for cannot be read, or holds something else; in one line.
pub fn choose(asked: Option<&Path>) -> Result<(), String> {
    if let Some(file) = asked {
        inspect(file).map_err(|why| format!("--btf {}: {why}", file.display()))?;
        bpf::use_types_of(file);
    } else if !Path::new(KERNELS_OWN).exists() {
        let file = PathBuf::from(TYPES_DIR).join(format!("{}.btf", rustix::system::uname().release().to_string_lossy()));
        if inspect(&file).is_ok() {
            bpf::use_types_of(&file);
        }
    }
    Ok(())
}

/// BTF by itself, or an ELF file with it (a kernel with debug information).
fn inspect(file: &Path) -> Result<(), String> {
    let mut start = [0; 4];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).map_err(|error| error.to_string())?;
    match start.starts_with(&MAGIC.to_ne_bytes()) || start == *b"\x7fELF" {
        true => Ok(()),
        false => {
            Err("it holds no kernel types (BTF): `bpftool gen min_core_btf` or `pahole --btf_encode_detached` makes such a file".into())
        }
    }
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
        std::fs::write(&file, [0x9f, 0xeb, 1, 0, 24]).unwrap();
        assert_eq!(inspect(&file), Ok(()));
    }
}

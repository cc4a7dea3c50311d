//! Finds the Python interpreter of a process: in which of its files it is, which version, and where in memory.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::layout::{FIRST_THAT_TELLS, Layout, MINORS, TOLD_BYTES};
use super::memory::Memory;
use crate::bpf::batch::bytes_of;
use crate::bpf::stacks::types::eb_py_proc;
use crate::readers::Devices;
use crate::sample::ProcKey;
use crate::symbols::process::{Backing, FileId, Mapping, Process};
use crate::symbols::symbol_table::ranges;
use crate::unwind::elf::Elf;

/// Files whose symbols are remembered.
const FILES_MAX: usize = 64;
/// Larger files are no interpreter: the largest known, with debug information, has 60 MB.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// The function that runs bytecode, and the parts that compilers split off.
const EVAL: [&str; 4] =
    ["_PyEval_EvalFrameDefault", "_PyEval_EvalFrameDefault.cold", "_PyEval_EvalFrameDefault.cold.0", "_PyEval_EvalFrameDefault.cold.1"];

/// A Python interpreter in a process.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) layout: Layout,
    /// Where the list of interpreters begins.
    pub(super) interpreters: u64,
    /// The type object of code objects.
    pub(super) code_type: u64,
    /// Addresses of the function that runs bytecode: first and past the last.
    pub(super) evals: Box<[(u64, u64)]>,
}

impl Target {
    /// The same interpreter at the same place.
    pub(super) fn is(&self, other: &Target) -> bool {
        (self.interpreters, self.code_type, &self.evals) == (other.interpreters, other.code_type, &other.evals)
            && bytes_of(&self.layout.walk) == bytes_of(&other.layout.walk)
    }

    /// What the kernel half is told.
    pub(super) fn walk(&self, key: ProcKey) -> eb_py_proc {
        eb_py_proc { start_ns: key.start_ns, interpreters: self.interpreters, ..self.layout.walk }
    }
}

/// Looks for interpreters, and remembers what files say. A clone remembers the same: what a thread found out that took too long is
/// there for the next one.
#[derive(Clone, Default)]
pub(super) struct Finder {
    files: Arc<Mutex<FxHashMap<FileId, Option<Arc<Symbols>>>>>,
}

/// Virtual addresses in a file that holds an interpreter.
struct Symbols {
    /// Where its code lies: one file is mapped in many ways.
    elf: Elf,
    runtime: u64,
    code_type: u64,
    /// Of a variable that holds the version; `None` before 3.11.
    version: Option<u64>,
    evals: Vec<(u64, u64)>,
}

impl Finder {
    /// The interpreter of a process; `None` where it has none that can be read, or is gone.
    pub(super) fn find(&self, key: ProcKey) -> Option<Target> {
        let process = Process::find(key)?;
        let mappings = process.mappings().ok()?;
        let target = mappings.iter().filter(|m| may_hold_python(m)).find_map(|mapping| self.target(&process, mapping))?;
        process.is_alive().then_some(target)
    }

    fn target(&self, process: &Process, mapping: &Mapping) -> Option<Target> {
        // Whoever does not answer must hang here: what is known of it stays then.
        let (file, id) = process.open(mapping, &Devices::default()).ok().filter(|(_, id)| id.bytes <= FILE_BYTES_MAX)?;
        let symbols = self.symbols(&file, id)?;
        let bias = mapping.start.wrapping_sub(symbols.elf.address_of(mapping.offset)?);
        let memory = Memory::open(process.pid()).ok()?;
        let at = |address: u64| bias.wrapping_add(address);
        let minor = match symbols.version {
            Some(version) => minor_of(u32::from_le_bytes(memory.array(at(version))?)),
            None => minor_in(&mapping.module()),
        };
        let minor = minor.filter(|minor| MINORS.contains(minor))?;
        let layout = match minor < FIRST_THAT_TELLS {
            true => Layout::known(minor),
            false => Layout::told(minor, &memory.vec(at(symbols.runtime), TOLD_BYTES)?),
        }?;
        Some(Target {
            layout,
            interpreters: at(symbols.runtime).wrapping_add(layout.interpreters),
            code_type: at(symbols.code_type),
            evals: symbols.evals.iter().map(|&(start, end)| (at(start), at(end))).collect(),
        })
    }

    /// What a file says; reading it may hang, and so nobody is kept waiting for it.
    fn symbols(&self, file: &File, id: FileId) -> Option<Arc<Symbols>> {
        let files = || self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let known = files().get(&id).cloned();
        known.unwrap_or_else(|| {
            let symbols = Symbols::of(file).map(Arc::new);
            let mut files = files();
            if files.len() >= FILES_MAX {
                files.clear();
            }
            files.insert(id, symbols.clone());
            symbols
        })
    }
}

impl Symbols {
    /// By our own code alone: anybody may name a file `python3`.
    fn of(file: &File) -> Option<Symbols> {
        let elf = Elf::read(file, file.metadata().ok()?.len()).ok()??;
        let [runtime, code_type, version] = ranges(file, ["_PyRuntime", "PyCode_Type", "Py_Version"]);
        let start = |(start, _): (u64, u64)| start;
        let evals = ranges(file, EVAL).into_iter().flatten().collect();
        Some(Symbols { elf, runtime: start(runtime?), code_type: start(code_type?), version: version.map(start), evals })
    }
}

/// An interpreter is in a program `python…` or in a library `libpython…`.
fn may_hold_python(mapping: &Mapping) -> bool {
    let module = mapping.module();
    mapping.backing == Backing::File && (module.starts_with("python") || module.starts_with("libpython"))
}

/// Of `PY_VERSION_HEX`.
fn minor_of(version: u32) -> Option<u8> {
    let [_, _, minor, major] = version.to_le_bytes();
    (major == 3).then_some(minor)
}

/// Of a file name such as `python3.8` or `libpython3.9.so.1.0`.
fn minor_in(name: &str) -> Option<u8> {
    let (_, rest) = name.split_once("python3.")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::clock::start_of_tick;
    use crate::collect::proc_fs::stat;

    #[test]
    fn versions() {
        assert_eq!(minor_of(0x030b_02f0), Some(11));
        assert_eq!(minor_of(0x0207_12f0), None);
        for (name, minor) in [("python3.8", Some(8)), ("libpython3.10.so.1.0", Some(10)), ("python3", None), ("libpython2.7.so.1.0", None)]
        {
            assert_eq!(minor_in(name), minor, "{name}");
        }
    }

    /// Reading its debug information with the library would ask for 2^60 bytes.
    #[test]
    fn a_file_that_only_has_the_name_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("python3");
        std::fs::write(&path, crate::symbols::fit::tests::bomb(".debug_info", 2)).unwrap();
        assert!(Symbols::of(&File::open(path).unwrap()).is_none());
    }

    /// Has an interpreter's symbols; with an argument, maps that file's last page as code instead of being one.
    const PROGRAM: &str = r#"
        #include <fcntl.h>
        #include <sys/mman.h>
        #include <sys/stat.h>
        #include <unistd.h>
        unsigned long Py_Version = 0x030b02f0;
        char _PyRuntime[65536] = { 1 }, PyCode_Type[64];
        int _PyEval_EvalFrameDefault(void) { return 0; }
        int main(int argc, char **argv)
        {
            struct stat facts;
            int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;
            if (file >= 0 && !fstat(file, &facts))
                mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, facts.st_size & ~65535L);
            write(1, "\n", 1);
            return pause();
        }"#;

    #[test]
    fn who_maps_an_interpreter_in_an_odd_way_hides_it_from_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let [source, python, other] = ["a.c", "python3.11", "other"].map(|name| dir.path().join(name));
        std::fs::write(&source, PROGRAM).unwrap();
        assert!(Command::new("cc").args(["-w", "-o"]).args([&python, &source]).status().unwrap().success());
        std::fs::copy(&python, &other).unwrap();
        let start = |program: &Path, of: Option<&Path>| {
            let mut child = Command::new(program).args(of).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
            let stat = std::fs::read(format!("/proc/{}/stat", child.id())).unwrap();
            let start_ns = start_of_tick(stat::stat(&stat).unwrap().start_ticks);
            let key = ProcKey { pid: child.id(), start_ns };
            (child, key)
        };
        let (mut odd, odd_key) = start(&other, Some(&python));
        let (mut plain, plain_key) = start(&python, None);
        let finder = Finder::default();
        let found = [odd_key, plain_key].map(|key| finder.find(key).map(|target| target.evals.len()));
        for child in [&mut odd, &mut plain] {
            child.kill().and_then(|()| child.wait()).unwrap();
        }
        assert_eq!(found, [None, Some(1)]);
    }

    #[test]
    fn a_process_without_python_has_none() {
        assert!(Finder::default().find(ProcKey { pid: std::process::id(), start_ns: 1 }).is_none());
    }
}

//! Files of processes, kept open so that their addresses can be named after they are gone, and the files with them.

use std::fs::File;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::process::FileId;

/// Programs and libraries kept open.
const FILES_MAX: usize = 256;
/// One that was not needed for so long is closed: stacks are not kept longer, and a file that was deleted takes its space until then.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// A program or library, and where to find its names besides.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) program: File,
    /// The separate file with its debug information.
    pub(super) debug: Option<File>,
}

/// Open files, each once.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: FxHashMap<FileId, (Opened, Instant)>,
}

impl OpenFiles {
    /// Keeps a file open from now on, and, if it is new, the debug file that is found for it.
    pub(super) fn keep(&mut self, id: FileId, program: File, find_debug: impl FnOnce(&File) -> Option<File>) {
        let now = Instant::now();
        if let Some((_, used)) = self.files.get_mut(&id) {
            *used = now;
            return;
        }
        if self.files.len() >= FILES_MAX {
            self.files.retain(|_, (_, used)| now.saturating_duration_since(*used) < KEPT);
        }
        if self.files.len() >= FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|id| self.files.remove(&id));
        }
        let debug = find_debug(&program);
        self.files.insert(id, (Opened { program, debug }, now));
    }

    /// The file again, if it is kept and there is a descriptor to be had.
    pub(super) fn get(&mut self, id: FileId) -> Option<Opened> {
        let (opened, used) = self.files.get_mut(&id)?;
        *used = Instant::now();
        let debug = opened.debug.as_ref().and_then(|file| file.try_clone().ok());
        Some(Opened { program: opened.program.try_clone().ok()?, debug })
    }

    /// Closes files that were not needed for long.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.files.retain(|_, (_, used)| now.saturating_duration_since(*used) < KEPT);
    }

    /// Whether a file is kept.
    pub(super) fn keeps(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let mut opened = OpenFiles::default();
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<FileId> = (0..=FILES_MAX)
            .map(|i| {
                let file = File::create_new(dir.path().join(i.to_string())).unwrap();
                let id = FileId::of(&file.metadata().unwrap());
                opened.keep(id, file, |_| None);
                id
            })
            .collect();
        assert!(opened.get(ids[0]).is_none() && ids[1..].iter().all(|id| opened.get(*id).is_some()));
        opened.tidy(Instant::now());
        assert_eq!(opened.files.len(), FILES_MAX);
        opened.tidy(Instant::now() + KEPT);
        assert!(opened.files.is_empty());
    }
}

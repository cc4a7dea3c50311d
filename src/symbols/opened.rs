//! Files of processes, kept open so that their addresses can be named after they are gone, and the files with them.

use std::fs::File;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::process::FileId;

/// Files kept open.
const FILES_MAX: usize = 256;
/// One that was not needed for so long is closed: stacks are not kept longer, and a file that was deleted takes its space until then.
const KEPT: Duration = Duration::from_secs(600);

/// Open files, each once.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: FxHashMap<FileId, (File, Instant)>,
}

impl OpenFiles {
    /// Keeps a file open from now on.
    pub(super) fn keep(&mut self, id: FileId, file: File) {
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
        self.files.insert(id, (file, now));
    }

    /// The file again, if it is kept and there is a descriptor to be had.
    pub(super) fn get(&mut self, id: FileId) -> Option<File> {
        let (file, used) = self.files.get_mut(&id)?;
        *used = Instant::now();
        file.try_clone().ok()
    }

    /// Closes files that were not needed for long.
    pub(super) fn tidy(&mut self) {
        self.files.retain(|_, (_, used)| used.elapsed() < KEPT);
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
                opened.keep(id, file);
                id
            })
            .collect();
        assert!(opened.get(ids[0]).is_none() && ids[1..].iter().all(|id| opened.get(*id).is_some()));
        opened.tidy();
        assert_eq!(opened.files.len(), FILES_MAX);
    }
}

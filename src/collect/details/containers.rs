//! The container of a cgroup path, each looked up once, on a thread of its own: its files may lie on a disk that hangs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashMap;

use super::runtimes::{self, Told};
use super::state_file::Root;
use crate::rights::{Work, narrow};
use crate::sample::{Container, Runtime, cgroup_path};
use crate::users::home_of;

/// A few small files are read in far less.
const PATIENCE: Duration = Duration::from_millis(50);
/// What no file told about is looked for again after this: a container may be older than its name.
const RETRY: Duration = Duration::from_secs(10);
/// Containers that are kept; beyond, all are forgotten and looked up anew.
const MOST: usize = 4096;

/// A container, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    runtime: Runtime,
    id: String,
    /// Nobody but this user may tell about it: it lies in that user's part of the tree, where anybody can give a group any name.
    owner: Option<u32>,
}

impl Place {
    fn of(path: &str) -> Option<Place> {
        let (runtime, id) = cgroup_path::container(path)?;
        // What is below the container is its own affair.
        let above = &path[..path.rfind(id)?];
        Some(Place { runtime, id: id.to_owned(), owner: cgroup_path::owner(above).filter(|&uid| uid != 0) })
    }

    /// As far as the path tells.
    fn bare(&self) -> Container {
        let is_machine = matches!(self.runtime, Runtime::Lxc | Runtime::Nspawn);
        Container { name: is_machine.then(|| self.id.clone()), ..Told::default().about(self.runtime, &self.id) }
    }
}

/// What is known of one.
struct Known {
    container: Arc<Container>,
    /// When to ask again; `None` = never, its name is known or it has none.
    again: Option<Instant>,
}

/// Containers by their place.
pub(super) struct Containers {
    known: FxHashMap<Place, Known>,
    questions: Sender<Place>,
    answers: Receiver<(Place, Option<Told>)>,
}

impl Default for Containers {
    fn default() -> Containers {
        let mut root = None;
        Containers::asking(move |place| look_up(root.get_or_insert_with(Root::of_machine).as_ref()?, place))
    }
}

impl Containers {
    /// The thread ends when this is dropped. Where it cannot even start, containers are known by their ids.
    fn asking(mut look_up: impl FnMut(&Place) -> Option<Told> + Send + 'static) -> Containers {
        let (questions, inbox) = crossbeam_channel::unbounded::<Place>();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let work = move || {
            // It may be started while all rights are still there.
            let _ = narrow(Work::Name);
            for place in inbox {
                let told = look_up(&place);
                if outbox.send((place, told)).is_err() {
                    return;
                }
            }
        };
        let _ = std::thread::Builder::new().name("containers".into()).spawn(work);
        Containers { known: FxHashMap::default(), questions, answers }
    }

    /// The container of a process in that cgroup. What its files tell may come later than its id.
    pub(super) fn of(&mut self, path: &str) -> Option<Arc<Container>> {
        let place = Place::of(path)?;
        self.learn();
        let now = Instant::now();
        let is_due = self.known.get(&place).is_none_or(|known| known.again.is_some_and(|again| again <= now));
        if is_due {
            self.ask(&place, now);
        }
        self.known.get(&place).map(|known| Arc::clone(&known.container))
    }

    fn learn(&mut self) {
        while let Ok((place, told)) = self.answers.try_recv() {
            self.note(place, told);
        }
    }

    fn note(&mut self, place: Place, told: Option<Told>) {
        let Some(known) = self.known.get_mut(&place) else { return };
        if let Some(told) = told {
            known.container = Arc::new(told.about(place.runtime, &place.id));
        }
        if known.container.name.is_some() {
            known.again = None;
        }
    }

    /// Asks, and waits a little unless another answer is overdue already.
    fn ask(&mut self, place: &Place, now: Instant) {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let bare = place.bare();
        let is_known = bare.name.is_some();
        let entry = self.known.entry(place.clone()).or_insert_with(|| Known { container: Arc::new(bare), again: None });
        if is_known {
            return;
        }
        entry.again = Some(now + RETRY);
        let is_stuck = !self.questions.is_empty();
        if self.questions.send(place.clone()).is_err() || is_stuck {
            return;
        }
        while let Ok((answered, told)) = self.answers.recv_deadline(now + PATIENCE) {
            let is_it = answered == *place;
            self.note(answered, told);
            if is_it {
                return;
            }
        }
    }
}

fn look_up(root: &Root, place: &Place) -> Option<Told> {
    match place.owner {
        None => runtimes::look_up(root, place.runtime, &place.id),
        Some(uid) => runtimes::look_up_of_user(&root.of_user(uid)?, (uid, home_of(uid)?.to_str()?), place.runtime, &place.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn path(digit: char) -> String {
        format!("/docker/{}", digit.to_string().repeat(64))
    }

    fn named() -> Option<Told> {
        Some(runtimes::look_up(&tree(), Runtime::Docker, &"a".repeat(64)).unwrap())
    }

    fn tree() -> Root {
        let dir = tempfile::tempdir().unwrap();
        let containers = dir.path().join("var/lib/docker/containers").join("a".repeat(64));
        std::fs::create_dir_all(&containers).unwrap();
        std::fs::write(containers.join("config.v2.json"), r#"{"Name":"/web"}"#).unwrap();
        Root::at(&dir.keep())
    }

    #[test]
    fn each_container_is_looked_up_once() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let mut containers = Containers::asking(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            named()
        });
        for _ in 0..3 {
            assert_eq!(containers.of(&path('a')).unwrap().title(), "web");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(containers.of("/system.slice/ssh.service").is_none());
        assert_eq!(containers.of("/lxc.payload.box/x").unwrap().title(), "box");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "a machine is its own name");
    }

    #[test]
    fn a_disk_that_hangs_costs_little_and_leaves_the_ids() {
        let (release, released) = crossbeam_channel::bounded::<()>(0);
        let mut containers = Containers::asking(move |_| {
            let _ = released.recv();
            named()
        });
        let began = Instant::now();
        let titles: Vec<_> = "abcdef".chars().map(|digit| containers.of(&path(digit)).unwrap().title().to_owned()).collect();
        assert_eq!(titles[5], "f".repeat(12));
        assert!(began.elapsed() < 5 * PATIENCE, "{:?}", began.elapsed());
        drop(release);
        let end = Instant::now() + Duration::from_secs(10);
        while containers.of(&path('f')).unwrap().title() != "web" {
            assert!(Instant::now() < end);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_user_cannot_pass_for_somebody_elses_container() {
        let id = "a".repeat(64);
        let place = Place::of(&format!("/user.slice/user-1000.slice/user@1000.service/docker-{id}.scope")).unwrap();
        assert_eq!((place.runtime, place.owner), (Runtime::Docker, Some(1000)));
        assert_eq!(look_up(&tree(), &place), None);
        for path in [format!("/system.slice/docker-{id}.scope"), format!("/docker/{id}/user.slice/user-1000.slice")] {
            assert!(look_up(&tree(), &Place::of(&path).unwrap()).is_some(), "{path}");
        }
    }
}

//! Names of users by number: those of /etc/passwd from the start, others once the details of a process tell. So a new process has its
//! user's name at once, and nobody is asked twice.

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use crate::sample::{Details, Task};

/// Users that are kept; a machine with more shows some of them a moment later.
const MOST: usize = 8192;

/// What is known so far.
#[derive(Clone, Debug, Default)]
pub struct UserNames(FxHashMap<u32, String>);

impl UserNames {
    /// Those of passwd(5): of several names of one number the first counts. They must be fit for a terminal.
    pub fn new(known: impl IntoIterator<Item = (u32, String)>) -> UserNames {
        let mut names = FxHashMap::default();
        for (uid, name) in known.into_iter().take(MOST) {
            names.entry(uid).or_insert(name);
        }
        UserNames(names)
    }

    /// Takes over what the details of a process tell; a number is no name.
    pub fn learn(&mut self, details: &Details) {
        let Some(uid) = details.uid.filter(|uid| details.user != uid.to_string()) else { return };
        if self.0.get(&uid).is_some_and(|known| *known == details.user) || (self.0.len() >= MOST && !self.0.contains_key(&uid)) {
            return;
        }
        self.0.insert(uid, details.user.clone());
    }

    /// Somebody is called so.
    pub fn any(&self, is_called: impl Fn(&str) -> bool) -> bool {
        self.0.values().any(|name| is_called(name))
    }

    /// The user of a process: by the number it has now, by its details, or that number.
    pub fn of<'a>(names: Option<&'a UserNames>, task: Option<&Task>, details: Option<&'a Details>) -> Option<Cow<'a, str>> {
        let named = UserNames::told(names, task, details).map(Cow::Borrowed);
        named.or_else(|| task.map(|task| Cow::Owned(task.uid.to_string())))
    }

    /// The same; `None` as long as nobody has said whether that number has a name.
    pub fn told<'a>(names: Option<&'a UserNames>, task: Option<&Task>, details: Option<&'a Details>) -> Option<&'a str> {
        let known = names.and_then(|names| names.0.get(&task?.uid).map(String::as_str));
        // It may have taken another user since its details were read.
        let is_now = |details: &&Details| details.uid.zip(task).is_none_or(|(uid, task)| uid == task.uid);
        known.or(details.filter(is_now).map(|details| details.user.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(uid: u32, user: &str) -> Details {
        Details { uid: Some(uid), user: user.into(), ..Details::default() }
    }

    #[test]
    fn who_is_known_has_a_name_before_anything_is_read() {
        let mut names = UserNames::new([(0, "root".into()), (0, "toor".into())]);
        names.learn(&told(7, "build"));
        names.learn(&told(8, "8"));
        let of = |uid, details| UserNames::of(Some(&names), Some(&Task { uid, ..Task::default() }), details).unwrap().into_owned();
        assert_eq!([of(0, None), of(7, None), of(8, None), of(9, None)], ["root", "build", "8", "9"]);
        let before = told(7, "build");
        assert_eq!(of(0, Some(&before)), "root", "it took another user since its details were read");
        let [late, gave_up] = [told(9, "late"), told(0, "root")];
        assert_eq!(of(9, Some(&late)), "late");
        assert_eq!(of(9, Some(&gave_up)), "9", "whoever gave its rights away is not shown with them");
        names.learn(&told(7, "renamed"));
        assert_eq!(UserNames::of(Some(&names), Some(&Task { uid: 7, ..Task::default() }), None).unwrap(), "renamed");
        assert_eq!(UserNames::of(None, None, None), None);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut names = UserNames::default();
        (0..2 * MOST as u32).for_each(|uid| names.learn(&told(uid, "x")));
        assert_eq!(names.0.len(), MOST);
    }
}

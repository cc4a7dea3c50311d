//! Names of users, through the name service. That may be a directory on a network which is down just when ebtop is needed, so it is
//! asked on a thread of its own and never waited for long.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashMap;

use crate::users::name_of;

/// /etc/passwd answers in far less.
const PATIENCE: Duration = Duration::from_millis(50);
/// A number may change hands (`DynamicUser=` of systemd), and a directory that did not know it may have been down: answers this old are
/// asked for again, and hold until others come.
const KEEP: Duration = Duration::from_secs(60);

/// Names of users, each asked for now and then.
pub(in crate::collect) struct Users {
    names: FxHashMap<u32, Known>,
    keep: Duration,
    questions: Sender<u32>,
    answers: Receiver<(u32, String)>,
}

/// What is known of a user.
struct Known {
    /// `None` = not yet answered.
    name: Option<String>,
    asked: Instant,
}

impl Default for Users {
    fn default() -> Users {
        Users::asking(KEEP, look_up)
    }
}

impl Users {
    /// The thread ends when this is dropped. Where it cannot even start, users stay numbers.
    fn asking(keep: Duration, mut look_up: impl FnMut(u32) -> String + Send + 'static) -> Users {
        let (questions, inbox) = crossbeam_channel::unbounded();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let work = move || {
            for uid in inbox {
                let _ = outbox.send((uid, look_up(uid)));
            }
        };
        let _ = std::thread::Builder::new().name("users".into()).spawn(work);
        Users { names: FxHashMap::default(), keep, questions, answers }
    }

    /// The name of a user; `None` as long as the name service does not answer.
    pub(in crate::collect) fn name(&mut self, uid: u32) -> Option<String> {
        while let Ok(answer) = self.answers.try_recv() {
            self.learn(answer);
        }
        let now = Instant::now();
        if let Some(known) = self.names.get_mut(&uid) {
            if known.name.is_some() && now.duration_since(known.asked) > self.keep {
                known.asked = now;
                let _ = self.questions.send(uid);
            }
            return known.name.clone();
        }
        let is_stuck = self.names.values().any(|known| known.name.is_none());
        self.names.insert(uid, Known { name: None, asked: now });
        if self.questions.send(uid).is_ok() && !is_stuck {
            while let Ok(answer) = self.answers.recv_deadline(now + PATIENCE) {
                if self.learn(answer) == uid {
                    break;
                }
            }
        }
        self.names.get(&uid)?.name.clone()
    }

    fn learn(&mut self, (uid, name): (u32, String)) -> u32 {
        if let Some(known) = self.names.get_mut(&uid) {
            known.name = Some(name);
        }
        uid
    }
}

fn look_up(uid: u32) -> String {
    name_of(uid).unwrap_or(uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_a_number() {
        let mut users = Users::default();
        assert_eq!(users.name(3_999_999_999).as_deref(), Some("3999999999"));
        assert_eq!(users.name(0).as_deref(), Some("root"));
    }

    #[test]
    fn a_name_service_that_hangs_delays_once_and_its_answers_are_not_lost() {
        let (release, released) = crossbeam_channel::bounded::<()>(0);
        let mut users = Users::asking(KEEP, move |uid| {
            let _ = released.recv();
            format!("user{uid}")
        });
        let start = Instant::now();
        assert!((0..100).all(|uid| users.name(uid).is_none()));
        assert!(start.elapsed() < 10 * PATIENCE);
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(10);
        while users.name(99).is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!([0, 99].map(|uid| users.name(uid)), ["user0", "user99"].map(|name| Some(name.to_owned())));
    }

    #[test]
    fn a_number_that_changes_hands_has_its_new_name_in_time() {
        let mut asked = 0;
        let mut users = Users::asking(Duration::from_millis(20), move |_| {
            asked += 1;
            format!("name{asked}")
        });
        assert_eq!([(); 3].map(|()| users.name(7).unwrap()), ["name1"; 3]);
        std::thread::sleep(Duration::from_millis(30));
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut seen = vec![users.name(7).unwrap()];
        while seen.last().is_some_and(|name| name == "name1") && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
            seen.push(users.name(7).expect("the old one stays meanwhile"));
        }
        assert_eq!(seen.last().map(String::as_str), Some("name2"));
    }
}

//! Names of users, through the name service. That may be a directory on a network which is down just when ebtop is needed, so it is
//! asked on a thread of its own and never waited for long.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustc_hash::FxHashMap;

use crate::users::name_of;

/// /etc/passwd answers in far less.
const PATIENCE: Duration = Duration::from_millis(50);

/// Names of users, each asked for once.
pub(in crate::collect) struct Users {
    /// `None` = asked, not yet answered.
    names: FxHashMap<u32, Option<String>>,
    questions: Sender<u32>,
    answers: Receiver<(u32, String)>,
}

impl Default for Users {
    fn default() -> Users {
        Users::asking(look_up)
    }
}

impl Users {
    /// The thread ends when this is dropped. Where it cannot even start, users stay numbers.
    fn asking(look_up: impl Fn(u32) -> String + Send + 'static) -> Users {
        let (questions, inbox) = crossbeam_channel::unbounded();
        let (outbox, answers) = crossbeam_channel::unbounded();
        let work = move || {
            for uid in inbox {
                let _ = outbox.send((uid, look_up(uid)));
            }
        };
        let _ = std::thread::Builder::new().name("users".into()).spawn(work);
        Users { names: FxHashMap::default(), questions, answers }
    }

    /// The name of a user; `None` as long as the name service does not answer.
    pub(in crate::collect) fn name(&mut self, uid: u32) -> Option<String> {
        self.names.extend(self.answers.try_iter().map(|(uid, name)| (uid, Some(name))));
        if let Some(name) = self.names.get(&uid) {
            return name.clone();
        }
        let is_stuck = self.names.values().any(Option::is_none);
        self.names.insert(uid, None);
        if self.questions.send(uid).is_ok() && !is_stuck {
            let deadline = Instant::now() + PATIENCE;
            while let Ok((answered, name)) = self.answers.recv_deadline(deadline) {
                self.names.insert(answered, Some(name));
                if answered == uid {
                    break;
                }
            }
        }
        self.names.get(&uid).cloned().flatten()
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
        let mut users = Users::asking(move |uid| {
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
}

//! What the symbol thread was asked for and has not answered yet.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Answer, Request};
use crate::sample::ProcKey;

/// Addresses in one request: few enough that the hottest names come back at once.
const REQUEST_ADDRESSES: usize = 256;
/// Addresses asked for and not answered at one time; more are asked for as answers come.
const MAX_ASKED: usize = 8 * REQUEST_ADDRESSES;

/// An address and whose it is; `None` = the kernel's.
pub type Place = (Option<ProcKey>, u64);

/// What was asked for and is not answered yet.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    places: FxHashSet<Place>,
    /// Requests sent and answers had so far: each request has one answer, in order.
    sent: u64,
    answered: u64,
    /// Processes that run another program now, and how many requests were sent by then.
    former: FxHashMap<ProcKey, u64>,
}

impl Asked {
    /// Nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Those that are not asked for yet, in order, as many as may be under way.
    pub fn choose(&self, wanted: impl Iterator<Item = Place>) -> Vec<Place> {
        let room = MAX_ASKED.saturating_sub(self.places.len());
        wanted.filter(|place| !self.places.contains(place)).take(room).collect()
    }

    /// Requests for these. Each counts as sent.
    pub fn send(&mut self, places: impl IntoIterator<Item = Place>) -> Vec<Request> {
        let mut requests: Vec<Request> = Vec::new();
        let mut open: FxHashMap<Option<ProcKey>, usize> = FxHashMap::default();
        for (key, address) in places {
            if !self.places.insert((key, address)) {
                continue;
            }
            let at = *open.entry(key).or_insert(requests.len());
            if at == requests.len() {
                requests.push(Request { key: key.unwrap_or_default(), ..Request::default() });
            }
            let request = &mut requests[at];
            match key {
                Some(_) => request.user.push(address),
                None => request.kernel.push(address),
            }
            if request.user.len() + request.kernel.len() == REQUEST_ADDRESSES {
                open.remove(&key);
            }
        }
        // The first question about the kernel takes long: names of programs do not wait behind it.
        requests.sort_by_key(|request| !request.kernel.is_empty());
        self.sent += requests.len() as u64;
        requests
    }

    /// A request could not be sent: it may be made again.
    pub fn not_sent(&mut self, request: &Request) {
        self.sent = self.sent.saturating_sub(1);
        for address in &request.user {
            self.places.remove(&(Some(request.key), *address));
        }
        for address in &request.kernel {
            self.places.remove(&(None, *address));
        }
    }

    /// The process runs another program: what is under way may be of either.
    pub fn program_changed(&mut self, key: ProcKey) {
        if !self.places.is_empty() {
            self.former.insert(key, self.sent);
        }
    }

    /// Takes note of an answer; whether it is of the program that its process runs now.
    pub fn answered(&mut self, answer: &Answer) -> bool {
        self.answered += 1;
        for (address, _) in &answer.user {
            self.places.remove(&(Some(answer.key), *address));
        }
        for (address, _) in &answer.kernel {
            self.places.remove(&(None, *address));
        }
        let is_former = self.former.get(&answer.key).is_some_and(|&sent| self.answered <= sent);
        if self.places.is_empty() {
            self.former.clear();
        }
        !is_former
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProcKey = ProcKey { pid: 7, start_ns: 1 };

    fn ask(asked: &mut Asked, addresses: &[u64]) -> Vec<Answer> {
        let places = asked.choose(addresses.iter().map(|&address| (Some(KEY), address)));
        let requests = asked.send(places);
        requests
            .into_iter()
            .map(|r| Answer { key: r.key, user: r.user.iter().map(|&a| (a, vec![])).collect(), ..Answer::default() })
            .collect()
    }

    #[test]
    fn answers_under_way_when_the_program_changed_are_not_of_the_new_one() {
        let mut asked = Asked::default();
        let before = ask(&mut asked, &[1]);
        asked.program_changed(KEY);
        assert!(ask(&mut asked, &[1]).is_empty(), "it is under way");
        let after = ask(&mut asked, &[2]);
        assert!(!asked.answered(&before[0]));
        assert!(asked.answered(&after[0]) && asked.is_empty());
        let again = ask(&mut asked, &[1]);
        assert!(asked.answered(&again[0]));
    }

    #[test]
    fn a_request_that_was_not_sent_has_no_answer() {
        let mut asked = Asked::default();
        asked.send([(Some(KEY), 1)]).iter().for_each(|request| asked.not_sent(request));
        let before = ask(&mut asked, &[1]);
        asked.program_changed(KEY);
        let after = ask(&mut asked, &[2]);
        assert_eq!([&before[0], &after[0]].map(|answer| asked.answered(answer)), [false, true]);
    }
}

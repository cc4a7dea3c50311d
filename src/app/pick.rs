//! Lists to pick from: the column that lines are sorted by, and whose processes are shown.

use std::collections::BTreeMap;

use super::App;
use super::filter;
use super::menu::{Item, Menu, Topic};
use super::user_names::UserNames;

impl App {
    /// Opens the list of columns, at the one that is sorted by.
    pub(super) fn ask_sort(&mut self) {
        self.ask_sort_at(None);
    }

    /// Opens the list of columns, at one of them.
    pub(super) fn ask_sort_at(&mut self, column: Option<usize>) {
        let Some((specs, sorted)) = self.list().map(|list| list.specs()) else { return };
        let items = specs.iter().map(|spec| Item::new(spec.title, spec.explained())).collect();
        let mut menu = Menu::new(Topic::Sort, "Sort by", items, column.unwrap_or(sorted));
        menu.verb = "sort";
        menu.explains = true;
        self.menu = Some(menu);
    }

    /// Sorts by the column that was chosen in that list.
    pub(super) fn sort_by_chosen(&mut self, menu: Menu) {
        let Some(chosen) = menu.chosen() else { return self.menu = Some(menu) };
        self.with_list(|list, _| list.sort_nth(chosen));
        self.rearrange();
    }

    /// Opens the list of users who have processes.
    pub(super) fn ask_user(&mut self) {
        let mut users: BTreeMap<u32, (Option<String>, u32)> = BTreeMap::new();
        for task in self.model.sample.tasks.iter() {
            let (name, count) = users.entry(task.uid).or_default();
            *count += 1;
            if name.is_none() {
                *name = UserNames::told(Some(self.details.users()), Some(task), self.details.get(task.key)).map(str::to_owned);
            }
        }
        let item = |(uid, (name, count)): (&u32, &(Option<String>, u32))| {
            let processes = if *count == 1 { "process" } else { "processes" };
            Item::new(name.clone().unwrap_or_else(|| uid.to_string()), format!("uid {uid}, {count} {processes}"))
        };
        let items = [Item::new("everybody", "the processes of all users")].into_iter().chain(users.iter().map(item)).collect();
        let filters: Vec<String> = [String::new()].into_iter().chain(users.keys().map(|uid| format!("uid={uid}"))).collect();
        let now = filters.iter().position(|filter| of_user(&self.filter_text).1 == filter).unwrap_or(0);
        let mut menu = Menu::new(Topic::User(filters), "Processes of", items, now);
        menu.verb = "show";
        self.menu = Some(menu);
    }

    /// Shows the processes of who was chosen in that list; what else is filtered for stays.
    pub(super) fn filter_by_chosen(&mut self, menu: Menu) {
        let Some(chosen) = menu.chosen() else { return self.menu = Some(menu) };
        let Topic::User(filters) = menu.topic else { return };
        let user = filters.get(chosen).map_or("", String::as_str);
        let text = match (of_user(&self.filter_text).0, user) {
            (rest, "") => rest.to_string(),
            ("", user) => user.to_string(),
            (rest, user) => format!("({rest}) and {user}"),
        };
        if let Err(error) = self.filter_by(&text) {
            self.say(error.to_string());
        }
    }
}

/// A filter without the user that was picked for it, and that user's.
fn of_user(text: &str) -> (&str, &str) {
    let is_user = |text: &str| text.strip_prefix("uid=").is_some_and(|uid| !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit()));
    if is_user(text) {
        return ("", text);
    }
    match text.rsplit_once(") and ") {
        Some((rest, user)) if is_user(user) => match rest.strip_prefix('(').filter(|rest| filter::parse(rest).is_ok()) {
            Some(rest) => (rest, user),
            None => (text, ""),
        },
        _ => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picked_user_comes_off_a_filter_as_it_went_on() {
        assert_eq!(of_user("uid=0"), ("", "uid=0"));
        assert_eq!(of_user("(nginx or (cpu>5)) and uid=33"), ("nginx or (cpu>5)", "uid=33"));
        for own in ["nginx", "uid=0 nginx", "(a) and uid=x", "(a) and (b) and uid=3", "a) and uid=3", "uid=", ""] {
            assert_eq!(of_user(own), (own, ""));
        }
    }
}

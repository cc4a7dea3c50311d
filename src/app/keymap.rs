//! The keys that are live: the table of `keys`, as a preset and the configuration change it.

use std::borrow::Cow;

use super::bindings::BINDINGS;
use super::keys::{Action, Binding, Key, Place};
use super::stacks::StackAction as S;
use crate::model::stacks::Measure;

/// Whose fingers the keys are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Those of htop, and what ebtop has beyond it.
    #[default]
    Htop,
    /// `j` `k` `h` `l` and what goes with them.
    Vim,
    /// Those of procps' top, where they do not hide what ebtop is for.
    Top,
}

impl Preset {
    /// All there are.
    pub const ALL: [Preset; 3] = [Preset::Htop, Preset::Vim, Preset::Top];

    /// Its name in the configuration and on the command line.
    pub fn name(self) -> &'static str {
        ["htop", "vim", "top"][self as usize]
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// What it adds to the table; each key goes from whom the table gives it to.
    fn changes(self) -> &'static [(char, Action)] {
        match self {
            Preset::Htop => &[],
            Preset::Vim => &[
                ('j', Action::Move(1)),
                ('k', Action::Move(-1)),
                ('h', Action::Shift(false)),
                ('l', Action::Shift(true)),
                ('g', Action::Home),
                ('G', Action::End),
                ('x', Action::Signal),
                ('v', Action::Group),
                ('j', Action::Stack(S::Down)),
                ('k', Action::Stack(S::Up)),
                ('h', Action::Stack(S::Left)),
                ('l', Action::Stack(S::Right)),
                ('g', Action::Stack(S::First)),
                ('G', Action::Stack(S::Last)),
            ],
            Preset::Top => &[
                ('c', Action::Paths),
                ('V', Action::Tree),
                ('o', Action::Filter),
                ('O', Action::Why(Measure::OffCpu)),
                ('r', Action::Nice(1)),
                ('R', Action::Invert),
                ('L', Action::Search),
                ('&', Action::FindNext(true)),
            ],
        }
    }
}

/// A choice of the configuration: an action by its name, the keys it gets in place of others, and the line that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeys {
    /// Name of the action.
    pub action: String,
    /// Its keys; none takes them all away.
    pub keys: Vec<Key>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// The earlier of two choices that ask for one key on one screen, for each that comes too late: its line and the words.
pub fn conflicts(own: &[OwnKeys]) -> Vec<(usize, String)> {
    let places =
        |choice: &OwnKeys| -> Vec<Place> { BINDINGS.iter().filter(|b| b.action.name() == choice.action).map(|b| b.place).collect() };
    let meet = |a: &[Place], b: &[Place]| a.iter().any(|a| b.iter().any(|b| a.hides(*b) || b.hides(*a)));
    let mut found = Vec::new();
    for (index, late) in own.iter().enumerate() {
        for key in &late.keys {
            let first = own[..index].iter().find(|early| early.keys.contains(key) && meet(&places(early), &places(late)));
            if let Some(early) = first {
                found.push((late.line, format!("{} is the key of {} already, by line {}", key.name(), early.action, early.line)));
            }
        }
    }
    found
}

/// Actions without which nobody finds the way: they should have a key on every screen.
const NEEDED: [Action; 5] = [Action::Quit, Action::Help, Action::Palette, Action::Back, Action::Enter];

/// What own choices take from those: any key that quits, or the last key of another on some screen. Each with the line that does it. Who gives
/// the action keys of its own knows what becomes of the old ones.
pub fn losses(preset: Preset, own: &[OwnKeys]) -> Vec<(usize, String)> {
    let (before, after) = (KeyMap::new(preset, &[]), KeyMap::new(preset, own));
    NEEDED.into_iter().filter_map(|action| loss(&before, &after, action, own)).collect()
}

fn loss(before: &KeyMap, after: &KeyMap, action: Action, own: &[OwnKeys]) -> Option<(usize, String)> {
    let name = action.name();
    if own.iter().any(|choice| choice.action == name && !choice.keys.is_empty()) {
        return None;
    }
    let keys = |map: &KeyMap, places| -> Vec<Key> {
        let bindings = map.bindings(places).filter(|binding| binding.action == action);
        bindings.flat_map(|binding| map.live_keys(binding, places)).collect()
    };
    Place::screens().into_iter().find_map(|places| {
        let (had, has) = (keys(before, places), keys(after, places));
        let taken = had.into_iter().find(|key| !has.contains(key)).filter(|_| has.is_empty() || action == Action::Quit)?;
        let by = own.iter().find(|choice| choice.keys.contains(&taken) || choice.action == name)?;
        let left: Vec<String> = has.iter().map(Key::name).collect();
        let why = match (left.is_empty(), by.action == name) {
            (true, true) => format!("{name} has no key; the palette (:) has it"),
            (true, false) => format!("{} was the last key of {name}: give it another", taken.name()),
            (false, true) => format!("{name} has no key but {}", left.join(", ")),
            (false, false) => format!("{} was a key of {name}, which keeps {}", taken.name(), left.join(", ")),
        };
        Some((by.line, why))
    })
}

/// The keys that are live.
#[derive(Clone, Debug)]
pub struct KeyMap {
    bindings: Vec<Binding>,
}

impl Default for KeyMap {
    fn default() -> Self {
        KeyMap::new(Preset::default(), &[])
    }
}

impl KeyMap {
    /// A preset with what somebody chose beside it. A key that is asked for goes from whoever had it; of two who ask, to the first.
    pub fn new(preset: Preset, own: &[OwnKeys]) -> KeyMap {
        let mut map = KeyMap { bindings: BINDINGS.to_vec() };
        for (letter, action) in preset.changes() {
            map.give(&action.name(), Key::letter(*letter));
        }
        for choice in own {
            for binding in map.bindings.iter_mut().filter(|b| b.action.name() == choice.action) {
                binding.keys = Cow::Owned(Vec::new());
            }
        }
        for choice in own.iter().rev() {
            choice.keys.iter().rev().for_each(|key| map.give(&choice.action, *key));
        }
        map.keep_a_way_out();
        map
    }

    /// Gives a key to an action, as its first, in all places where it is bound.
    fn give(&mut self, action: &str, key: Key) {
        let places: Vec<Place> = self.bindings.iter().filter(|b| b.action.name() == action).map(|b| b.place).collect();
        for binding in &mut self.bindings {
            if binding.action.name() == action {
                binding.keys.to_mut().retain(|k| *k != key);
                binding.keys.to_mut().insert(0, key);
            } else if places.iter().any(|place| binding.place.hides(*place)) {
                binding.keys.to_mut().retain(|k| *k != key);
            }
        }
    }

    /// Ctrl-C always quits.
    fn keep_a_way_out(&mut self) {
        for binding in &mut self.bindings {
            let quits = binding.action == Action::Quit;
            binding.keys.to_mut().retain(|key| *key != Key::WAY_OUT);
            if quits {
                binding.keys.to_mut().push(Key::WAY_OUT);
            }
        }
    }

    /// The bindings that hold in some places, in the order of the table.
    pub fn bindings(&self, places: &[Place]) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |b| places.contains(&b.place))
    }

    /// The keys of a binding that do what it says in these places: no more specific one has them.
    pub fn live_keys<'a>(&'a self, binding: &'a Binding, places: &'a [Place]) -> impl Iterator<Item = Key> + 'a {
        binding.keys.iter().copied().filter(|key| self.action(*key, places) == Some(binding.action))
    }

    /// The first key that does this there; none where none does.
    pub fn key_of(&self, action: Action, places: &[Place]) -> Option<Key> {
        let mut bindings = self.bindings(places).filter(|b| b.action == action);
        bindings.find_map(|b| self.live_keys(b, places).next())
    }

    /// What a key does; the more specific place decides.
    pub fn action(&self, key: Key, places: &[Place]) -> Option<Action> {
        places.iter().find_map(|place| self.bindings.iter().find(|b| b.place == *place && b.keys.contains(&key))).map(|b| b.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view::View;

    const SCREENS: [(View, bool); 3] = [(View::Processes, false), (View::Network, true), (View::Stacks, false)];

    fn own(action: &str, keys: &[&str], line: usize) -> OwnKeys {
        OwnKeys { action: action.into(), keys: keys.iter().filter_map(|key| Key::named(key)).collect(), line }
    }

    #[test]
    fn each_preset_gives_its_keys_and_leaves_nobody_without_help_and_quit() {
        for preset in Preset::ALL {
            let map = KeyMap::new(preset, &[]);
            for (letter, action) in preset.changes() {
                let somewhere = SCREENS.iter().any(|&(v, s)| map.action(Key::letter(*letter), Place::of(v, s, false)) == Some(*action));
                assert!(somewhere, "{letter} in {preset:?}");
            }
            for (view, sockets) in SCREENS {
                let places = Place::of(view, sockets, false);
                for action in [Action::Help, Action::Quit, Action::Palette] {
                    let binding = map.bindings(places).find(|b| b.action == action).unwrap();
                    assert!(map.live_keys(binding, places).next().is_some(), "{action:?} in {preset:?}");
                }
            }
        }
    }

    #[test]
    fn a_preset_takes_no_action_its_last_key_unless_it_gives_another() {
        for preset in Preset::ALL {
            let map = KeyMap::new(preset, &[]);
            for binding in &map.bindings {
                let by_palette = matches!(binding.action, Action::Group | Action::Threads | Action::TagChildren);
                assert!(!binding.keys.is_empty() || by_palette, "{} in {preset:?}", binding.action.name());
            }
        }
    }

    #[test]
    fn own_keys_stand_in_place_of_others_and_the_first_asker_wins() {
        let choices = [own("signal", &["F12", "x"], 3), own("delay", &["t", "x"], 4), own("redraw", &[], 5)];
        let map = KeyMap::new(Preset::Htop, &choices);
        let action = |name: &str| map.action(Key::named(name).unwrap(), Place::of(View::Processes, false, false));
        assert_eq!((action("F12"), action("x"), action("k")), (Some(Action::Signal), Some(Action::Signal), None));
        assert_eq!((action("t"), action("F5")), (Some(Action::Delay), Some(Action::Tree)));
        assert_eq!((action("Ctrl-L"), action("d")), (None, None));
        let key = |action| map.key_of(action, Place::of(View::Processes, false, false)).map(|key| key.name());
        assert_eq!((key(Action::Signal), key(Action::Redraw)), (Some("F12".into()), None));
        assert_eq!(conflicts(&choices), [(4, "x is the key of signal already, by line 3".to_string())]);
    }

    #[test]
    fn a_key_taken_from_what_nobody_can_do_without_is_told() {
        let told = |own: &[OwnKeys]| losses(Preset::Htop, own).into_iter().map(|(line, why)| format!("{line}: {why}")).collect::<Vec<_>>();
        assert_eq!(told(&[own("signal", &["q"], 7)]), ["7: q was a key of quit, which keeps F10, Ctrl-C"]);
        assert_eq!(told(&[own("tree", &[":"], 2)]), ["2: : was the last key of palette: give it another"]);
        assert_eq!(told(&[own("help", &[], 3)]), ["3: help has no key; the palette (:) has it"]);
        assert_eq!(told(&[own("quit", &[], 4)]), ["4: quit has no key but Ctrl-C"]);
        let harmless = [own("tree", &["?"], 1), own("quit", &["Q"], 2), own("signal", &["q", "F12"], 3), own("redraw", &[], 4)];
        assert!(told(&harmless).is_empty(), "other keys are left, or were chosen: {:?}", told(&harmless));
    }

    #[test]
    fn keys_of_screens_that_never_meet_are_no_conflict() {
        assert!(conflicts(&[own("tree", &["x"], 1), own("stacks-mark", &["x"], 2)]).is_empty());
        assert_eq!(conflicts(&[own("quit", &["x"], 1), own("stacks-mark", &["x"], 2)]).len(), 1);
    }

    #[test]
    fn there_is_always_a_way_out() {
        let map = KeyMap::new(Preset::Htop, &[own("quit", &[], 1), own("tree", &["Ctrl-C"], 2)]);
        assert_eq!(map.action(Key::WAY_OUT, &[Place::Processes, Place::Anywhere]), Some(Action::Quit));
    }
}

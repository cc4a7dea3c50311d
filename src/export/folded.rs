//! Folded stacks: `process;caller;callee VALUE`, one distinct stack a line, as flamegraph.pl, inferno and speedscope read them.
//!
//! Values are samples, microseconds off the CPU (as bcc's offcputime has them), faults or bytes.

use super::profile::Profile;
use crate::model::stacks::Unit;

/// The profile as lines, in order.
pub fn bytes(profile: &Profile) -> Vec<u8> {
    lines(profile).into_iter().flat_map(|line| (line + "\n").into_bytes()).collect()
}

pub(super) fn lines(profile: &Profile) -> Vec<String> {
    let value = |value: u64| if profile.measure.unit() == Unit::Ns { value / 1000 } else { value };
    let paths = profile.paths();
    paths.iter().map(|(path, &sum)| format!("{} {}", path.iter().map(|f| plain(f)).collect::<Vec<_>>().join(";"), value(sum))).collect()
}

/// A semicolon would be two frames.
fn plain(name: &str) -> String {
    match name.is_empty() {
        true => "[unnamed]".to_owned(),
        false => name.replace(';', ":"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::{profile, stack};
    use super::*;
    use crate::model::stacks::Measure;
    use proptest::prelude::*;

    #[test]
    fn equal_stacks_of_all_threads_are_one_line() {
        let stacks = vec![stack(&["main", "b"], 2), stack(&["main", "a;b\n"], 1), stack(&["main", "b"], 3)];
        let text = String::from_utf8(bytes(&profile(stacks))).unwrap();
        assert_eq!(text, "app;main;a:b� 1\napp;main;b 5\n");
    }

    #[test]
    fn time_is_in_microseconds() {
        let profile = Profile { measure: Measure::OffCpu, ..profile(vec![stack(&["main"], 2_500_000)]) };
        assert_eq!(bytes(&profile), b"app;main 2500\n");
    }

    proptest! {
        #[test]
        fn any_name_stays_one_frame(name in "\\PC{0,20}|[ ;\\n\\t\\x1b]{0,6}") {
            let text = String::from_utf8(bytes(&profile(vec![stack(&["main", &name], 3)]))).unwrap();
            prop_assert_eq!(text.lines().count(), 1);
            let (path, value) = text.trim_end_matches('\n').rsplit_once(' ').unwrap();
            prop_assert_eq!((path.split(';').count(), value), (3, "3"));
        }
    }
}

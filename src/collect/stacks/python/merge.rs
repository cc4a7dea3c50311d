//! Puts Python frames where the interpreter's own frames were.

/// A Python frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Number of its function and line; `None` where its code could not be read.
    pub(super) number: Option<u64>,
    /// The interpreter's function was called anew for it, and returns with it.
    pub(super) is_entry: bool,
}

/// The user stack with Python frames, all innermost first: each native frame that `is_eval` gives way to the Python frames it runs.
///
/// `is_whole` says whether the native frames reach the thread's start, `all` whether the Python frames do. Where both do, but differ
/// in number, it is the innermost that do not fit: the interpreter was about to link a frame, or is in a part of its function that
/// has no symbol. Python frames beyond the end of a cut native stack stand at its end.
pub(super) fn merge(user: &[u64], is_eval: impl Fn(u64) -> bool, python: &[Line], is_whole: bool, all: bool) -> Vec<u64> {
    let runs: Vec<&[Line]> = python.split_inclusive(|line| line.is_entry).collect();
    let evals = user.iter().filter(|&&address| is_eval(address)).count();
    let fits = is_whole && all;
    let skipped = if fits { evals.saturating_sub(runs.len()) } else { 0 };
    let early = if fits && evals > 0 { runs.len().saturating_sub(evals) } else { 0 };
    let mut merged = Vec::with_capacity(user.len() + python.len());
    let (first, mut rest) = runs.split_at(early);
    let mut seen = 0;
    for &address in user {
        if !is_eval(address) {
            merged.push(address);
            continue;
        }
        seen += 1;
        if seen <= skipped {
            merged.push(address);
            continue;
        }
        if seen == 1 {
            first.iter().for_each(|run| put(run, address, &mut merged));
        }
        match rest.split_first() {
            Some((run, others)) => {
                put(run, address, &mut merged);
                rest = others;
            }
            None => merged.push(address),
        }
    }
    if !is_whole {
        rest.iter().for_each(|run| merged.extend(run.iter().filter_map(|line| line.number)));
    }
    merged
}

/// A run of Python frames; those without a name show as the native frame that runs them.
fn put(run: &[Line], native: u64, merged: &mut Vec<u64>) {
    for line in run {
        let frame = line.number.unwrap_or(native);
        if frame != native || merged.last() != Some(&native) {
            merged.push(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVAL: u64 = 100;

    /// Numbers above 0 are lines, below 0 lines of an entry; 0 has no name.
    fn merged(user: &[u64], python: &[i64], is_whole: bool, all: bool) -> Vec<u64> {
        let line = |&n: &i64| Line { number: (n != 0).then_some(n.unsigned_abs()), is_entry: n < 0 };
        merge(user, |address| address == EVAL, &python.iter().map(line).collect::<Vec<_>>(), is_whole, all)
    }

    #[test]
    fn one_frame_of_the_interpreter_runs_many() {
        assert_eq!(merged(&[20, EVAL, 21, EVAL, 22], &[1, 2, -3, 4, -5], true, true), [20, 1, 2, 3, 21, 4, 5, 22]);
        assert_eq!(merged(&[EVAL, EVAL], &[-1, -2], true, true), [1, 2]);
        assert_eq!(merged(&[20, 21], &[], true, true), [20, 21]);
    }

    #[test]
    fn a_frame_about_to_be_linked_stays_native() {
        assert_eq!(merged(&[EVAL, 21, EVAL, 22], &[1, -2], true, true), [EVAL, 21, 1, 2, 22]);
    }

    #[test]
    fn code_that_was_split_off_runs_frames_too() {
        assert_eq!(merged(&[20, 21, EVAL, 22], &[-1, -2], true, true), [20, 21, 1, 2, 22]);
    }

    #[test]
    fn cut_stacks_are_matched_from_the_innermost() {
        assert_eq!(merged(&[20, EVAL], &[1, -2, 3, -4], false, true), [20, 1, 2, 3, 4]);
        assert_eq!(merged(&[20], &[1, -2], false, true), [20, 1, 2]);
        assert_eq!(merged(&[20, EVAL, 21, EVAL, 22], &[1, 2], true, false), [20, 1, 2, 21, EVAL, 22]);
    }

    #[test]
    fn without_a_name_the_native_frame_shows() {
        assert_eq!(merged(&[20, EVAL, 21], &[1, 0, 0, -2], true, true), [20, 1, EVAL, 2, 21]);
        assert_eq!(merged(&[20, EVAL, 21], &[0], true, true), [20, EVAL, 21]);
    }

    proptest! {
        #[test]
        fn nothing_native_is_lost_but_the_interpreter(
            user in prop::collection::vec(prop_oneof![Just(EVAL), 101u64..120], 0..20),
            python in prop::collection::vec(-50i64..50, 0..20),
            is_whole: bool,
            all: bool,
        ) {
            let merged = merged(&user, &python, is_whole, all);
            let native = |frames: &[u64]| frames.iter().copied().filter(|&address| address > EVAL).collect::<Vec<_>>();
            prop_assert_eq!(native(&merged), native(&user));
            prop_assert!(merged.len() <= user.len() + python.len());
        }
    }
}

//! `ebtop --config FILE config` means what `ebtop config --config FILE` means: options before a command are for the screen alone, but who
//! checks a file puts the command behind the line that failed.

use std::ffi::OsString;

/// Commands that take `--config`.
const TAKE_IT: [&str; 2] = ["config", "replay"];

/// The arguments with a leading `--config FILE` behind the command that takes it.
pub fn in_order(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let length = match arguments.get(1).map(|first| first.as_encoded_bytes()) {
        Some(b"--config") => 2,
        Some(first) if first.starts_with(b"--config=") => 1,
        _ => return arguments,
    };
    let is_command = arguments.get(1 + length).is_some_and(|command| TAKE_IT.iter().any(|name| command == name));
    if is_command {
        arguments[1..=1 + length].rotate_left(length);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_behind_the_command_that_takes_it() {
        let of = |line: &str| in_order(line.split(' ').map(OsString::from)).join(" ".as_ref()).into_string().unwrap();
        for (typed, meant) in [
            ("ebtop --config f config", "ebtop config --config f"),
            ("ebtop --config=f config --default", "ebtop config --config=f --default"),
            ("ebtop --config f replay r -d 2", "ebtop replay --config f r -d 2"),
        ] {
            assert_eq!(of(typed), meant);
        }
        for same in ["ebtop", "ebtop --config", "ebtop --config f", "ebtop --config f check", "ebtop --config config", "ebtop -t config"] {
            assert_eq!(of(same), same);
        }
    }
}

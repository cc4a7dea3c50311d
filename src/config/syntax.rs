//! Where a text is no TOML: all such places, since a reader that stops at the first asks for one start of ebtop for each.

use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

use super::read::Lines;
use crate::sample::printable;

/// Arrays and tables inside each other; no choice needs any.
const DEPTH_MAX: u32 = 80;

/// Each line that is no TOML, with why, in order and once.
pub(super) fn faults(text: &str) -> Vec<(usize, String)> {
    let source = Source::new(text);
    let (mut events, mut errors): (Vec<Event>, Vec<ParseError>) = (Vec::new(), Vec::new());
    parse_document(&source.lex().into_vec(), &mut RecursionGuard::new(&mut events, DEPTH_MAX), &mut errors);
    for event in events.iter().filter(|event| matches!(event.kind(), EventKind::Scalar | EventKind::SimpleKey)) {
        match (source.get(event), event.kind()) {
            (Some(raw), EventKind::Scalar) => drop(raw.decode_scalar(&mut (), &mut errors)),
            (Some(raw), _) => raw.decode_key(&mut (), &mut errors),
            (None, _) => {}
        }
    }
    let lines = Lines::of(text);
    let place = |error: &ParseError| error.unexpected().or(error.context()).map_or(0, |span| span.start());
    let mut found: Vec<_> = errors.iter().map(|error| (lines.line(place(error)), words(error))).collect();
    found.sort_by_key(|(line, _)| *line);
    found.dedup_by_key(|(line, _)| *line);
    found
}

/// What is wrong, and what could stand there.
fn words(error: &ParseError) -> String {
    let expected: Vec<&str> = error.expected().into_iter().flatten().filter_map(literal).collect();
    let expected = if expected.is_empty() { String::new() } else { format!(", expected {}", expected.join(", ")) };
    printable(format!("{}{expected}", error.description()).replace('\n', "; ").as_bytes())
}

fn literal(expected: &toml_parser::Expected) -> Option<&'static str> {
    match expected {
        toml_parser::Expected::Literal("\n") => Some("a new line"),
        toml_parser::Expected::Literal(words) | toml_parser::Expected::Description(words) => Some(words),
        _ => None,
    }
}

/// The text without some of its lines; the others stay where they are.
pub(super) fn without(text: &str, lines: &[(usize, String)]) -> String {
    let kept = |(index, line): (usize, &str)| if lines.iter().any(|(wrong, _)| *wrong == index + 1) { "" } else { line }.to_owned() + "\n";
    text.lines().enumerate().map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_line_that_is_no_toml_is_found() {
        let text = "theme = dark\nunits = \"si\"\nheader = \"auto\nascii = tru\n[columns\ncpu = [\"pid\", \"cpu\"]\nb = = 2\n";
        let found: Vec<usize> = faults(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, [1, 3, 4, 5, 7], "{:?}", faults(text));
        assert_eq!(without(text, &faults(text)), "\nunits = \"si\"\n\n\n\ncpu = [\"pid\", \"cpu\"]\n\n");
        assert!(faults(crate::config::DEFAULT).is_empty());
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_reader_refuses(text in "(theme|a|\\[|\\]|=|'|\"|1|\n|\\.|,|#|\\{|\\}| ){0,24}") {
            let refused = toml_edit::Document::parse(text.as_str()).is_err();
            // Keys that stand there twice are no matter of syntax.
            prop_assert!(refused || faults(&text).is_empty(), "{text:?} {:?}", faults(&text));
        }

        #[test]
        fn odd_text_never_panics(text in "(\\PC|[\\x00-\\x7f]){0,60}") {
            faults(&text);
        }
    }
}

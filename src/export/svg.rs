//! A flame graph as an SVG that a browser can search and zoom.

use std::io;

use inferno::flamegraph::{Options, from_lines};

use super::folded::lines;
use super::profile::Profile;
use crate::model::stacks::Unit;

/// The profile as an SVG file.
///
/// # Errors
/// There is nothing to draw.
pub fn bytes(profile: &Profile) -> io::Result<Vec<u8>> {
    let mut options = Options::default();
    options.title = format!("{}, {}", profile.title, profile.measure.name());
    options.count_name = match profile.measure.unit() {
        Unit::Samples => "samples",
        Unit::Ns => "µs",
        Unit::Faults => "faults",
        Unit::Bytes => "bytes",
    }
    .into();
    options.hash = true;
    let lines = lines(profile);
    let mut out = Vec::new();
    from_lines(&mut options, lines.iter().map(String::as_str), &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::profile::tests::{profile, stack};
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_drawing() {
        let svg = String::from_utf8(bytes(&profile(vec![stack(&["main", "<script>alert(1)</script>"], 3)])).unwrap()).unwrap();
        assert!(svg.contains("&lt;script&gt;alert(1)") && !svg.contains("<script>alert(1)"), "{svg}");
        assert!(svg.contains("(3 samples, 100.00%)"));
        assert!(bytes(&profile(vec![])).is_err());
    }
}

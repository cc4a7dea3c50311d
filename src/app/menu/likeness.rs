//! How like the items of a list are to the letters that were typed.

/// How the typed letters are found in an item, case aside; the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// They are all of the label.
    Whole,
    /// One of its words.
    Word,
    /// Its beginning.
    Beginning,
    /// The beginning of one of its words.
    BeginningOfWord,
    /// Somewhere in it.
    Within,
    /// In the remark.
    Said,
    /// One by one in the label, in this order.
    Scattered,
}

/// How they are found in a label.
pub(super) fn likeness(label: &str, typed: &str) -> Option<Likeness> {
    let (label, typed) = (label.to_lowercase(), typed.to_lowercase());
    let label = label.trim();
    let mut words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut letters = label.chars();
    match typed.as_str() {
        "" => Some(Likeness::Whole),
        typed if label == typed => Some(Likeness::Whole),
        typed if words.clone().any(|word| word == typed) => Some(Likeness::Word),
        typed if label.starts_with(typed) => Some(Likeness::Beginning),
        typed if words.any(|word| word.starts_with(typed)) => Some(Likeness::BeginningOfWord),
        typed if label.contains(typed) => Some(Likeness::Within),
        typed => typed.chars().all(|wanted| letters.any(|c| c == wanted)).then_some(Likeness::Scattered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_not_taken_for_its_opposite() {
        assert!(likeness(" 12", "12") < likeness("-12", "12"));
        assert_eq!(likeness("-12", "-12"), Some(Likeness::Whole));
    }
}

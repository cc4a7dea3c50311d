//! How far back samples are shown.

/// A length of time that ends at the newest sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StackSpan {
    /// 5 s.
    Short,
    /// 30 s.
    #[default]
    Medium,
    /// 2 min.
    Long,
    /// As far as the history reaches.
    All,
}

impl StackSpan {
    /// All of them, from the shortest.
    pub const ALL: [StackSpan; 4] = [StackSpan::Short, StackSpan::Medium, StackSpan::Long, StackSpan::All];

    /// Length, ns.
    pub fn ns(self) -> u64 {
        match self {
            StackSpan::Short => 5_000_000_000,
            StackSpan::Medium => 30_000_000_000,
            StackSpan::Long => 120_000_000_000,
            StackSpan::All => u64::MAX,
        }
    }

    /// In a word.
    pub fn word(self) -> &'static str {
        ["5s", "30s", "2m", "all"][self as usize]
    }

    /// The next longer or shorter one, round the end.
    pub(super) fn step(self, longer: bool) -> Self {
        let count = StackSpan::ALL.len();
        StackSpan::ALL[(self as usize + if longer { 1 } else { count - 1 }) % count]
    }
}

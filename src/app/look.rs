//! What somebody may choose about the looks, and keeps in the configuration file.

use super::chosen::Names;
use super::view::Shown;

/// Colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// Bright colours only.
    HighContrast,
    /// Without telling red from green.
    ColourBlind,
    /// None at all.
    Mono,
}

impl Palette {
    /// All there are.
    pub const ALL: [Palette; 5] = [Palette::Dark, Palette::Light, Palette::HighContrast, Palette::ColourBlind, Palette::Mono];

    /// Its name in the configuration and on the command line.
    pub fn name(self) -> &'static str {
        ["dark", "light", "high-contrast", "colour-blind", "mono"][self as usize]
    }

    /// What is said about it in the list.
    pub fn note(self) -> &'static str {
        [
            "for dark backgrounds",
            "for light backgrounds",
            "bright colours only",
            "nothing is told by red against green",
            "no colours: letters, signs and weights",
        ][self as usize]
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Palette> {
        Palette::ALL.into_iter().find(|palette| palette.name() == name)
    }
}

/// How bytes are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// K = 1024.
    #[default]
    Iec,
    /// k = 1000.
    Si,
}

impl Units {
    /// All there are.
    pub const ALL: [Units; 2] = [Units::Iec, Units::Si];

    /// Its name in the configuration and on the command line.
    pub fn name(self) -> &'static str {
        ["iec", "si"][self as usize]
    }

    /// What is said about it in the list.
    pub fn note(self) -> &'static str {
        ["K = 1024 bytes, M = 1024 K", "k = 1000 bytes, M = 1000 k"][self as usize]
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Units> {
        Units::ALL.into_iter().find(|units| units.name() == name)
    }
}

/// How much of the screen the header takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// Bars and totals, as far as the screen has room.
    #[default]
    Auto,
    /// One bar for all CPUs, and totals.
    Small,
    /// Graphs of the last minutes below the bars, too.
    Large,
}

impl Header {
    /// All there are, in the order of the key.
    pub const ALL: [Header; 3] = [Header::Auto, Header::Large, Header::Small];

    /// Its name in the configuration and on the command line.
    pub fn name(self) -> &'static str {
        ["auto", "small", "large"][self as usize]
    }

    /// What is said about it in the list.
    pub fn note(self) -> &'static str {
        ["bars and totals, as far as there is room", "one bar for all CPUs", "with graphs of the last minutes"][self as usize]
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Header> {
        Header::ALL.into_iter().find(|header| header.name() == name)
    }

    /// The next one, round the end.
    pub fn next(self) -> Header {
        let at = Header::ALL.iter().position(|header| *header == self).unwrap_or(0);
        Header::ALL[(at + 1) % Header::ALL.len()]
    }
}

/// All that can be chosen on the screen and kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub palette: Palette,
    /// How bytes are counted.
    pub units: Units,
    /// How much of the screen the header takes.
    pub header: Header,
    /// Columns of tables, where somebody chose them.
    pub columns: Vec<(Shown, Names)>,
}

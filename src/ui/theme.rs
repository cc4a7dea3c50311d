//! All colours: the terminal's own 16, or none. Colour never stands alone: a letter, a sign or a weight says the same.

use ratatui::style::{Color, Modifier, Style};

use crate::app::look::Palette;

/// What a piece of the screen is, to be told from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Nothing, old, or of less weight.
    Dim,
    /// Names of figures in the header.
    Label,
    /// Where the user is: the tab, the name of ebtop.
    Accent,
    /// Headings of columns.
    Heading,
    /// Heading and cells of the sorted column.
    Sorted,
    /// The selected line.
    Selected,
    /// A key that may be pressed.
    Key,
    /// Good.
    Good,
    /// Worth a look.
    Warning,
    /// Wrong.
    Bad,
    /// A process that uses a core or more.
    Hot,
    /// A process born within the tick.
    New,
    /// What exited.
    Exited,
    /// A process that is tagged.
    Tagged,
    /// User time; memory in use.
    User,
    /// Niced user time.
    Nice,
    /// Kernel time.
    Kernel,
    /// Hard interrupts.
    Irq,
    /// Soft interrupts.
    Softirq,
    /// Stolen by the hypervisor.
    Steal,
    /// Waiting for I/O.
    Iowait,
    /// Buffers.
    Buffers,
    /// Shared memory.
    Shared,
    /// Page cache.
    Cache,
    /// Swap.
    Swap,
    /// A box of the flame graph: kernel code.
    KernelCode,
    /// Compiled user code.
    NativeCode,
    /// Compiled code that stands inside its caller's.
    InlinedCode,
    /// Code written at run time.
    JitCode,
    /// Interpreted code: Python.
    PythonCode,
    /// A process or a remark.
    NoCode,
    /// A function that has more samples than before.
    Grown,
    /// A function that has fewer.
    Shrunk,
    /// A function that the search found.
    Match,
}

/// How the terminal may be drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours may be used (`NO_COLOR` is not set).
    pub colour: bool,
    /// Only ASCII may be used.
    pub ascii: bool,
    /// Which colours.
    pub palette: Palette,
}

impl Default for Theme {
    fn default() -> Self {
        Theme { colour: true, ascii: false, palette: Palette::Dark }
    }
}

impl Theme {
    /// The same in the colours that somebody chose.
    #[must_use]
    pub fn in_colours(self, palette: Palette) -> Theme {
        Theme { colour: self.colour && palette != Palette::Mono, palette, ..self }
    }

    /// Style of a role.
    pub fn style(self, role: Role) -> Style {
        let style = self.dark(role);
        Style { fg: style.fg.map(|colour| self.shade(colour, false)), bg: style.bg.map(|colour| self.shade(colour, true)), ..style }
    }

    /// What stands for a colour of the dark palette, for text or as the ground of text.
    fn shade(self, colour: Color, is_ground: bool) -> Color {
        match (self.palette, colour) {
            (Palette::Light, Color::Cyan) if !is_ground => Color::Blue,
            (Palette::Light, Color::Blue) if !is_ground => Color::LightBlue,
            (Palette::Light, Color::Yellow) => Color::LightRed,
            (Palette::HighContrast, Color::DarkGray) if !is_ground => Color::White,
            (Palette::HighContrast, Color::Red) if !is_ground => Color::LightRed,
            (Palette::HighContrast, Color::Green) => Color::LightGreen,
            (Palette::HighContrast, Color::Yellow) => Color::LightYellow,
            (Palette::HighContrast, Color::Blue) => Color::LightBlue,
            (Palette::HighContrast, Color::Magenta) if !is_ground => Color::LightMagenta,
            (Palette::HighContrast, Color::Cyan) => Color::LightCyan,
            (Palette::ColourBlind, Color::Green) => Color::LightBlue,
            (Palette::ColourBlind, Color::Red) if is_ground => Color::Blue,
            (Palette::ColourBlind, Color::Red) => Color::LightYellow,
            (Palette::ColourBlind, Color::Yellow) => Color::White,
            (_, colour) => colour,
        }
    }

    fn dark(self, role: Role) -> Style {
        let plain = Style::new();
        let (colour, weight) = match role {
            Role::Text => return plain,
            Role::Dim => (Color::DarkGray, Modifier::DIM),
            Role::Label | Role::Heading => (Color::Cyan, Modifier::empty()),
            Role::Accent | Role::Key => (Color::Cyan, Modifier::BOLD),
            Role::Sorted => return plain.add_modifier(Modifier::BOLD),
            // One colour from end to end: reversed, a coloured cell would be a patch.
            Role::Selected if self.colour => return plain.fg(Color::Reset).remove_modifier(Modifier::DIM).add_modifier(Modifier::REVERSED),
            Role::Selected => return plain.add_modifier(Modifier::REVERSED),
            Role::Good | Role::New | Role::User => (Color::Green, Modifier::empty()),
            Role::Warning | Role::Tagged => (Color::Yellow, Modifier::BOLD),
            Role::Bad | Role::Hot => (Color::Red, Modifier::BOLD),
            Role::Exited => (Color::Red, Modifier::DIM),
            Role::Kernel | Role::Swap => (Color::Red, Modifier::empty()),
            Role::Nice | Role::Buffers => (Color::Blue, Modifier::empty()),
            Role::Irq | Role::Cache => (Color::Yellow, Modifier::empty()),
            Role::Softirq | Role::Shared => (Color::Magenta, Modifier::empty()),
            Role::Steal => (Color::Cyan, Modifier::empty()),
            Role::Iowait => (Color::DarkGray, Modifier::empty()),
            Role::KernelCode => return self.filled(Color::White, Color::Red),
            Role::NativeCode => return self.filled(Color::Black, Color::Green),
            Role::InlinedCode => return self.filled(Color::Black, Color::LightGreen),
            Role::JitCode => return self.filled(Color::Black, Color::Cyan),
            Role::PythonCode => return self.filled(Color::Black, Color::Yellow),
            Role::NoCode => return self.filled(Color::White, Color::DarkGray),
            Role::Grown => return self.filled(Color::White, Color::Red),
            Role::Shrunk => return self.filled(Color::White, Color::Blue),
            Role::Match => return self.filled(Color::White, Color::Magenta).add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        };
        match self.colour {
            // Dim dark grey is invisible on many terminals: with colour, the colour alone is dim enough.
            true if role == Role::Dim => plain.fg(colour),
            true => plain.fg(colour).add_modifier(weight),
            false => plain.add_modifier(weight),
        }
    }

    fn filled(self, text: Color, ground: Color) -> Style {
        if self.colour { Style::new().fg(text).bg(ground) } else { Style::new() }
    }

    /// A line of text in the colour that a box of this role is filled with.
    pub fn ink(self, role: Role) -> Style {
        let boxed = self.style(role);
        let ink = match boxed.bg {
            // Blue on black is hard to read.
            Some(Color::Blue) => Some(Color::LightBlue),
            ground => ground,
        };
        Style { fg: ink, bg: None, ..boxed }
    }

    /// What a bar is filled with: a block in colour, a letter of its kind without.
    pub fn fill(self, role: Role) -> &'static str {
        if self.colour {
            return "█";
        }
        match role {
            Role::User => "|",
            Role::Nice => "n",
            Role::Kernel => "k",
            Role::Irq => "i",
            Role::Softirq => "s",
            Role::Steal => "x",
            Role::Iowait => "w",
            Role::Buffers => "b",
            Role::Shared => "h",
            Role::Cache => "c",
            _ => "#",
        }
    }
}

/// The ASCII that stands for a character of the screen.
pub fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "·" => ".",
        "…" | "⋯" => "~",
        "▕" => "[",
        "▏" => "]",
        "│" | "┃" => "|",
        "─" | "━" => "-",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
        "▸" | "›" | "→" => ">",
        "▾" | "↓" => "v",
        "▴" | "↑" => "^",
        "←" | "‹" | "◂" => "<",
        "×" | "✕" => "x",
        "●" => "*",
        "◐" => "o",
        "○" => "o",
        "–" | "—" => "-",
        "▁" | "▂" => "_",
        "▃" | "▄" | "▅" => "=",
        "▆" | "▇" | "█" => "#",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colour_there_is_none() {
        let theme = Theme { colour: false, ..Theme::default() };
        for role in [Role::Dim, Role::KernelCode, Role::Match, Role::Bad, Role::User, Role::Selected, Role::Sorted, Role::Accent] {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn kinds_of_cpu_time_are_told_apart_either_way() {
        let kinds = [Role::User, Role::Nice, Role::Kernel, Role::Irq, Role::Softirq, Role::Steal, Role::Iowait];
        let plain = Theme::default().in_colours(Palette::Mono);
        for (i, a) in kinds.iter().enumerate() {
            for b in &kinds[i + 1..] {
                for palette in Palette::ALL.into_iter().filter(|p| *p != Palette::Mono) {
                    let colour = Theme::default().in_colours(palette);
                    assert_ne!(colour.style(*a).fg, colour.style(*b).fg, "{a:?} {b:?} in {palette:?}");
                }
                assert_ne!(plain.fill(*a), plain.fill(*b), "{a:?} {b:?}");
            }
        }
    }
}

//! Puts changed cells on the terminal in few bytes: short moves of the cursor, one sequence for a change of style.
//!
//! Over SSH a screen that hardly changes is mostly moves from one number to the next, so those decide what it costs. What is
//! sent is plain ECMA-48, as every terminal of the last decades takes it.

mod pieces;
mod shown;
mod style;

use std::cell::Cell as Memory;
use std::io::{self, Write};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{self, Clear};
use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Cell, CellWidth};
use ratatui::layout::{Position, Size};
use rustix::termios::tcgetwinsize;

use pieces::Pieces;
use shown::Shown;
use style::Style;

use super::pace::Written;

/// Where the cursor is, if that is known, and how the next letter would look.
#[derive(Default)]
struct Pen {
    cursor: Option<(u16, u16)>,
    style: Style,
}

/// A terminal behind a writer.
pub struct Screen<W: Write> {
    out: W,
    /// Columns, when the size was last asked for: what is written into the last one leaves the cursor in no certain place.
    columns: Memory<u16>,
    cursor_is_hidden: Option<bool>,
    shown: Shown,
    /// On a slow line.
    pieces: Option<Pieces>,
    /// What is sent next.
    bytes: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// Draws by writing to `out`.
    pub fn new(out: W) -> Self {
        Screen { out, columns: Memory::new(0), cursor_is_hidden: None, shown: Shown::default(), pieces: None, bytes: Vec::new() }
    }

    /// The same for a slow line: frames go out in pieces of about so many bytes, one with each drawing, and `written` tells whether there
    /// is more.
    #[must_use]
    pub fn in_pieces(self, bytes: usize, written: Written) -> Self {
        Screen { pieces: Some(Pieces::new(bytes, written)), ..self }
    }

    /// Puts a cell on the terminal.
    fn put(&mut self, pen: &mut Pen, (x, y): (u16, u16), cell: &Cell) {
        match pen.cursor.filter(|&(_, row)| row == y).and_then(|(at, _)| self.shown.between(at, x, y, pen.style)) {
            Some(letters) => self.bytes.extend(letters),
            None => go_to(&mut self.bytes, pen.cursor, (x, y)),
        }
        pen.style.change_to(Style::of(cell), &mut self.bytes);
        self.bytes.extend_from_slice(cell.symbol().as_bytes());
        self.shown.note((x, y), cell.cell_width(), cell.symbol(), pen.style);
        let next = x + cell.cell_width();
        pen.cursor = (next < self.columns.get()).then_some((next, y));
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.bytes.clear();
        self.shown.fit(self.columns.get());
        let mut pen = Pen::default();
        match self.pieces.take() {
            None => content.for_each(|(x, y, cell)| self.put(&mut pen, (x, y), cell)),
            Some(mut pieces) => {
                pieces.take_in(content);
                while self.bytes.len() < pieces.bytes
                    && let Some((place, cell)) = pieces.next()
                {
                    self.put(&mut pen, place, &cell);
                }
                pieces.tell();
                self.pieces = Some(pieces);
            }
        }
        pen.style.change_to(Style::default(), &mut self.bytes);
        self.out.write_all(&self.bytes)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_is_hidden.replace(true) != Some(true) {
            queue!(self.out, Hide)?;
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.cursor_is_hidden.replace(false) != Some(false) {
            queue!(self.out, Show)?;
        }
        Ok(())
    }

    /// Not asked of the terminal: its answer would go to the thread that reads keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        queue!(self.out, MoveTo(x, y))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    /// Somebody else may have used the terminal before this: the cursor is in an unknown state too.
    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.cursor_is_hidden = None;
        self.pieces.iter_mut().for_each(Pieces::forget);
        match region {
            ClearType::All => self.shown.clear(self.columns.get()),
            _ => self.shown.forget(),
        }
        queue!(
            self.out,
            Clear(match region {
                ClearType::All => terminal::ClearType::All,
                ClearType::AfterCursor => terminal::ClearType::FromCursorDown,
                ClearType::BeforeCursor => terminal::ClearType::FromCursorUp,
                ClearType::CurrentLine => terminal::ClearType::CurrentLine,
                ClearType::UntilNewLine => terminal::ClearType::UntilNewLine,
            })
        )
    }

    fn size(&self) -> io::Result<Size> {
        let (width, height) = match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => terminal::size()?,
        };
        self.columns.set(width);
        Ok(Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        let pixels = tcgetwinsize(io::stdout())?;
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size { width: pixels.ws_xpixel, height: pixels.ws_ypixel } })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Moves the cursor by what is shortest: by columns and rows from where it is, or to the place as such.
fn go_to(bytes: &mut Vec<u8>, from: Option<(u16, u16)>, (x, y): (u16, u16)) {
    let start = bytes.len();
    sequence(bytes, &[y + 1, x + 1], b'H');
    let Some((at, row)) = from.filter(|&(_, row)| row <= y) else { return };
    let absolute = bytes.len() - start;
    let relative = |bytes: &mut Vec<u8>, from_left: bool| {
        // In raw mode a line feed is a move and nothing else.
        match y - row {
            down @ 1..=3 => bytes.extend(std::iter::repeat_n(b'\n', down.into())),
            0 => {}
            down => sequence(bytes, &[down], b'B'),
        }
        if from_left {
            bytes.push(b'\r');
        }
        let at = if from_left { 0 } else { at };
        match x {
            x if x > at => sequence(bytes, &[x - at], b'C'),
            x if x < at => sequence(bytes, &[at - x], b'D'),
            _ => {}
        }
    };
    let mut shortest = absolute;
    for from_left in [false, true] {
        let mark = bytes.len();
        relative(bytes, from_left);
        if bytes.len() - mark < shortest {
            shortest = bytes.len() - mark;
            bytes.drain(start..mark);
        } else {
            bytes.truncate(mark);
        }
    }
}

/// `ESC [ 1 ; 2 X`; a last number of 1 goes without saying.
fn sequence(bytes: &mut Vec<u8>, numbers: &[u16], last: u8) {
    bytes.extend_from_slice(b"\x1b[");
    let said = if numbers.last() == Some(&1) { &numbers[..numbers.len() - 1] } else { numbers };
    for (i, number) in said.iter().enumerate() {
        if i > 0 {
            bytes.push(b';');
        }
        decimal(bytes, *number);
    }
    bytes.push(last);
}

fn decimal(bytes: &mut Vec<u8>, number: u16) {
    if number >= 10 {
        decimal(bytes, number / 10);
    }
    bytes.push(b'0' + (number % 10) as u8);
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use proptest::prelude::*;
    use ratatui::backend::CrosstermBackend;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Modifier};

    use super::*;

    const SIZE: (u16, u16) = (30, 8);

    type Changes<'a> = std::vec::IntoIter<(u16, u16, &'a Cell)>;

    /// What a terminal shows, letters and styles, after frames that were written as changes of one another.
    fn shown(frames: &[Buffer], mut write: impl FnMut(Changes<'_>) -> Vec<u8>) -> Vec<u8> {
        let mut parser = vt100::Parser::new(NonZero::new(SIZE.1).unwrap(), NonZero::new(SIZE.0).unwrap(), 0);
        // A blank that was written looks like a cell that never was; the parser tells them apart.
        parser.process(&vec![b' '; usize::from(SIZE.0 * SIZE.1)]);
        let mut last = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        for frame in frames {
            parser.process(&write(last.diff(frame).into_iter()));
            last = frame.clone();
        }
        // Where the cursor ends is of no account.
        parser.process(b"\x1b[H");
        parser.screen().contents_formatted().into()
    }

    fn screen(is_cleared: bool) -> Screen<Vec<u8>> {
        let mut screen = Screen::new(Vec::new());
        screen.columns.set(SIZE.0);
        if is_cleared {
            screen.clear().unwrap();
            screen.out.clear();
        }
        screen
    }

    fn of_crossterm(changes: Changes<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        CrosstermBackend::new(&mut out).draw(changes).unwrap();
        out
    }

    fn any_style() -> impl Strategy<Value = ratatui::style::Style> {
        let colours = || prop::sample::select(vec![Color::Reset, Color::Red, Color::DarkGray, Color::Indexed(200), Color::Rgb(1, 22, 255)]);
        let modifiers = prop::sample::select(vec![
            Modifier::empty(),
            Modifier::BOLD,
            Modifier::REVERSED,
            Modifier::ITALIC,
            Modifier::BOLD.union(Modifier::REVERSED),
        ]);
        (colours(), colours(), modifiers).prop_map(|(fg, bg, m)| ratatui::style::Style::new().fg(fg).bg(bg).add_modifier(m))
    }

    proptest! {
        #[test]
        fn a_terminal_shows_the_same_as_with_the_backend_of_ratatui(frames in prop::collection::vec(prop::collection::vec((0..SIZE.0, 0..SIZE.1, "[a-z日é ]{1,9}", any_style()), 0..12), 1..4), is_cleared: bool) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
            let mut buffers = Vec::new();
            for words in frames {
                for (x, y, word, style) in words {
                    buffer.set_string(x, y, word, style);
                }
                buffers.push(buffer.clone());
            }
            crossterm::style::force_color_output(true);
            let mut screen = screen(is_cleared);
            let ours = |changes: Changes<'_>| {
                screen.draw(changes).unwrap();
                std::mem::take(&mut screen.out)
            };
            prop_assert_eq!(shown(&buffers, ours), shown(&buffers, of_crossterm));
        }
    }

    #[test]
    fn pieces_add_up_to_the_frame() {
        let mut screen = screen(true).in_pieces(20, Written::default());
        let mut parser = vt100::Parser::new(NonZero::new(SIZE.1).unwrap(), NonZero::new(SIZE.0).unwrap(), 0);
        let mut last = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
        let mut most = 0;
        for word in ["first", "second frame", "the third"] {
            let mut frame = last.clone();
            for y in 0..SIZE.1 {
                frame.set_stringn(y, y, word, 20, ratatui::style::Style::new());
            }
            screen.draw(last.diff(&frame).into_iter()).unwrap();
            last = frame;
        }
        while {
            most = most.max(screen.out.len());
            parser.process(&std::mem::take(&mut screen.out));
            screen.pieces.as_ref().is_some_and(|pieces| pieces.is_behind())
        } {
            screen.draw(std::iter::empty()).unwrap();
        }
        let rows: Vec<String> = parser.screen().rows(0, SIZE.0).collect();
        for (y, row) in rows.iter().enumerate() {
            assert_eq!(row.trim(), "the thirdame", "{y}: {rows:?}");
        }
        assert!(most < 3 * 40, "{most}");
    }

    fn moved(from: Option<(u16, u16)>, to: (u16, u16)) -> String {
        let mut bytes = Vec::new();
        go_to(&mut bytes, from, to);
        String::from_utf8(bytes).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn moves_are_short() {
        assert_eq!(moved(None, (33, 11)), "^[12;34H");
        assert_eq!(moved(None, (0, 0)), "^[1H");
        assert_eq!(moved(Some((30, 11)), (30, 11)), "");
        assert_eq!(moved(Some((30, 11)), (31, 11)), "^[C");
        assert_eq!(moved(Some((30, 11)), (33, 11)), "^[3C");
        assert_eq!(moved(Some((30, 11)), (30, 12)), "\n");
        assert_eq!(moved(Some((30, 11)), (28, 12)), "\n^[2D");
        assert_eq!(moved(Some((30, 11)), (0, 13)), "\n\n\r");
        assert_eq!(moved(Some((30, 11)), (30, 15)), "^[4B");
        assert_eq!(moved(Some((130, 11)), (25, 33)), "^[34;26H");
    }

    #[test]
    fn a_few_letters_that_stay_are_written_again() {
        let mut screen = screen(true);
        let mut draw = |cells: &[(u16, &'static str)]| {
            let cells: Vec<_> = cells.iter().map(|(x, symbol)| (*x, Cell::new(symbol))).collect();
            screen.draw(cells.iter().map(|(x, cell)| (*x, 1, cell))).unwrap();
            String::from_utf8(std::mem::take(&mut screen.out)).unwrap().replace('\x1b', "^")
        };
        draw(&[(0, "1"), (1, "2"), (2, "."), (3, "5"), (4, "é"), (5, "x")]);
        assert_eq!(draw(&[(0, "3"), (3, "6")]), "^[2H32.6");
        assert_eq!(draw(&[(3, "7"), (5, "y")]), "^[2;4H7^[Cy", "more than a byte is passed by");
        assert_eq!(draw(&[(5, "z"), (8, "z"), (13, "z")]), "^[2;6Hz  z^[4Cz", "blanks too");
    }

    #[test]
    fn the_cursor_is_hidden_once() {
        let mut screen = Screen::new(Vec::new());
        screen.hide_cursor().unwrap();
        screen.hide_cursor().unwrap();
        assert_eq!(screen.out, b"\x1b[?25l");
        screen.clear().unwrap();
        screen.hide_cursor().unwrap();
        assert!(screen.out.ends_with(b"\x1b[?25l") && screen.out.len() > 6);
    }
}

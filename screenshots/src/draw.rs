//! A terminal's screen → SVG → PNG.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use resvg::{tiny_skia, usvg};

use crate::glyph;

/// Width of a cell, px: the advance of DejaVu Sans Mono at `FONT_SIZE`.
pub const CELL_W: f32 = 8.43;
/// Height of a cell, px.
pub const CELL_H: f32 = 17.0;
const FONT_SIZE: f32 = 14.0;
const BASELINE: f32 = 0.76;
const PADDING: f32 = 12.0;
const TITLE_BAR: f32 = 30.0;
/// Pixels of the PNG for each of the SVG.
const SCALE: f32 = 1.5;
const FONTS: &str = "/usr/share/fonts/truetype/dejavu";

const FOREGROUND: u32 = 0xd4d4d8;
const BACKGROUND: u32 = 0x16181d;
const PALETTE: [u32; 16] = [
    0x20232a, 0xe06c75, 0x98c379, 0xe5c07b, 0x61afef, 0xc678dd, 0x56b6c2, 0xbfc4ce, 0x6b7280, 0xff7a85, 0xb5e890, 0xffd68a, 0x82c7ff,
    0xdd9bf5, 0x7fd8e4, 0xffffff,
];

/// Draws the screen in a window with a title.
pub fn svg(screen: &vt100::Screen, title: &str) -> String {
    let (rows, cols) = screen.size();
    let (rows, cols) = (rows.get(), cols.get());
    let (width, height) = (f32::from(cols) * CELL_W + 2.0 * PADDING, f32::from(rows) * CELL_H + 2.0 * PADDING + TITLE_BAR);
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0}' height='{height:.0}' viewBox='0 0 {width:.0} {height:.0}' \
         font-family='DejaVu Sans Mono,monospace' font-size='{FONT_SIZE}' shape-rendering='crispEdges' xml:space='preserve'>\n\
         <rect width='100%' height='100%' rx='9' fill='#{BACKGROUND:06x}'/>\
         <path d='M0 {TITLE_BAR}V9a9 9 0 0 1 9-9H{:.0}a9 9 0 0 1 9 9V{TITLE_BAR}z' fill='#2a2d35'/>\
         <text x='{:.0}' y='20' fill='#9aa0ab' text-anchor='middle'>{}</text>\n",
        width - 9.0,
        width / 2.0,
        escaped(title),
    );
    for row in 0..rows {
        let y = TITLE_BAR + PADDING + f32::from(row) * CELL_H;
        let cells: Vec<_> = (0..cols).map(|col| screen.cell(row, col).map_or_else(Cell::default, Cell::new)).collect();
        backgrounds(&mut out, &cells, y);
        texts(&mut out, &cells, y);
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

/// Renders `svg` with DejaVu Sans Mono.
///
/// # Errors
/// When the font is not installed (`script/bootstrap --screenshots`) or the file cannot be written.
pub fn png(svg: &str, path: &Path) -> Result<()> {
    let mut options = usvg::Options::default();
    let fonts = Arc::get_mut(&mut options.fontdb).context("the fonts are shared")?;
    for style in ["", "-Bold", "-Oblique", "-BoldOblique"] {
        let file = format!("{FONTS}/DejaVuSansMono{style}.ttf");
        // The oblique ones are in a package of their own; the upright ones stand in.
        if style.is_empty() || Path::new(&file).exists() {
            fonts.load_font_data(fs::read(&file).context(file)?);
        }
    }
    let tree = usvg::Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size().scale_by(SCALE).context("an empty picture")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).context("an empty picture")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.save_png(path).with_context(|| path.display().to_string())
}

/// Look of a run of text.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Style {
    colour: u32,
    bold: bool,
    italic: bool,
    underline: bool,
}

struct Cell {
    text: String,
    background: u32,
    style: Style,
}

impl Default for Cell {
    fn default() -> Self {
        let style = Style { colour: FOREGROUND, bold: false, italic: false, underline: false };
        Cell { text: String::new(), background: BACKGROUND, style }
    }
}

impl Cell {
    fn new(cell: &vt100::Cell) -> Self {
        let (mut colour, mut background) = (rgb(cell.fgcolor(), FOREGROUND), rgb(cell.bgcolor(), BACKGROUND));
        if let (true, vt100::Color::Idx(index @ 0..=7)) = (cell.bold(), cell.fgcolor()) {
            colour = PALETTE[usize::from(index) + 8];
        }
        if cell.inverse() {
            std::mem::swap(&mut colour, &mut background);
        }
        if cell.dim() {
            colour = mix(colour, background);
        }
        let style = Style { colour, bold: cell.bold(), italic: cell.italic(), underline: cell.underline() };
        Cell { text: cell.contents().to_owned(), background, style }
    }

    fn is_blank(&self) -> bool {
        self.text.trim().is_empty() && !self.style.underline
    }
}

fn x_of(col: usize) -> f32 {
    PADDING + col as f32 * CELL_W
}

/// One rectangle for each run of equal background.
fn backgrounds(out: &mut String, cells: &[Cell], y: f32) {
    let mut col = 0;
    for run in cells.chunk_by(|a, b| a.background == b.background) {
        if run[0].background != BACKGROUND {
            rect(out, x_of(col), y, run.len() as f32 * CELL_W, CELL_H, run[0].background, 1.0);
        }
        col += run.len();
    }
}

/// Blocks and lines as rectangles, the rest as text with a place for each character, so that columns hold in any font.
fn texts(out: &mut String, cells: &[Cell], y: f32) {
    let mut run: Option<(Style, String, String)> = None;
    for (col, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_blank()) {
        let x = x_of(col);
        if let Some(parts) = cell.text.chars().next().and_then(glyph::parts) {
            for [left, top, width, height, opacity] in parts {
                rect(out, x + left * CELL_W, y + top * CELL_H, width * CELL_W, height * CELL_H, cell.style.colour, opacity);
            }
            continue;
        }
        if run.as_ref().is_none_or(|(style, ..)| *style != cell.style) {
            flush(out, run.take(), y);
        }
        let (_, xs, text) = run.get_or_insert_with(|| (cell.style, String::new(), String::new()));
        let _ = write!(xs, "{x:.2} ");
        text.push_str(&escaped(&cell.text));
    }
    flush(out, run, y);
}

fn flush(out: &mut String, run: Option<(Style, String, String)>, y: f32) {
    let Some((style, xs, text)) = run else { return };
    let _ = write!(out, "<text y='{:.2}' x='{}' fill='#{:06x}'", y + CELL_H * BASELINE, xs.trim_end(), style.colour);
    for (on, attribute) in
        [(style.bold, " font-weight='bold'"), (style.italic, " font-style='italic'"), (style.underline, " text-decoration='underline'")]
    {
        if on {
            out.push_str(attribute);
        }
    }
    let _ = write!(out, ">{text}</text>");
}

fn rect(out: &mut String, x: f32, y: f32, width: f32, height: f32, colour: u32, opacity: f32) {
    let _ = write!(out, "<rect x='{x:.2}' y='{y:.2}' width='{width:.2}' height='{height:.2}' fill='#{colour:06x}'");
    if opacity < 1.0 {
        let _ = write!(out, " fill-opacity='{opacity}'");
    }
    out.push_str("/>");
}

fn rgb(colour: vt100::Color, default: u32) -> u32 {
    let level = |step: u32| if step == 0 { 0 } else { 55 + 40 * step };
    match colour {
        vt100::Color::Default => default,
        vt100::Color::Rgb(r, g, b) => u32::from_be_bytes([0, r, g, b]),
        vt100::Color::Idx(index) if index < 16 => PALETTE[usize::from(index)],
        vt100::Color::Idx(index) if index < 232 => {
            let index = u32::from(index) - 16;
            level(index / 36) << 16 | level(index / 6 % 6) << 8 | level(index % 6)
        }
        vt100::Color::Idx(index) => (8 + 10 * (u32::from(index) - 232)) * 0x01_01_01,
    }
}

/// Six parts of `a` in ten, the rest `b`: how terminals draw dim text.
fn mix(a: u32, b: u32) -> u32 {
    [16, 8, 0].iter().map(|shift| ((((a >> shift) & 255) * 6 + ((b >> shift) & 255) * 4) / 10) << shift).sum()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn screen(bytes: &str) -> String {
        let size = NonZeroU16::new(10).unwrap();
        let mut parser = vt100::Parser::new(size, size, 0);
        parser.process(bytes.as_bytes());
        svg(parser.screen(), "a<b")
    }

    #[test]
    fn text_keeps_its_column_and_colour() {
        let picture = screen("a \x1b[1;31mb\x1b[m<");
        assert!(picture.contains(">a</text>"), "{picture}");
        assert!(picture.contains(&format!("x='{:.2}' fill='#ff7a85' font-weight='bold'>b<", x_of(2))), "{picture}");
        assert!(picture.contains(">&lt;</text>") && picture.contains(">a&lt;b</text>"), "{picture}");
    }

    #[test]
    fn neighbours_of_one_background_are_one_rectangle() {
        let picture = screen("\x1b[44m   \x1b[m");
        assert_eq!(picture.matches("fill='#61afef'").count(), 1, "{picture}");
    }
}

//! Characters that must meet their neighbours without a seam: blocks, shades and box lines, drawn as rectangles instead of from a font.

/// Part of a cell: left, top, width, height, each from 0 to 1, and how opaque it is.
pub type Part = [f32; 5];

/// Thickness of a light line, as a share of the cell's width and height.
const LINE_W: f32 = 1.2 / super::draw::CELL_W;
const LINE_H: f32 = 1.2 / super::draw::CELL_H;

/// The parts of `c`; `None` when it is the font's to draw.
pub fn parts(c: char) -> Option<Vec<Part>> {
    let code = c as u32;
    let eighths = |from: u32| (code - from) as f32 / 8.0;
    let one = |part: Part| Some(vec![part]);
    match code {
        0x2580 => one([0.0, 0.0, 1.0, 0.5, 1.0]),
        0x2581..=0x2588 => one([0.0, 1.0 - eighths(0x2580), 1.0, eighths(0x2580), 1.0]),
        0x2589..=0x258f => one([0.0, 0.0, 1.0 - eighths(0x2588), 1.0, 1.0]),
        0x2590 => one([0.5, 0.0, 0.5, 1.0, 1.0]),
        0x2591..=0x2593 => one([0.0, 0.0, 1.0, 1.0, 0.25 * (code - 0x2590) as f32]),
        0x2594 => one([0.0, 0.0, 1.0, 0.125, 1.0]),
        0x2595 => one([0.875, 0.0, 0.125, 1.0, 1.0]),
        0x2596..=0x259f => Some(quadrants(code)),
        _ => arms(c).map(lines),
    }
}

fn quadrants(code: u32) -> Vec<Part> {
    // Bits: upper left, upper right, lower left, lower right; in the order of U+2596 to U+259F.
    let bits = [4, 8, 1, 13, 9, 7, 11, 2, 6, 14][(code - 0x2596) as usize];
    let corners = [(1, 0.0, 0.0), (2, 0.5, 0.0), (4, 0.0, 0.5), (8, 0.5, 0.5)];
    corners.iter().filter(|(bit, ..)| bits & bit != 0).map(|&(_, x, y)| [x, y, 0.5, 0.5, 1.0]).collect()
}

/// Weight of the lines to the left, right, top and bottom: 0 none, 1 light, 2 heavy.
fn arms(c: char) -> Option<[u8; 4]> {
    Some(match c {
        '─' | '╌' | '┄' | '┈' => [1, 1, 0, 0],
        '━' => [2, 2, 0, 0],
        '│' | '╎' | '┆' | '┊' => [0, 0, 1, 1],
        '┃' => [0, 0, 2, 2],
        '┌' | '╭' => [0, 1, 0, 1],
        '┐' | '╮' => [1, 0, 0, 1],
        '└' | '╰' => [0, 1, 1, 0],
        '┘' | '╯' => [1, 0, 1, 0],
        '├' => [0, 1, 1, 1],
        '┤' => [1, 0, 1, 1],
        '┬' => [1, 1, 0, 1],
        '┴' => [1, 1, 1, 0],
        '┼' => [1, 1, 1, 1],
        _ => return None,
    })
}

fn lines([left, right, up, down]: [u8; 4]) -> Vec<Part> {
    let thick = |weight: u8| (LINE_W * f32::from(weight), LINE_H * f32::from(weight));
    let (half_w, half_h) = (0.5 + LINE_W / 2.0, 0.5 + LINE_H / 2.0);
    let mut parts = Vec::new();
    for (x, weight) in [(0.0, left), (1.0 - half_w, right)] {
        let (_, h) = thick(weight);
        parts.push([x, 0.5 - h / 2.0, half_w, h, 1.0]);
    }
    for (y, weight) in [(0.0, up), (1.0 - half_h, down)] {
        let (w, _) = thick(weight);
        parts.push([0.5 - w / 2.0, y, w, half_h, 1.0]);
    }
    parts.retain(|part| part[2] > 0.0 && part[3] > 0.0);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fill_from_their_side() {
        assert_eq!(parts('█'), Some(vec![[0.0, 0.0, 1.0, 1.0, 1.0]]));
        assert_eq!(parts('▂'), Some(vec![[0.0, 0.75, 1.0, 0.25, 1.0]]));
        assert_eq!(parts('▌'), Some(vec![[0.0, 0.0, 0.5, 1.0, 1.0]]));
        assert_eq!(parts('▙').map(|p| p.len()), Some(3));
    }

    #[test]
    fn corners_have_two_arms_and_letters_none() {
        assert_eq!(parts('┌').map(|p| p.len()), Some(2));
        assert_eq!(parts('┼').map(|p| p.len()), Some(4));
        assert_eq!(parts('a'), None);
    }
}

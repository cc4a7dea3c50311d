//! Graphs of the last minutes in the header: CPU, memory, network, disk.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::format;
use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::layout::Layout;
use crate::app::trends::MachineTick;

/// A graph: its name, what it is drawn in, what it reads, and what a full one is (`None`: the most that it shows).
struct Graph {
    name: &'static str,
    role: Role,
    read: fn(&MachineTick) -> f32,
    full: Option<f64>,
}

const GRAPHS: [Graph; 4] = [
    Graph { name: "cpu", role: Role::User, read: |tick| tick.cpu, full: Some(1.0) },
    Graph { name: "net", role: Role::Steal, read: |tick| tick.net, full: None },
    Graph { name: "mem", role: Role::Buffers, read: |tick| tick.memory, full: Some(1.0) },
    Graph { name: "disk", role: Role::Shared, read: |tick| tick.disk, full: None },
];

/// Draws as many as there is room for.
pub fn draw(buffer: &mut Buffer, layout: &Layout, app: &App, pen: Pen) {
    for (graph, area) in GRAPHS.iter().zip(layout.graph_areas(GRAPHS.len() as u16)) {
        let plot = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(2), height: area.height.saturating_sub(1) };
        let samples = if pen.theme.ascii { 1 } else { DOTS_ACROSS };
        let values: Vec<f64> =
            app.trends().machine().take(usize::from(plot.width) * samples).map(|tick| f64::from((graph.read)(tick))).collect();
        let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        heading(buffer, area, app, graph, (values.first().copied(), most), pen);
        let shares: Vec<f64> = values.iter().map(|value| value / graph.full.unwrap_or(most)).collect();
        match pen.theme.ascii {
            true => bars(buffer, plot, &shares, graph.role, pen),
            false => dots(buffer, plot, &shares, graph.role, pen),
        }
    }
}

/// `cpu  83.0%  most  94.0%`.
fn heading(buffer: &mut Buffer, area: Rect, app: &App, graph: &Graph, (now, most): (Option<f64>, f64), pen: Pen) {
    let figure = |value: f64| match graph.full {
        _ if !value.is_finite() => String::new(),
        Some(_) => format!("{:>5}%", format::percent(value * 100.0, 5)),
        None => format!("{:>5}/s", format::bytes_in(value, 5, app.look().units)),
    };
    let pieces = [
        (Role::Label, format!("{} ", graph.name)),
        (Role::Text, now.map_or(String::new(), figure)),
        (Role::Dim, format!("  most {}", figure(most))),
    ];
    pen.put_all(buffer, (area.x + 1, area.y), area.right(), &pieces);
}

const DOTS_ACROSS: usize = 2;
const DOTS_DOWN: usize = 4;
/// Dots of a braille character from the bottom up, in its left and its right column (Unicode's Braille Patterns block).
const DOTS: [[u32; DOTS_DOWN]; DOTS_ACROSS] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

/// Two values to a cell, the newest on the right, four steps to a row. What is more than nothing shows.
fn dots(buffer: &mut Buffer, area: Rect, shares: &[f64], role: Role, pen: Pen) {
    for (back, pair) in (0..area.width).zip(shares.chunks(DOTS_ACROSS)) {
        let heights: [usize; DOTS_ACROSS] =
            [1, 0].map(|i| pair.get(i).map_or(0, |share| steps(*share, usize::from(area.height) * DOTS_DOWN)));
        for row in 0..area.height {
            let below = usize::from(row) * DOTS_DOWN;
            let dots: u32 = heights.iter().zip(DOTS).flat_map(|(height, dots)| dots.into_iter().take(height.saturating_sub(below))).sum();
            let symbol = char::from_u32(0x2800 + dots).filter(|_| dots > 0);
            if let Some(symbol) = symbol {
                pen.put(buffer, (area.right() - 1 - back, area.bottom() - 1 - row), symbol.encode_utf8(&mut [0; 4]), 1, role);
            }
        }
    }
}

/// A value to a column, the newest on the right.
fn bars(buffer: &mut Buffer, area: Rect, shares: &[f64], role: Role, pen: Pen) {
    for (back, share) in (0..area.width).zip(shares) {
        for row in 0..steps(*share, area.height.into()) {
            pen.put(buffer, (area.right() - 1 - back, area.bottom() - 1 - row as u16), "#", 1, role);
        }
    }
}

/// Steps of so many; what is not known, or nothing, has none.
fn steps(share: f64, of: usize) -> usize {
    if share > 0.0 { ((share * of as f64).ceil() as usize).clamp(1, of) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Theme;

    fn drawn(shares: &[f64], width: u16, height: u16, draw: fn(&mut Buffer, Rect, &[f64], Role, Pen)) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area, shares, Role::Text, Pen::new(Theme::default()));
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn the_newest_stands_on_the_right_and_steps_are_quarters() {
        assert_eq!(drawn(&[1.0, 0.5, 0.25, 0.0], 3, 1, dots), [" ⢀⣼"]);
        assert_eq!(drawn(&[0.001], 1, 2, dots), [" ", "⢀"]);
        assert_eq!(drawn(&[f64::NAN, -1.0, f64::INFINITY], 2, 1, dots), ["⢸ "]);
    }

    #[test]
    fn without_braille_there_are_bars() {
        assert_eq!(drawn(&[1.0, 0.5, 0.01, 0.0], 4, 2, bars), ["   #", " ###"]);
    }
}

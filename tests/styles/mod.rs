//! A screen as text with its colours and weights.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

/// `black/green bold`; empty where nothing is special.
fn style(cell: &Cell) -> String {
    let colour = |colour: Color| if colour == Color::Reset { String::new() } else { format!("{colour:?}").to_lowercase() };
    let ground = if cell.bg == Color::Reset { String::new() } else { format!("/{}", colour(cell.bg)) };
    let weight = if cell.modifier.is_empty() { String::new() } else { format!("{:?}", cell.modifier).to_lowercase().replace(" | ", "+") };
    format!("{}{ground} {weight}", colour(cell.fg)).trim().to_string()
}

/// Every line, and below it its styles as `cells × style`, where it has any.
pub fn with_styles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let cells: Vec<&Cell> = (0..buffer.area.width).map(|x| &buffer[(x, y)]).collect();
        out += cells.iter().map(|cell| cell.symbol()).collect::<String>().trim_end();
        out.push('\n');
        let styles: Vec<String> = cells.iter().map(|cell| style(cell)).collect();
        let runs = styles.chunk_by(|a, b| a == b).map(|run| format!("{}×{}", run.len(), if run[0].is_empty() { "plain" } else { &run[0] }));
        if styles.iter().any(|style| !style.is_empty()) {
            out += &format!("    {}\n", runs.collect::<Vec<_>>().join(", "));
        }
    }
    out
}

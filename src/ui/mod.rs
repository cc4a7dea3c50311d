//! Draws what [`App`] holds. No state, no decisions; colours come from [`theme`], numbers from [`format`].

pub mod backend;
pub mod crash;
pub mod flame;
pub mod input;
pub mod pace;
pub mod stacks;
pub mod terminal;
pub mod theme;

mod cgroups;
mod devices;
mod footer;
mod graphs;
mod header;
mod help;
mod inspect;
mod menu;
mod meters;
mod table;
mod text;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::app::App;
use crate::app::layout::{MIN_HEIGHT, MIN_WIDTH};
use crate::app::view::View;
use crate::format;
use text::{Pen, centre};
use theme::{Role, Theme, ascii};

/// Draws the whole screen; nothing where the terminal changed its size and [`App`] does not know yet.
pub fn draw(frame: &mut Frame, app: &App, theme: Theme) {
    if frame.area().as_size() != app.size().into() {
        return;
    }
    let theme = theme.in_colours(app.look().palette);
    match app.layout() {
        Some(layout) => {
            let pen = Pen::new(theme);
            let buffer = frame.buffer_mut();
            header::draw(buffer, &layout, app, pen);
            if app.help().is_some() {
                help::draw(buffer, layout.canvas(), app, pen);
            } else if let Some(pane) = app.pane() {
                inspect::draw(buffer, layout.canvas(), app, pane, pen);
            } else if app.view() == View::Stacks {
                stacks::draw(frame, layout.canvas(), app.stacks(), theme);
            } else {
                devices::draw(buffer, layout.strip, app, pen);
                table::draw(buffer, &layout, app, pen);
            }
            if let Some(list) = app.menu() {
                menu::draw(frame.buffer_mut(), layout.canvas(), list, pen);
            }
            footer::draw(frame, layout.footer, app, pen);
        }
        None => too_small(frame, theme),
    }
    if !theme.colour {
        without_colour(frame.buffer_mut());
    }
    if theme.ascii {
        to_ascii(frame.buffer_mut());
    }
}

fn too_small(frame: &mut Frame, theme: Theme) {
    let area = frame.area();
    let words = [format!("ebtop needs {MIN_WIDTH}×{MIN_HEIGHT}"), format!("this is {}×{}", area.width, area.height)];
    centre(frame.buffer_mut(), area, &words, Pen::new(theme));
}

fn without_colour(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
    }
}

fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let replaced = ascii(cell.symbol());
            cell.set_symbol(replaced);
        }
    }
}

/// Gives a whole line of `area` a role.
fn paint_line(buffer: &mut Buffer, area: Rect, y: u16, pen: Pen, role: Role) {
    buffer.set_style(Rect { y, height: 1, ..area }, pen.theme.style(role));
}

//! The table of control groups.

use ratatui::buffer::Buffer;

use super::paint_line;
use super::table::{hide, on_screen, put_cell};
use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::cgroups::CgroupTable;
use crate::app::column::{Cell, CgroupColumn, Columns};
use crate::app::forest::Branch;
use crate::app::layout::Layout;
use crate::app::table::Placed;
use crate::format::cut_front;

/// Draws the lines on screen.
pub fn draw(buffer: &mut Buffer, layout: &Layout, app: &App, (table, columns): (&CgroupTable, &[Placed<CgroupColumn>]), pen: Pen) {
    for (index, (y, selected, (_, line))) in (table.visible(0).0..).zip(on_screen(layout, table)) {
        let Some(row) = app.cgroup(line) else { continue };
        let branch = app.cgroup_branch(index);
        let role = if branch.is_context { Role::Dim } else { Role::Text };
        for placed in columns {
            let mut cell = placed.column.cell_in(&row, placed.width, app.look().units);
            if placed.column.takes_the_rest() {
                hide(&mut cell, table.hidden_cells());
                if table.hidden_cells() == 0 && row.whole_path {
                    // Of a path the end tells most.
                    cell.text = cut_front(&cell.text, usize::from(placed.width)).into_owned();
                }
                indent(&mut cell, placed.width, branch);
            }
            put_cell(buffer, y, layout.body.x + 1, placed, &cell, (placed.column == table.sort, role), pen);
        }
        if selected {
            paint_line(buffer, layout.body, y, pen, Role::Selected);
        }
    }
}

/// The lines of the tree, and whether something is hidden below.
fn indent(cell: &mut Cell, width: u16, branch: Branch) {
    let sign = match branch {
        Branch { is_folded: true, .. } => "▸",
        Branch { depth: 0, .. } => return,
        _ => " ",
    };
    cell.text.insert_str(0, &(branch.drawn(usize::from(width / 2)) + sign));
}

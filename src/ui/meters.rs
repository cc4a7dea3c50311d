//! Bars of CPUs, memory and swap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::format;
use super::text::Pen;
use super::theme::Role;
use crate::app::App;
use crate::app::layout::{CpuMeters, Layout};
use crate::model::machine::{CpuUse, MemoryUse};

/// Cells of ` 61.3%`.
const PERCENT: u16 = 6;
const BLOCKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws CPUs on the left, memory on the right.
pub fn draw(buffer: &mut Buffer, layout: &Layout, app: &App, pen: Pen) {
    let cpus = &app.model().machine.cpus;
    match layout.cpu_meters(cpus.len()) {
        CpuMeters::Folded => cpu_bar(buffer, layout.cpu_area(), "cpu", 3, app.model().machine.total, pen),
        CpuMeters::Each { columns } => each_cpu(buffer, layout.cpu_area(), cpus, columns, pen),
        CpuMeters::Together { per_block } => {
            let area = layout.cpu_area();
            let name = format!("{} CPUs", cpus.len());
            cpu_bar(buffer, Rect { height: 1, ..area }, &name, name.len() as u16, app.model().machine.total, pen);
            blocks(buffer, Rect { y: area.y + 1, height: area.height - 1, ..area }, cpus, per_block, pen);
        }
    }
    memory(buffer, layout.memory_area(), app, pen);
}

fn each_cpu(buffer: &mut Buffer, area: Rect, cpus: &[(u32, Option<CpuUse>)], columns: u16, pen: Pen) {
    let width = area.width / columns;
    let digits = cpus.last().map_or(1, |(number, _)| number.to_string().len()) as u16;
    for (i, (number, cpu)) in cpus.iter().enumerate() {
        let (column, row) = (i as u16 / area.height, i as u16 % area.height);
        let place = Rect::new(area.x + column * width, area.y + row, width, 1);
        cpu_bar(buffer, place, &number.to_string(), digits, *cpu, pen);
    }
}

fn cpu_bar(buffer: &mut Buffer, area: Rect, name: &str, name_width: u16, cpu: Option<CpuUse>, pen: Pen) {
    pen.put_right(buffer, (area.x + 1, area.y), name, name_width, Role::Label);
    let bar = Rect { x: area.x + name_width + 2, width: area.width.saturating_sub(name_width + 2 + PERCENT), ..area };
    let parts = cpu.map_or(Vec::new(), |c| {
        vec![
            (Role::Nice, c.nice),
            (Role::User, c.user),
            (Role::Kernel, c.system),
            (Role::Irq, c.irq),
            (Role::Softirq, c.softirq),
            (Role::Steal, c.steal),
            (Role::Iowait, c.iowait),
        ]
    });
    fill(buffer, bar, &parts, pen);
    if let Some(cpu) = cpu {
        let busy = cpu.busy() * 100.0;
        let role = if busy >= 95.0 { Role::Bad } else { Role::Text };
        pen.put_right(buffer, (bar.right(), area.y), &format!("{}%", format::percent(busy, 4)), PERCENT, role);
    }
}

/// A block for each CPU or group of CPUs, as high as its busiest is busy.
fn blocks(buffer: &mut Buffer, area: Rect, cpus: &[(u32, Option<CpuUse>)], per_block: usize, pen: Pen) {
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    for (i, group) in cpus.chunks(per_block).enumerate() {
        let busiest = group.iter().filter_map(|(_, cpu)| *cpu).map(|c| c.busy()).fold(0.0, f64::max);
        let level = ((busiest * BLOCKS.len() as f64) as usize).min(BLOCKS.len() - 1);
        let role = match busiest {
            b if b >= 0.95 => Role::Bad,
            b if b >= 0.05 => Role::User,
            _ => Role::Dim,
        };
        let (x, y) = (area.x + 1 + (i % width) as u16, area.y + (i / width) as u16);
        if y < area.bottom() {
            pen.put(buffer, (x, y), BLOCKS[level], 1, role);
        }
    }
}

fn memory(buffer: &mut Buffer, area: Rect, app: &App, pen: Pen) {
    let m = MemoryUse::of(&app.machine().memory);
    let of = |bytes: u64| bytes as f64 / m.total_bytes.max(1) as f64;
    let parts = [
        (Role::User, of(m.used_bytes)),
        (Role::Buffers, of(m.buffers_bytes)),
        (Role::Shared, of(m.shared_bytes)),
        (Role::Cache, of(m.cache_bytes)),
    ];
    let figures = |used: u64, total: u64| match total {
        0 => String::new(),
        _ => [used, total].map(|bytes| format::bytes_in(bytes as f64, 5, app.look().units)).join("/"),
    };
    amount(buffer, Rect { height: 1, ..area }, ("mem", &figures(m.used_bytes, m.total_bytes)), &parts, pen);
    if area.height < 2 {
        return;
    }
    let swap = m.swap_used_bytes as f64 / m.swap_total_bytes.max(1) as f64;
    let place = Rect { y: area.y + 1, height: 1, ..area };
    if m.total_bytes > 0 && m.swap_total_bytes == 0 {
        pen.put(buffer, (place.x + 1, place.y), "swp", 3, Role::Label);
        pen.put(buffer, (place.x + 5, place.y), "none", 4, Role::Dim);
    } else {
        amount(buffer, place, ("swp", &figures(m.swap_used_bytes, m.swap_total_bytes)), &[(Role::Swap, swap)], pen);
    }
}

/// `mem ▕████▏ 11.2G/16.0G`.
fn amount(buffer: &mut Buffer, area: Rect, (name, figures): (&str, &str), parts: &[(Role, f64)], pen: Pen) {
    const FIGURES: u16 = 12;
    pen.put(buffer, (area.x + 1, area.y), name, 3, Role::Label);
    let bar = Rect { x: area.x + 5, width: area.width.saturating_sub(5 + FIGURES + 1), ..area };
    fill(buffer, bar, parts, pen);
    pen.put_right(buffer, (bar.right(), area.y), figures, FIGURES, Role::Text);
}

/// A bar between brackets; the parts are fractions of its width.
fn fill(buffer: &mut Buffer, area: Rect, parts: &[(Role, f64)], pen: Pen) {
    pen.put(buffer, (area.x, area.y), "▕", 1, Role::Dim);
    pen.put(buffer, (area.right().saturating_sub(1), area.y), "▏", 1, Role::Dim);
    let cells = area.width.saturating_sub(2);
    let (mut from, mut sum) = (0, 0.0);
    for &(role, part) in parts {
        sum += part;
        let to = ((sum * f64::from(cells)).round() as u16).min(cells);
        for cell in from..to {
            pen.put(buffer, (area.x + 1 + cell, area.y), pen.theme.fill(role), 1, role);
        }
        from = to.max(from);
    }
}

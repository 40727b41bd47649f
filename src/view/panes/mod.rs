//! The six panes: one file a question, each turning what is known into entries; here they are drawn.

mod cache;
mod cpu;
mod crowd;
mod entry;
mod memory;
mod postgres;
mod queues;
mod requests;

use std::time::Duration;

use ratatui::layout::Rect;

pub(super) use cpu::machines;
pub(super) use entry::{Course, Entry, Field, Shape};
pub(super) use memory::used_of as memory_used;

use super::format;
use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use super::widgets::{Chart, Slot, fit, marks_at};
use crate::app::Pane;
use crate::model::{Severity, Timestamp};
use crate::store::Ring;

/// Lines too few for a chart beside two entries.
const FEW: usize = 4;
/// Time one column of a chart stands for.
const STEP: Duration = Duration::from_secs(5);
/// Cells that the notes beside a chart take at least, and at most where there is room.
const NOTES: (u16, u16) = (19, 32);

/// A pane's entries, worst first; among equals the busier tenth first, then the config's order.
pub(super) fn entries(pane: Pane, scene: &Scene<'_>) -> Vec<Entry> {
    let mut all = match pane {
        Pane::Requests => requests::entries(scene),
        Pane::Postgres => postgres::entries(scene),
        Pane::Cpu => cpu::entries(scene),
        Pane::Memory => memory::entries(scene),
        Pane::Cache => cache::entries(scene),
        Pane::Queues => queues::entries(scene),
        Pane::Events => Vec::new(),
    };
    all.sort_by_key(|entry| (std::cmp::Reverse(entry.severity), std::cmp::Reverse(entry.weight)));
    all
}

/// The least width of the name and the columns after it.
const fn shapes(pane: Pane) -> (u16, &'static [Shape]) {
    match pane {
        Pane::Requests => requests::SHAPES,
        Pane::Postgres => postgres::SHAPES,
        Pane::Cpu => cpu::SHAPES,
        Pane::Memory => memory::SHAPES,
        Pane::Cache => cache::SHAPES,
        Pane::Queues | Pane::Events => queues::SHAPES,
    }
}

/// Draws a pane's entries into its inside.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, pane: Pane, entries: &[Entry], scene: &Scene<'_>) {
    if entries.is_empty() {
        for (y, line) in (area.y..area.bottom()).zip(empty(pane)) {
            ink.put(area.x, y, area.width, line, Role::Muted);
        }
        return;
    }
    let mut area = area;
    if let Some(crowd) = crowd(pane, scene) {
        crowd.draw(ink, Rect { height: 1, ..area });
        area = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    }
    let (least, shapes) = shapes(pane);
    let longest = entries.iter().map(|entry| cells(&entry.name)).max().unwrap_or(0).clamp(least, 24);
    let mut slots = vec![Slot { width: least, priority: 0, grows: true }];
    slots.extend(shapes.iter().map(|shape| Slot {
        width: shape.width,
        priority: shape.priority,
        grows: false,
    }));
    let mut widths = fit(&slots, area.width);
    // The name takes no more than the longest name needs: values stand near what they belong to.
    if let Some(Some(name)) = widths.first_mut() {
        *name = (*name).min(longest);
    }
    // Where whole names do not fit, the row's own part of them tells more than the target's.
    let whole = widths.first().copied().flatten().is_none_or(|name| longest <= name);
    let bad = entries.iter().filter(|entry| entry.severity > Severity::Ok).count();
    let heights = heights(entries.len(), bad, usize::from(area.height));
    let mut y = area.y;
    for (entry, height) in entries.iter().zip(&heights) {
        line(ink, Rect { y, height: 1, ..area }, entry, shapes, &widths, whole);
        y += 1;
        if *height > 0 {
            let told = entry.fields.iter().zip(&widths[1..]).filter(|(_, width)| width.is_some());
            let told = told.map(|(field, _)| field.text.as_str());
            let trouble = area.width.saturating_sub(widths[0].unwrap_or(0) + 4);
            let told: Vec<&str> = told.chain([entry.trouble_in(trouble)]).collect();
            chart(ink, Rect { y, height: *height, ..area }, entry, &told, scene);
            y += height;
        }
    }
    let left = &entries[heights.len()..];
    if !left.is_empty() && y < area.bottom() {
        let worst = left.iter().map(|entry| entry.severity).max().unwrap_or_default();
        let fine = left.iter().filter(|entry| entry.severity == Severity::Ok).count();
        let (text, role) = match worst {
            Severity::Ok => (format!("+{} more, all fine", left.len()), Role::Muted),
            worst if fine == 0 => {
                (format!("+{} more, worst {} {}", left.len(), worst.glyph(), worst.word()), Role::of(worst))
            }
            worst => {
                let not = left.len() - fine;
                (format!("+{} more: {not} up to {}, {fine} fine", left.len(), worst.glyph()), Role::of(worst))
            }
        };
        ink.put(area.x, y, area.width, &text, role);
    }
}

/// The machines of a pane, where they are many.
fn crowd(pane: Pane, scene: &Scene<'_>) -> Option<crowd::Crowd> {
    match pane {
        Pane::Cpu => crowd::Crowd::of(cpu::shares(scene)),
        Pane::Memory => crowd::Crowd::of(memory::shares(scene)),
        _ => None,
    }
}

/// For each entry shown, the lines its chart gets; a line is kept to count those that are not shown.
fn heights(entries: usize, bad: usize, lines: usize) -> Vec<u16> {
    // The worst shows its course even where that costs another its line, but not one that is bad too.
    let room = lines - usize::from(lines >= 3 && (bad < 2 || lines > FEW));
    let shown = if entries > room { room.saturating_sub(1).max(1) } else { entries };
    let mut spare = lines.saturating_sub(shown + usize::from(entries > shown));
    let mut heights = vec![0u16; shown];
    for tallest in 1..=9 {
        for height in &mut heights {
            if spare > 0 && *height < tallest {
                *height += 1;
                spare -= 1;
            }
        }
    }
    heights
}

fn line(ink: &mut Ink<'_>, area: Rect, entry: &Entry, shapes: &[Shape], widths: &[Option<u16>], whole: bool) {
    let Some(Some(name)) = widths.first() else { return };
    let plain = if entry.stale { Role::Stale } else { Role::Text };
    let row = if whole { None } else { entry.name.split_once('/').map(|(_, row)| row) };
    ink.put_name(area.x, area.y, *name, row.unwrap_or(&entry.name), plain);
    let mut x = area.x + name + 1;
    if entry.trouble.is_some() {
        let role = if entry.severity == Severity::Ok { Role::Muted } else { Role::of(entry.severity) };
        if entry.severity > Severity::Ok {
            x = ink.put(x, area.y, 2, entry.severity.glyph(), role) + 1;
        }
        let room = area.right().saturating_sub(x);
        ink.put(x, area.y, room, entry.trouble_in(room), role);
        return;
    }
    for ((shape, field), width) in shapes.iter().zip(&entry.fields).zip(&widths[1..]) {
        let Some(width) = width else { continue };
        let glyph = if shape.glyph { 2 } else { 0 };
        let role = match field.severity {
            _ if entry.stale => Role::Stale,
            Severity::Ok => Role::Text,
            severity => Role::of(severity),
        };
        ink.put_right(x, area.y, width - glyph, &field.text, role);
        if shape.glyph && field.severity > Severity::Ok {
            ink.put(x + width - glyph, area.y, 2, field.severity.glyph(), Role::of(field.severity));
        }
        x += width + 1;
    }
}

fn chart(ink: &mut Ink<'_>, area: Rect, entry: &Entry, told: &[&str], scene: &Scene<'_>) {
    // Without a chart the notes stand under what they explain.
    let wide = (area.width / 4).clamp(NOTES.0, NOTES.1);
    let notes = match entry.courses.as_slice() {
        [] => area.x + cells(&entry.name).min(12) + 3,
        _ => area.right().saturating_sub(wide),
    };
    let width = area.right().saturating_sub(notes);
    // What the line above says is not said again.
    let said = |part: &str| {
        told.iter().any(|told| {
            *told == part || told.contains(&format!("({part})")) || told.ends_with(&format!("; {part}"))
        })
    };
    let new = |note: &&Field| !note.text.split("  ").all(said);
    for (y, note) in (area.y..area.bottom()).zip(entry.notes.iter().filter(new)) {
        let role = match note.severity {
            _ if entry.stale => Role::Stale,
            Severity::Ok => Role::Muted,
            severity => Role::of(severity),
        };
        if note.severity == Severity::Ok {
            ink.put(notes, y, width, &note.text, role);
        } else {
            // How bad it is stays where the words are cut.
            let x = ink.put(notes, y, width.saturating_sub(3), &note.text, role);
            ink.put(x + 1, y, 2, note.severity.glyph(), role);
        }
    }
    let mut room = Rect { x: area.x + 1, width: area.width.saturating_sub(wide + 2), ..area };
    let two = entry.courses.len() > 1 && room.width >= 44;
    let count = if two { entry.courses.len() } else { 1 };
    let each = room.width / u16::try_from(count).unwrap_or(1);
    for course in entry.courses.iter().skip(if two { 0 } else { entry.lead }).take(count) {
        let mut place = Rect { width: each, ..room };
        if two {
            ink.put(place.x, place.bottom() - 1, 6, course.label, Role::Muted);
            place = Rect { x: place.x + 7, width: each - 8, ..place };
        }
        draw_course(ink, place, course, scene);
        room.x += each;
    }
}

fn draw_course(ink: &mut Ink<'_>, area: Rect, course: &Course, scene: &Scene<'_>) {
    let Some(ring) = scene.world.store.course(&course.id, course.metric) else { return };
    let columns = usize::from(area.width);
    let end = newest(ring, scene.now);
    let values = ring.columns(end, STEP, columns);
    let marks = marks_at(scene.world.store.marks().map(|mark| mark.at), end, STEP, columns);
    Chart { values: &values, marks: &marks, scale: course.scale }.draw(ink, area);
}

/// The end of a chart: the last point, so that the newest column is no gap until the next poll.
fn newest(ring: &Ring, now: Timestamp) -> Timestamp {
    match ring.last() {
        Some((last, _)) if last <= now && now.since(last) < STEP => last,
        _ => now,
    }
}

/// Why a pane is empty, and what fills it.
const fn empty(pane: Pane) -> [&'static str; 2] {
    match pane {
        Pane::Requests => ["no proxy is polled:", "add a target: haproxy, nginx, varnish"],
        Pane::Postgres => ["no database is polled:", "add a target of kind postgres"],
        Pane::Cpu | Pane::Memory => ["no machine is polled:", "add a target of kind host"],
        Pane::Cache => ["no cache is polled:", "add a target of kind redis"],
        Pane::Queues => ["no worker queue is polled:", "add a target: rq, celery, sidekiq"],
        Pane::Events => ["", ""],
    }
}

/// A value with its word before it, where there is one: `psi 3 %`.
fn with(word: &str, value: Option<f64>, form: fn(f64) -> String) -> Option<String> {
    value.map(|value| format!("{word} {}", form(value)))
}

/// A count with its word behind it: `96 wait`.
fn counted(value: Option<f64>, word: &str) -> String {
    format!("{} {word}", format::maybe(value, format::count))
}

#[cfg(test)]
mod tests {
    use super::heights;

    #[test]
    fn the_worst_shows_its_course_and_the_rest_is_counted() {
        assert_eq!(heights(1, 0, 3), [2]);
        assert_eq!(heights(2, 0, 3), [1, 0]);
        assert_eq!(heights(9, 1, 3), [1]);
        assert_eq!(heights(9, 2, 3), [0, 0]);
        assert_eq!(heights(2, 2, 3), [1, 0]);
        assert_eq!(heights(1, 1, 7), [6]);
        assert_eq!(heights(4, 0, 12), [2, 2, 2, 2]);
        assert_eq!(heights(20, 5, 12).len(), 10);
    }
}

//! All that is known of one row, label by label.

use ratatui::layout::Rect;

use super::ink::{Ink, wrap};
use super::scene::Scene;
use super::theme::Role;
use super::widgets::text_of;
use super::{header, hints, verdict};
use crate::app::{Cell, RowKey, Tab, detail};

/// Cells of a label.
const LABEL: u16 = 22;
/// Lines one value takes at most.
const MOST: usize = 200;

/// Draws the page.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, tab: Tab, key: &RowKey, scene: &Scene<'_>) {
    let row = |y: u16, height: u16| Rect { x: area.x, y, width: area.width, height };
    header::draw(ink, row(area.y, 1), scene);
    verdict::draw(ink, row(area.y + 1, 3), scene);
    ink.repeat(area.x, area.y + 4, area.width, "━", Role::BorderFocus);
    let title = format!(" {}: {} ", tab.title(), name(tab, key));
    ink.put(area.x + 1, area.y + 4, area.width - 2, &title, Role::BorderFocus);

    let room = usize::from(area.width.saturating_sub(LABEL + 4));
    let mut lines: Vec<(String, String, Role)> = Vec::new();
    for (label, cell) in detail(scene.app, tab, key) {
        let role = match &cell {
            Cell::Severity(severity) => Role::of(*severity),
            Cell::None => Role::Muted,
            _ => Role::Text,
        };
        let mut label = label;
        for line in wrap(&text_of(&cell, scene.now, scene.zone()), room, MOST) {
            lines.push((std::mem::take(&mut label), line, role));
        }
    }
    let (top, end) = (area.y + 5, area.bottom() - 1);
    let page = usize::from(end - top);
    let from = scene.app.viewpoint.scroll.min(lines.len().saturating_sub(page));
    for (y, (label, text, role)) in (top..end).zip(lines.iter().skip(from)) {
        ink.put(area.x + 2, y, LABEL - 1, label, Role::Muted);
        ink.put(area.x + 2 + LABEL, y, area.width.saturating_sub(LABEL + 3), text, *role);
    }
    let left = lines.len().saturating_sub(from + page);
    if left > 0 {
        ink.put_right(area.x, area.y + 4, area.width - 2, &format!(" ↓ {left} more "), Role::Past);
    }
    hints::draw(ink, row(end, 1), scene);
}

/// What a row is called.
fn name(tab: Tab, key: &RowKey) -> String {
    match key {
        // Its number says nothing to a reader, and its text stands below.
        RowKey::Named(id, _) if tab == Tab::Statements => format!("on {id}"),
        RowKey::Target(id) => id.to_string(),
        RowKey::Backend(id, key) => format!("pid {} on {id}", key.pid),
        RowKey::Named(id, name) => format!("{name} on {id}"),
        RowKey::Event(number) => format!("event {number}"),
    }
}

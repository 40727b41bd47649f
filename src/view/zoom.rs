//! One pane over the whole screen: the verdict stays above, its tables below.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use super::{events, header, hints, panes, verdict};
use crate::app::{Pane, Tab};

/// Draws a pane with one of its tables.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, pane: Pane, tab: Tab, scene: &Scene<'_>) {
    let row = |y: u16, height: u16| Rect { x: area.x, y, width: area.width, height };
    header::draw(ink, row(area.y, 1), scene);
    verdict::draw(ink, row(area.y + 1, 3), scene);
    tabs(ink, row(area.y + 4, 1), pane, tab, scene);
    let inside = Rect { x: area.x + 1, y: area.y + 5, width: area.width - 1, height: area.height - 6 };
    match pane {
        Pane::Events => events::draw(ink, inside, scene),
        pane => panes::draw(ink, inside, pane, &panes::entries(pane, scene), scene),
    }
    hints::draw(ink, row(area.bottom() - 1, 1), scene);
}

/// The line over the table: the pane, and its tables with the shown one marked.
fn tabs(ink: &mut Ink<'_>, area: Rect, pane: Pane, shown: Tab, scene: &Scene<'_>) {
    ink.repeat(area.x, area.y, area.width, "━", Role::BorderFocus);
    let mut x = ink.put(area.x + 1, area.y, 24, &format!(" {} ", pane.title()), Role::BorderFocus) + 1;
    for tab in pane.tabs() {
        let (text, role) = if *tab == shown {
            (format!("[{}]", tab.title()), Role::Selected)
        } else {
            (format!(" {} ", tab.title()), Role::Muted)
        };
        if x + cells(&text) + 2 >= area.right() {
            break;
        }
        x = ink.put(x, area.y, cells(&text), &text, role) + 1;
    }
    let filter = &scene.app.viewpoint.filter;
    if !filter.is_empty() {
        let text = format!(" /{filter} ");
        let width = cells(&text).min(30);
        if x + width + 2 < area.right() {
            ink.put(area.right() - width - 2, area.y, width, &text, Role::Warning);
        }
    }
}

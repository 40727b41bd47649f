//! Everything at once: header, verdict, the six panes in their frames, events, hints.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use super::{events, header, hints, layout, panes, verdict};
use crate::app::Pane;
use crate::model::Severity;

/// Draws the overview.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let at = layout::overview(area);
    header::draw(ink, at.header, scene);
    verdict::draw(ink, at.verdict, scene);
    let divider = at.panes[0].right();
    for (place, pane) in at.panes.iter().zip(Pane::ALL) {
        let entries = panes::entries(pane, scene);
        let judged = scene.world.judgement.worst(pane.resources());
        let worst = entries.iter().map(|entry| entry.severity).max().unwrap_or_default().max(judged);
        frame_top(ink, Rect { height: 1, ..*place }, pane, Some(worst), scene);
        let inside =
            Rect { x: place.x + 1, y: place.y + 1, width: place.width - 1, height: place.height - 1 };
        panes::draw(ink, inside, pane, &entries, scene);
    }
    for y in at.panes[0].y..at.events.y {
        let junction = at.panes.iter().any(|pane| pane.y == y);
        let symbol = match (junction, y == at.panes[0].y) {
            (true, true) => "┬",
            (true, false) => "┼",
            (false, _) => "│",
        };
        ink.put(divider, y, 1, symbol, Role::Border);
    }
    frame_top(ink, Rect { height: 1, ..at.events }, Pane::Events, None, scene);
    ink.put(divider, at.events.y, 1, "┴", Role::Border);
    let inside = Rect { y: at.events.y + 1, height: at.events.height - 1, ..at.events };
    events::draw(ink, inside, scene);
    hints::draw(ink, at.hints, scene);
}

/// The line over a pane: its number and title, and its severity at the right end.
fn frame_top(ink: &mut Ink<'_>, area: Rect, pane: Pane, worst: Option<Severity>, scene: &Scene<'_>) {
    let focused = scene.app.viewpoint.focus == pane;
    let line = if focused { Role::BorderFocus } else { Role::Border };
    ink.repeat(area.x, area.y, area.width, if focused { "━" } else { "─" }, line);
    let number = Pane::ALL.iter().position(|one| *one == pane).unwrap_or(0) + 1;
    let title = format!("{number} {} ", pane.title());
    let lead = if focused { "▸" } else { "─" };
    ink.put(area.x, area.y, 1, lead, line);
    ink.put(
        area.x + 1,
        area.y,
        area.width - 2,
        &title,
        if focused { Role::BorderFocus } else { Role::Title },
    );
    if let Some(worst) = worst {
        let word = match worst {
            Severity::Ok => " . ".to_owned(),
            other => format!(" {} {} ", other.glyph(), other.word()),
        };
        let width = cells(&word);
        ink.put(area.right() - width - 1, area.y, width, &word, Role::of(worst));
    }
}

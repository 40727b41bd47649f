//! What stands over the screen: dialogs, lists, the line of input, the help page.

mod acting;
mod confirm;
mod explain;
mod help;
mod menu;
mod prompt;

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::layout::middle;
use super::scene::Scene;
use super::theme::Role;
use crate::app::Overlay;

/// Draws the overlay, if there is one.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let Some(overlay) = &scene.app.overlay else { return };
    match overlay {
        Overlay::Help => help::draw(ink, area, scene),
        Overlay::Prompt(it) => prompt::draw(ink, area, it, scene),
        Overlay::Menu(it) => menu::draw(ink, area, it, scene),
        Overlay::Confirm(it) => confirm::draw(ink, area, it, scene),
        Overlay::Acting(it) => acting::draw(ink, area, it, scene),
        Overlay::Explain(it) => explain::draw(ink, area, it),
    }
}

/// Empties a box in the middle and frames it; returns its inside.
fn frame(ink: &mut Ink<'_>, area: Rect, width: u16, height: u16, title: &str) -> Rect {
    let place = middle(area, width, height);
    frame_at(ink, place, title)
}

/// Empties this box and frames it; returns its inside.
fn frame_at(ink: &mut Ink<'_>, place: Rect, title: &str) -> Rect {
    ink.fill(place, Role::Dialog);
    let ink = &mut ink.on(Role::Dialog);
    let (right, bottom) = (place.right() - 1, place.bottom() - 1);
    for (y, ends) in [(place.y, ["┌", "┐"]), (bottom, ["└", "┘"])] {
        ink.repeat(place.x, y, place.width, "─", Role::BorderFocus);
        ink.put(place.x, y, 1, ends[0], Role::BorderFocus);
        ink.put(right, y, 1, ends[1], Role::BorderFocus);
    }
    for y in place.y + 1..bottom {
        ink.put(place.x, y, 1, "│", Role::BorderFocus);
        ink.put(right, y, 1, "│", Role::BorderFocus);
    }
    let room = place.width.saturating_sub(4);
    ink.put(place.x + 2, place.y, room, &format!(" {title} "), Role::Title);
    Rect {
        x: place.x + 2,
        y: place.y + 1,
        width: place.width.saturating_sub(4),
        height: place.height.saturating_sub(2),
    }
}

/// Puts a row of keys with what they do, centred; returns nothing of it.
fn keys(ink: &mut Ink<'_>, area: Rect, keys: &[(&str, &str, Role)]) {
    let wide = |(key, says, _): &(&str, &str, Role)| cells(key) + 2 + cells(says);
    let total = keys.iter().map(wide).sum::<u16>() + 4 * u16::try_from(keys.len()).unwrap_or(1);
    let mut x = area.x + area.width.saturating_sub(total) / 2;
    for (key, says, role) in keys {
        let room = area.right().saturating_sub(x);
        if says.is_empty() {
            x = ink.put(x, area.y, room, key, *role) + 4;
            continue;
        }
        x = ink.put(x, area.y, room, key, *role) + 2;
        let text = if *role == Role::Greyed { Role::Greyed } else { Role::Text };
        x = ink.put(x, area.y, area.right().saturating_sub(x), says, text) + 4;
    }
}

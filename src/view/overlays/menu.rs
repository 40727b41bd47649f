//! A list to choose from; what cannot be chosen stays, greyed, with why.

use ratatui::layout::Rect;

use super::frame;
use crate::app::{Menu, Pick};
use crate::view::hints::key_of;
use crate::view::ink::{Ink, cells};
use crate::view::scene::Scene;
use crate::view::theme::Role;

/// Draws it.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, it: &Menu, scene: &Scene<'_>) {
    let key = |item: &crate::app::MenuItem| match &item.pick {
        Pick::Command(command) => key_of(scene.app, *command),
        Pick::Intent(_) | Pick::Sort(_) => String::new(),
    };
    let keys = it.items.iter().map(|item| cells(&key(item))).max().unwrap_or(0);
    let text = |item: &crate::app::MenuItem| match &item.why_not {
        Some(why) => format!("{}  ({why})", item.says),
        None => item.says.clone(),
    };
    let widest = it.items.iter().map(|item| cells(&text(item))).max().unwrap_or(0);
    let width = widest.max(cells(&it.title) + 4).max(34) + 8 + if keys > 0 { keys + 2 } else { 0 };
    let count = u16::try_from(it.items.len()).unwrap_or(u16::MAX);
    let height = count.saturating_add(4).min(area.height.saturating_sub(2));
    let inside = frame(ink, area, width.min(area.width.saturating_sub(4)), height, &it.title);
    let ink = &mut ink.on(Role::Dialog);
    let page = usize::from(inside.height.saturating_sub(2));
    let from = (it.selected + 1).saturating_sub(page);
    for (y, (at, item)) in (inside.y..).zip(it.items.iter().enumerate().skip(from).take(page)) {
        let role = if item.why_not.is_some() { Role::Greyed } else { Role::Text };
        ink.put(inside.x + 2, y, inside.width - 4 - keys, &text(item), role);
        let role = if item.why_not.is_some() { Role::Greyed } else { Role::Key };
        ink.put_right(inside.x, y, inside.width - 1, &key(item), role);
        if at == it.selected {
            ink.put(inside.x, y, 1, "▶", Role::Key);
            ink.restyle(Rect { x: inside.x, y, width: inside.width, height: 1 }, Role::Selected);
        }
    }
    let y = inside.bottom() - 1;
    ink.put(inside.x, y, inside.width, "Enter choose   Esc leave", Role::Muted);
}

//! The line of input at the bottom, with suggestions above it.

use ratatui::layout::Rect;

use crate::app::{Input, Prompt, suggest};
use crate::view::ink::{Ink, cells};
use crate::view::scene::Scene;
use crate::view::theme::Role;

/// Draws it over the bottom line.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, it: &Prompt, scene: &Scene<'_>) {
    let y = area.bottom() - 1;
    let (lead, help) = match it.input {
        Input::Filter => ("/", "rows that hold this; !text leaves them out   Enter keep   Esc all rows"),
        Input::Palette => (":", "Tab complete   Enter do it   Esc leave"),
        Input::Deploy => ("deploy ", "LABEL, then a note if you like   Enter go on   Esc leave"),
        Input::Time => ("@", "14:05, 14:05:30 or -4m   Enter go there   Esc leave"),
    };
    ink.fill(Rect { x: area.x, y, width: area.width, height: 1 }, Role::Text);
    let x = ink.put(area.x + 1, y, 10, lead, Role::Key);
    // The end of a long input stays in sight.
    let room = area.width.saturating_sub(x - area.x + 2);
    let skip = usize::from(cells(&it.text).saturating_sub(room));
    let shown: String = it.text.chars().skip(skip).collect();
    let x = ink.put(x, y, room, &shown, Role::Input);
    let x = ink.put(x, y, 1, "_", Role::Input);
    let (text, role) = match &it.error {
        Some(error) => (error.as_str(), Role::Warning),
        None if it.input == Input::Palette && suggest(scene.app, &it.text).is_empty() => {
            ("no command fits   Esc leave", Role::Muted)
        }
        None => (help, Role::Muted),
    };
    let room = area.right().saturating_sub(x + 3);
    if cells(text) <= room || it.error.is_some() {
        ink.put_right(x + 2, y, room, text, role);
    }
    if it.input == Input::Palette {
        suggestions(ink, Rect { height: area.height - 1, ..area }, it, scene);
    }
}

/// What could be meant by what is typed.
fn suggestions(ink: &mut Ink<'_>, area: Rect, it: &Prompt, scene: &Scene<'_>) {
    let all = suggest(scene.app, &it.text);
    let height = u16::try_from(all.len()).unwrap_or(0) + 2;
    if all.is_empty() || area.height < height {
        return;
    }
    let place = Rect { x: area.x, y: area.bottom() - height, width: area.width.min(90), height };
    let inside = super::frame_at(ink, place, "commands");
    let ink = &mut ink.on(Role::Dialog);
    let longest = all.iter().map(|one| cells(&one.text) + 1 + cells(one.argument)).max().unwrap_or(0);
    for (y, (at, one)) in (inside.y..).zip(all.iter().enumerate()) {
        let name = format!("{} {}", one.text, one.argument);
        ink.put(inside.x, y, inside.width / 2, &name, Role::Key);
        // What is said begins in one column, behind the longest name, and has the room no key takes.
        let from = inside.x + longest.clamp(16, inside.width / 2) + 1;
        let key = cells(&one.key);
        let room = inside.right().saturating_sub(from + key + 1);
        ink.put(from, y, room, &one.says, Role::Text);
        ink.put_right(inside.right() - key, y, key, &one.key, Role::Muted);
        if it.chosen == Some(at) {
            ink.restyle(Rect { x: inside.x, y, width: inside.width, height: 1 }, Role::Selected);
        }
    }
}

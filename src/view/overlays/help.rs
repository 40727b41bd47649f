//! The help page: every command with its keys, printed from the table of commands.

use ratatui::layout::Rect;

use super::frame;
use crate::app::{COMMANDS, Keymap};
use crate::model::Severity;
use crate::view::ink::Ink;
use crate::view::scene::Scene;
use crate::view::theme::Role;

/// Cells of one column: keys, sentence.
const COLUMN: u16 = 72;
const KEYS: u16 = 12;

/// Draws it.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let columns = if area.width >= 2 * COLUMN + 8 { 2 } else { 1 };
    let width = (COLUMN * columns + 4).min(area.width.saturating_sub(2));
    let count = u16::try_from(COMMANDS.len()).unwrap_or(0).div_ceil(columns);
    let height = (count + 5).min(area.height.saturating_sub(2));
    let inside = frame(ink, area, width, height, "Keys and commands");
    let ink = &mut ink.on(Role::Dialog);
    let keymap = Keymap::of(&scene.app.settings);
    let page = usize::from(inside.height.saturating_sub(3));
    let rows = COMMANDS.len().div_ceil(usize::from(columns));
    let from = scene.app.viewpoint.scroll.min(rows.saturating_sub(page));
    for column in 0..usize::from(columns) {
        let all = COMMANDS.iter().skip(column * rows).take(rows).skip(from).take(page);
        let x = inside.x + u16::try_from(column).unwrap_or(0) * COLUMN;
        let right = (x + COLUMN - 2).min(inside.right());
        for (y, info) in (inside.y..).zip(all) {
            let keys: Vec<_> = keymap.keys(info.command).iter().map(ToString::to_string).collect();
            let keys = keys.join(" ");
            let keys = if keys.is_empty() { format!(":{}", info.name) } else { keys };
            ink.put(x, y, KEYS, &keys, Role::Key);
            ink.put(x + KEYS + 1, y, right.saturating_sub(x + KEYS + 1), info.says, Role::Text);
        }
    }
    let left = rows.saturating_sub(from + page);
    let mut x = inside.x;
    for severity in [Severity::Ok, Severity::Unknown, Severity::Warning, Severity::Critical] {
        x = ink.put(x, inside.bottom() - 2, 3, severity.glyph(), Role::of(severity)) + 1;
        x = ink.put(x, inside.bottom() - 2, 12, severity.word(), Role::Muted) + 3;
    }
    ink.put(
        x,
        inside.bottom() - 2,
        inside.right().saturating_sub(x),
        "·  not measured   ◆  deploy",
        Role::Muted,
    );
    let text = "No key acts without a dialog; every command can be typed after :";
    let y = inside.bottom() - 1;
    ink.put(inside.x, y, inside.width, text, Role::Muted);
    if left > 0 {
        ink.put_right(inside.x, y, inside.width, &format!(" ↓ {left}"), Role::Key);
    }
}

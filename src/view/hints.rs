//! The bottom line: what can be pressed here, the most useful first; or a line to be read in passing.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use crate::app::{App, Command, about, hints};

/// Draws the bottom line.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    if let Some(notice) = scene.app.notice.as_ref().filter(|notice| notice.until > scene.app.now) {
        let glyph = format!(" {:<2}", notice.severity.glyph());
        let x = ink.put(area.x, area.y, 3, &glyph, Role::of(notice.severity)) + 1;
        ink.put(x, area.y, area.right().saturating_sub(x + 1), &notice.says, Role::Notice);
        return;
    }
    let mut x = area.x + 1;
    for hint in hints(scene.app) {
        let needed = cells(&hint.key) + 1 + cells(hint.says);
        if x + needed > area.right() {
            continue;
        }
        let (key, says) =
            if hint.why_not.is_some() { (Role::Greyed, Role::Greyed) } else { (Role::Key, Role::Muted) };
        x = ink.put(x, area.y, needed, &hint.key, key) + 1;
        x = ink.put(x, area.y, needed, hint.says, says) + 2;
    }
}

/// The key a command has: rebound, or its own first one.
pub(super) fn key_of(app: &App, command: Command) -> String {
    let info = about(command);
    let rebound =
        app.settings.keys.iter().find(|(name, _)| name == info.name).map(|(_, chord)| chord.as_str());
    rebound.or_else(|| info.keys.first().copied()).unwrap_or_default().to_owned()
}

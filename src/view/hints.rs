//! The bottom line: what can be pressed here, the most useful first; or a line to be read in passing.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use crate::app::{App, COMMANDS, Command};

/// Draws the bottom line.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    if let Some(notice) = scene.app.notice.as_ref().filter(|notice| notice.until > scene.app.now) {
        let glyph = format!(" {:<2}", notice.severity.glyph());
        let x = ink.put(area.x, area.y, 3, &glyph, Role::of(notice.severity)) + 1;
        ink.put(x, area.y, area.right().saturating_sub(x + 1), &notice.says, Role::Notice);
        return;
    }
    let greyed = scene.app.why_no_action().is_some();
    let mut x = area.x + 1;
    for info in COMMANDS.iter().filter(|info| !info.hint.is_empty()) {
        let key = key_of(scene.app, info.command);
        let needed = cells(&key) + 1 + cells(info.hint);
        if key.is_empty() || x + needed >= area.right() {
            continue;
        }
        let acts =
            matches!(info.command, Command::Fix | Command::Terminate | Command::Cancel | Command::Clear);
        let (key_role, role) =
            if greyed && acts { (Role::Greyed, Role::Greyed) } else { (Role::Key, Role::Muted) };
        x = ink.put(x, area.y, needed, &key, key_role) + 1;
        x = ink.put(x, area.y, needed, info.hint, role) + 2;
    }
}

/// The key a command has: rebound, or its own first one.
pub(super) fn key_of(app: &App, command: Command) -> String {
    let Some(info) = COMMANDS.iter().find(|info| info.command == command) else { return String::new() };
    let rebound =
        app.settings.keys.iter().find(|(name, _)| name == info.name).map(|(_, chord)| chord.as_str());
    rebound.or_else(|| info.keys.first().copied()).unwrap_or_default().to_owned()
}

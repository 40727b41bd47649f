//! The bottom line: what can be pressed here, the most useful first; or a line to be read in passing.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use crate::app::{App, COMMANDS, Command, Pane, Place};

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
    for command in useful(scene.app.viewpoint.place()) {
        let Some(info) = COMMANDS.iter().find(|info| info.command == *command) else { continue };
        let key = key_of(scene.app, info.command);
        let hint = if info.hint.is_empty() { info.name } else { info.hint };
        let needed = cells(&key) + 1 + cells(hint);
        if key.is_empty() || x + needed > area.right() {
            continue;
        }
        let acts =
            matches!(info.command, Command::Fix | Command::Terminate | Command::Cancel | Command::Clear);
        let (key_role, role) =
            if greyed && acts { (Role::Greyed, Role::Greyed) } else { (Role::Key, Role::Muted) };
        x = ink.put(x, area.y, needed, &key, key_role) + 1;
        x = ink.put(x, area.y, needed, hint, role) + 2;
    }
}

/// What helps most here, first things first.
const fn useful(place: &Place) -> &'static [Command] {
    use Command as C;
    match place {
        Place::Overview => &[
            C::Fix,
            C::Terminate,
            C::Clear,
            C::MarkDeploy,
            C::Filter,
            C::Palette,
            C::Help,
            C::Drill,
            C::Pause,
            C::Quit,
        ],
        Place::Zoom(Pane::Postgres, _) => &[
            C::Terminate,
            C::Cancel,
            C::Drill,
            C::Mark,
            C::Sort,
            C::Filter,
            C::Back,
            C::Help,
            C::Copy,
            C::Actions,
            C::Fix,
        ],
        Place::Zoom(Pane::Cache, _) => {
            &[C::Clear, C::Drill, C::Sort, C::Filter, C::Back, C::Help, C::Copy, C::Actions, C::Fix]
        }
        Place::Zoom(..) => {
            &[C::Drill, C::Sort, C::Filter, C::Actions, C::Back, C::Help, C::Copy, C::MarkDeploy, C::Fix]
        }
        Place::Detail(..) => &[C::Actions, C::Copy, C::Back, C::Help, C::Terminate, C::Cancel],
    }
}

/// The key a command has: rebound, or its own first one.
pub(super) fn key_of(app: &App, command: Command) -> String {
    let Some(info) = COMMANDS.iter().find(|info| info.command == command) else { return String::new() };
    let rebound =
        app.settings.keys.iter().find(|(name, _)| name == info.name).map(|(_, chord)| chord.as_str());
    rebound.or_else(|| info.keys.first().copied()).unwrap_or_default().to_owned()
}

//! What happened: deploys, findings that came and went, acts and their outcomes. Newest first.

use ratatui::layout::Rect;

use super::ink::Ink;
use super::scene::Scene;
use super::theme::Role;
use crate::app::EventKind;
use crate::model::Severity;

/// Draws as many events as there are lines.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let mut events = scene.app.events.iter().rev().filter(|event| event.at <= scene.now).peekable();
    if events.peek().is_none() {
        let key = super::hints::key_of(scene.app, crate::app::Command::MarkDeploy);
        let text =
            format!("nothing has happened yet; {key} marks a deploy, and so does `warroom mark LABEL`");
        ink.put(area.x + 1, area.y, area.width - 2, &text, Role::Muted);
        return;
    }
    for (y, event) in (area.y..area.bottom()).zip(events) {
        let x = ink.put(area.x + 1, y, 15, &scene.clock(event.at), Role::Muted) + 2;
        let (glyph, role) = mark(event.kind);
        ink.put(x, y, 3, glyph, role);
        // What is over or known by now must not outshine the verdict: only its sign has a colour.
        let x = x + 4;
        ink.put(x, y, area.right().saturating_sub(x + 1), event.says.as_str(), Role::Text);
    }
}

/// Glyph and role of an event.
pub(super) const fn mark(kind: EventKind) -> (&'static str, Role) {
    match kind {
        EventKind::Finding(Severity::Ok) | EventKind::Target(Severity::Ok) => ("ok", Role::Ok),
        EventKind::Finding(severity) | EventKind::Target(severity) => (severity.glyph(), Role::of(severity)),
        EventKind::Deploy => ("◆", Role::Deploy),
        EventKind::Act => ("»", Role::Key),
        EventKind::Noticed => ("~", Role::Key),
    }
}

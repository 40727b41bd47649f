//! An act under way, and what came of it.

use ratatui::layout::Rect;

use super::{frame, keys};
use crate::app::Acting;
use crate::model::{Intent, Outcome, OutcomeKind, StepResult};
use crate::view::format;
use crate::view::ink::{Ink, wrap};
use crate::view::scene::Scene;
use crate::view::theme::Role;

/// Rows kept for a warning, so that nothing jumps when it comes.
const RUSH: u16 = 2;

/// Draws it.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, it: &Acting, scene: &Scene<'_>) {
    let width = 84.min(area.width.saturating_sub(4));
    let steps = it.outcome.as_ref().map_or_else(Vec::new, steps);
    let advice =
        it.outcome.as_ref().and_then(|it| it.next.as_ref()).is_some_and(|next| next.intent.is_none());
    let beside = it.behind.as_ref().map_or(0, |behind| behind.lines().len() + usize::from(RUSH));
    let again = again(it, scene);
    let more = if advice { 3 } else { 0 } + if again.is_some() { 3 } else { 0 };
    let height = 8 + u16::try_from(steps.len() + beside).unwrap_or(0) + more;
    let height = height.min(area.height);
    let inside = frame(ink, area, width, height, it.plan.title.as_str());
    let ink = &mut ink.on(Role::Dialog);
    let row = Rect { y: inside.bottom() - 1, height: 1, ..inside };
    let Some(outcome) = &it.outcome else {
        let y = under_way(ink, inside, it, scene);
        behind(ink, Rect { y, height: row.y.saturating_sub(y), ..inside }, it);
        let mut all = vec![("s", "stop at the next safe point", Role::Key)];
        if it.progress.is_some() {
            all.push(("space", if it.paused { "go on" } else { "hold" }, Role::Key));
            if matches!(it.plan.intent, Intent::ClearNamespace { .. }) {
                all.push(("f", if it.hurried { "gentle pace" } else { "full pace" }, Role::Key));
            }
        }
        if it.stopping {
            all = vec![("", "stopping …", Role::Muted)];
        }
        return keys(ink, row, &all);
    };
    let (word, role) = match outcome.kind {
        OutcomeKind::Done => ("ok  done", Role::Ok),
        OutcomeKind::NothingToDo => (".  nothing to do", Role::Text),
        OutcomeKind::Refused => ("!  refused", Role::Warning),
        OutcomeKind::Failed if outcome.stopped => ("!  stopped", Role::Warning),
        OutcomeKind::Failed => ("!!  failed", Role::Critical),
    };
    ink.put(inside.x, inside.y, inside.width, word, role);
    let mut y = inside.y + 1;
    for line in wrap(outcome.says.as_str(), usize::from(inside.width), 3) {
        ink.put(inside.x, y, inside.width, &line, Role::Text);
        y += 1;
    }
    for step in steps {
        let (glyph, text, role) = match step {
            StepResult::Done(text) => ("ok", text, Role::Ok),
            StepResult::AlreadyGone(text) => (". ", text, Role::Muted),
            StepResult::Failed(text) => ("!!", text, Role::Critical),
            StepResult::Skipped(text) => ("- ", text, Role::Muted),
        };
        if y < row.y {
            let x = ink.put(inside.x + 1, y, 3, glyph, role) + 1;
            ink.put(x, y, inside.right() - x, text.as_str(), Role::Text);
            y += 1;
        }
    }
    let room = Rect { y, height: row.y.saturating_sub(y), ..inside };
    if behind(ink, room, it) {
        y += room.height;
    }
    if let Some(again) = &again {
        for (at, line) in (y..row.y).zip(wrap(again, usize::from(inside.width), 3)) {
            ink.put(inside.x, at, inside.width, &line, Role::Warning);
            y = at + 1;
        }
    }
    let mut all = vec![("[ Close ]", "", Role::Button)];
    if let Some(next) = &outcome.next {
        match &next.intent {
            Some(_) => all.push(("K", next.says.as_str(), Role::Key)),
            None => {
                for line in wrap(next.says.as_str(), usize::from(inside.width), 3) {
                    if y < row.y {
                        ink.put(inside.x, y, inside.width, &line, Role::Warning);
                        y += 1;
                    }
                }
            }
        }
    }
    keys(ink, row, &all);
}

/// The steps worth a row: one that only repeats the sentence above it is none.
fn steps(outcome: &Outcome) -> Vec<&StepResult> {
    let repeats = |step: &StepResult| matches!(step, StepResult::Done(text) if *text == outcome.says);
    outcome.steps.iter().filter(|step| !repeats(step)).take(6).collect()
}

/// That one of those whose sessions this act ended is back already.
fn again(it: &Acting, scene: &Scene<'_>) -> Option<String> {
    let back = scene.app.told.back.as_ref().filter(|back| back.ended_at == it.began)?;
    Some(back.it.says(back.seen_at.seconds_since(back.ended_at)))
}

/// What stands behind a cleared cache, and a warning when that suffers; whether there was anything to say.
fn behind(ink: &mut Ink<'_>, room: Rect, it: &Acting) -> bool {
    let Some(behind) = &it.behind else { return false };
    let warning = behind.rush().map(|rush| {
        let helps = match (&it.outcome, it.paused) {
            (Some(_), _) => "the clear is over: 2 shows who asks",
            (None, true) => "it is held: space goes on, s stops it",
            (None, false) => "space holds the clear, s stops it",
        };
        format!("{rush}. {helps}")
    });
    let warning =
        warning.map_or_else(Vec::new, |text| wrap(&text, usize::from(room.width), usize::from(RUSH)));
    let lines = behind.lines().iter().map(|line| (line.as_str(), Role::Text));
    let all = lines.chain(warning.iter().map(|line| (line.as_str(), Role::Warning)));
    for (y, (line, role)) in (room.y..room.bottom()).zip(all) {
        ink.put(room.x, y, room.width, line, role);
    }
    !behind.lines().is_empty()
}

/// The row below what is told of it.
fn under_way(ink: &mut Ink<'_>, inside: Rect, it: &Acting, scene: &Scene<'_>) -> u16 {
    let took = format::seconds(scene.app.now.seconds_since(it.began));
    let doing = if it.paused { "held" } else { "under way" };
    ink.put(inside.x, inside.y, inside.width, &format!("{doing} for {took}"), Role::Muted);
    let Some(progress) = &it.progress else {
        ink.put(inside.x, inside.y + 2, inside.width, "written down; waiting for the server …", Role::Text);
        return inside.y + 3;
    };
    let room = inside.width.saturating_sub(6);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the room")]
    let done = (progress.share.clamp(0.0, 1.0) * f64::from(room)).round() as u16;
    ink.repeat(inside.x, inside.y + 2, done, "█", Role::Chart);
    ink.repeat(inside.x + done, inside.y + 2, room - done, "░", Role::ChartGap);
    ink.put_right(inside.x + room, inside.y + 2, 6, &format::share(progress.share), Role::Text);
    for (y, line) in (inside.y + 3..).zip(wrap(progress.says.as_str(), usize::from(inside.width), 2)) {
        ink.put(inside.x, y, inside.width, &line, Role::Text);
    }
    inside.y + 5
}

//! Facts go into the store; what they change is listed among the events.

use super::many::{self, Happened};
use super::{acting, tell};
use crate::app::{App, EventKind};
use crate::model::words::span;
use crate::model::{At, Fact, Mark, Reading, Severity, Timestamp};
use crate::store::noticed;

/// Takes one fact in.
pub(super) fn take(app: &mut App, fact: At<Fact>) {
    let at = fact.at;
    match fact.it {
        // One from before the clock was set back would stand in the future, and all after it be taken for older.
        Fact::Reading(reading) => read(app, at.min(app.now), reading),
        Fact::Marked(mark) => marked(app, at, mark),
        Fact::Intended(plan) => acting::begun_by_somebody(app, at, &plan),
        Fact::Settled(outcome) => acting::settled(app, at, &outcome),
    }
}

/// A target that goes away or comes back is an event.
fn read(app: &mut App, at: Timestamp, reading: Reading) {
    let id = reading.target.clone();
    let failing = |app: &App| app.world.store.target(&id).and_then(|target| target.failing_since);
    let before = failing(app);
    let error = reading.sample.as_ref().err().cloned();
    let last = |app: &App| app.world.store.target(&id).and_then(|target| target.sample.clone());
    let known = last(app);
    app.world.store.take(at, reading);
    if let (None, Some(known), Some(now)) = (&error, known, last(app)) {
        for what in noticed(&known.it, &now.it) {
            tell::event(app, at, EventKind::Noticed, &format!("{id} {what}"));
        }
    }
    match (before, error) {
        (None, Some(error)) if failing(app).is_some() => {
            let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
            let (what, many) = if error.kind.is_ours() {
                ("cannot be asked", "targets cannot be asked")
            } else {
                ("does not answer", "targets do not answer")
            };
            let (kind, detail) = (EventKind::Target(severity), error.to_string());
            let one = format!("{id} {what}: {detail}");
            many::event(app, at, &Happened { target: &id, kind, one, many, detail: &detail });
        }
        (Some(since), None) => {
            let (kind, after) = (EventKind::Target(Severity::Ok), span(at.seconds_since(since)));
            let one = format!("{id} answers again, after {after}");
            let (many, detail) = ("targets answer again", format!("after {after}"));
            many::event(app, at, &Happened { target: &id, kind, one, many, detail: &detail });
        }
        _ => {}
    }
}

fn marked(app: &mut App, at: Timestamp, mark: Mark) {
    if app.world.store.marks().any(|known| known.it.id == mark.id) {
        return;
    }
    let by = if mark.by.is_empty() { String::new() } else { format!(" marked by {}", mark.by) };
    let note = if mark.note.is_empty() { String::new() } else { format!(" \"{}\"", mark.note) };
    tell::event(app, at, EventKind::Deploy, &format!("deploy {}{by}{note}", mark.label));
    app.world.store.mark(At { at, it: mark });
}

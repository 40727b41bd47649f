//! Lines in passing, and the list of what happened.

use std::time::Duration;

use crate::app::{App, Event, EventKind, Notice};
use crate::model::{SafeText, Severity, Timestamp};

/// Events kept.
const EVENTS: usize = 500;
/// How long a line stands.
const STANDS: Duration = Duration::from_secs(6);

/// Says something in passing.
pub(super) fn say(app: &mut App, says: impl Into<String>, severity: Severity) {
    let says = SafeText::new(&says.into()).to_string();
    app.notice = Some(Notice { says, severity, until: app.now.plus(STANDS) });
}

/// Says why something was not done.
pub(super) fn warn(app: &mut App, says: impl Into<String>) {
    say(app, says, Severity::Warning);
}

/// Adds to what happened, in its place by time.
pub(super) fn event(app: &mut App, at: Timestamp, kind: EventKind, says: &str) {
    app.numbers.events += 1;
    let event = Event {
        number: app.numbers.events,
        at,
        kind,
        says: SafeText::new(says),
        of: Vec::new(),
        topic: String::new(),
    };
    let place = app.events.partition_point(|known| known.at <= at);
    app.events.insert(place, event);
    while app.events.len() > EVENTS {
        app.events.pop_front();
    }
}

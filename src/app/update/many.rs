//! Many targets that go the same way within seconds are one event: a switch that fails must not push an
//! hour of events out of the list. Who they were stays in it.

use std::time::Duration;

use super::tell;
use crate::app::{App, EventKind};
use crate::model::words::{count, span};
use crate::model::{SafeText, TargetId, Timestamp};

/// How long after the first the last may come.
const TOGETHER: Duration = Duration::from_secs(10);
/// What grows worse within this time is told once, as what it has become.
const GROWS: Duration = Duration::from_secs(5);
/// As many are told one by one.
const ALONE: usize = 3;
/// Names in the line.
const NAMED: usize = 3;

/// What happened to one target, and how the same is said of many.
pub(super) struct Happened<'a> {
    pub(super) target: &'a TargetId,
    pub(super) kind: EventKind,
    /// Said of this one.
    pub(super) one: String,
    /// Said of many, before their names: `999 targets do not answer` without the number; what is said alike
    /// of two targets is the same event.
    pub(super) many: &'a str,
    /// What was said of the last.
    pub(super) detail: &'a str,
}

/// Adds an event of one target, or counts it to those like it just now.
pub(super) fn event(app: &mut App, at: Timestamp, it: &Happened<'_>) {
    let alike = |event: &crate::app::Event| {
        event.kind == it.kind && event.topic == it.many && event.at <= at && at.since(event.at) <= TOGETHER
    };
    if let Some(known) = app.events.iter_mut().rev().find(|event| alike(event) && event.of.len() > 1) {
        if !known.of.contains(it.target) {
            known.of.push(it.target.clone());
        }
        known.says = SafeText::new(&told(&known.of, at.seconds_since(known.at), it));
        return;
    }
    let recent: Vec<(u64, Timestamp)> =
        app.events.iter().filter(|event| alike(event)).map(|event| (event.number, event.at)).collect();
    let (at_first, of, says) = if recent.len() < ALONE {
        (at, vec![it.target.clone()], it.one.clone())
    } else {
        let (mut of, mut kept) = (Vec::new(), std::collections::VecDeque::new());
        for event in app.events.drain(..) {
            if recent.iter().any(|(number, _)| *number == event.number) {
                of.extend(event.of);
            } else {
                kept.push_back(event);
            }
        }
        app.events = kept;
        of.retain(|id| id != it.target);
        of.push(it.target.clone());
        let first = recent.first().map_or(at, |(_, first)| *first);
        let says = told(&of, at.seconds_since(first), it);
        (first, of, says)
    };
    tell::event(app, at_first, it.kind, &says);
    let number = app.numbers.events;
    if let Some(event) = app.events.iter_mut().rev().find(|event| event.number == number) {
        event.of = of;
        it.many.clone_into(&mut event.topic);
    }
}

/// Takes back what was told of one target a moment ago: it has grown worse, which is told instead.
pub(super) fn outgrown(app: &mut App, at: Timestamp, target: &TargetId, topic: &str) {
    let alike = |event: &crate::app::Event| {
        event.topic == topic && event.at <= at && at.since(event.at) <= GROWS && event.of == [target.clone()]
    };
    if let Some(place) = app.events.iter().rposition(alike) {
        app.events.remove(place);
    }
}

/// `999 targets do not answer: web-001, web-002, web-003 and 996 more, within 2 s; the last: timed out`.
fn told(of: &[TargetId], seconds: f64, it: &Happened<'_>) -> String {
    let named: Vec<&str> = of.iter().take(NAMED).map(TargetId::as_str).collect();
    let more = of.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
    let all = count(of.len() as u64);
    let within = span(seconds);
    format!("{all} {}: {}{more}, within {within}; the last: {}", it.many, named.join(", "), it.detail)
}

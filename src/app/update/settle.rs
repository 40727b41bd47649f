//! Judging what came in: the verdict, what changed since the last, and whom to tell.

use std::time::Duration;

use super::many::{self, Happened};
use super::{clock, comeback};
use crate::app::{App, Effect, EventKind, World};
use crate::detect::Transition;
use crate::model::words::span;
use crate::model::{Finding, Resource, Severity, Timestamp};

/// A target's own event within this time already says what a finding about its answer would.
const SAME: Duration = Duration::from_secs(15);

/// Judges what is known, lists what changed and keeps the moment for stepping back. The shell calls
/// it a few times a second at most, after facts have come in, and on every tick.
pub fn settle(app: &mut App, at: Timestamp) -> Vec<Effect> {
    clock::advance(app, at);
    let world = &mut app.world;
    world.at = at;
    let (judgement, transitions) = world.judge.judge(&mut world.store, at);
    world.judgement = judgement;
    world.store.prune(at);
    for transition in &transitions {
        changed(app, transition);
    }
    let World { judgement, acknowledged, .. } = &mut app.world;
    if !acknowledged.is_empty() {
        judgement.set_aside(|finding| acknowledged.contains(&name(finding)));
    }
    comeback::look(app);
    app.history.keep(at, &app.world.store, &app.world.judgement);
    announce(app)
}

/// What an acknowledgement and an announcement call a finding.
pub(super) fn name(finding: &Finding) -> String {
    format!("{} {}", finding.rule, finding.reference())
}

fn changed(app: &mut App, transition: &Transition) {
    let finding = &transition.finding;
    // Gone or grown worse, it is news again.
    if finding.severity == Severity::Ok || finding.severity > transition.from {
        let name = name(finding);
        app.world.acknowledged.retain(|known| *known != name);
    }
    if finding.resource == Resource::TargetAnswer && told_by_target(app, transition) {
        return;
    }
    let what = finding.resource.headline().to_lowercase();
    if finding.severity > transition.from && transition.from > Severity::Ok {
        let before = topic(&what, transition.from);
        many::outgrown(app, transition.at, &finding.target, &before);
    }
    let (detail, many) = if finding.severity == Severity::Ok {
        let after = span(transition.at.seconds_since(finding.since));
        (format!("back to normal after {after}"), format!("times {what} back to normal"))
    } else {
        (finding.says.clone(), topic(&what, finding.severity))
    };
    let one = format!("{what} on {}: {detail}", finding.target);
    let kind = EventKind::Finding(finding.severity);
    let happened = Happened { target: &finding.target, kind, one, many: &many, detail: &detail };
    many::event(app, transition.at, &happened);
}

/// What findings of a kind have in common in the list.
fn topic(what: &str, severity: Severity) -> String {
    format!("times {what} {}", severity.word())
}

fn told_by_target(app: &App, transition: &Transition) -> bool {
    let target = &transition.finding.target;
    let recent = |at: Timestamp| transition.at.since(at) <= SAME;
    app.events
        .iter()
        .rev()
        .take_while(|event| recent(event.at))
        .filter(|event| matches!(event.kind, EventKind::Target(_)))
        .any(|event| event.of.contains(target))
}

/// One announcement a transition of the verdict: worse, another, or all well again.
fn announce(app: &mut App) -> Vec<Effect> {
    let judgement = &app.world.judgement;
    let worst = judgement.findings.first();
    let Some(first) = worst.filter(|finding| finding.severity >= Severity::Warning) else {
        if app.told.announced.take().is_none() {
            return Vec::new();
        }
        // What can no longer be judged is not well again.
        let says = match worst {
            Some(it) => format!("? no longer pressed, but {} on {}: {}", it.resource, it.target, it.says),
            None => format!("ok: {}", judgement.verdict.says),
        };
        return vec![Effect::Announce { says, critical: false }];
    };
    let now = (first.severity, first.reference());
    let before = app.told.announced.as_ref();
    let news = before.is_none_or(|(severity, place)| now.0 > *severity || *place != now.1);
    let known = app.world.acknowledged.contains(&name(first));
    // What was told before and is over rings again when it comes again.
    if known && before.is_some_and(|(_, place)| *place != now.1) {
        app.told.announced = None;
        return Vec::new();
    }
    if !news || known {
        // A verdict that grew better is remembered so that growing worse is news again.
        if let Some((severity, _)) = app.told.announced.as_mut().filter(|(_, place)| *place == now.1) {
            *severity = now.0;
        }
        return Vec::new();
    }
    let says = format!(
        "{} {} on {}: {}",
        first.severity.glyph(),
        first.resource.headline(),
        first.target,
        first.says
    );
    let critical = first.severity == Severity::Critical;
    app.told.announced = Some(now);
    vec![Effect::Announce { says, critical }]
}

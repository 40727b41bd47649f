//! Whether an application whose session was ended is back at once: looked at with every answer, told once,
//! and beside the verdict as long as it is the one that holds others up.

use std::time::Duration;

use super::tell;
use crate::app::{App, CameBack, EventKind};
use crate::detect::Ended;
use crate::model::{DatabaseSample, Plan, Sample, Severity, TargetId};

/// A session that comes later is a matter of its own.
const SOON: Duration = Duration::from_secs(15);
/// How long it is told beside the verdict.
const KEPT: Duration = Duration::from_mins(10);

/// Remembers whose sessions are about to be ended, and who is there already.
pub(super) fn note(app: &mut App, plan: &Plan) {
    let before = plan.intent.target().and_then(|target| sample(app, target));
    if let Some(ended) = before.and_then(|before| Ended::by(plan, before)) {
        app.told.ended = Some((ended, app.now));
    }
}

/// Looks whether one of them is back.
pub(super) fn look(app: &mut App) {
    let now = app.now;
    app.told.back = app.told.back.take().filter(|back| now.since(back.seen_at) <= KEPT);
    let Some((mut ended, at)) = app.told.ended.take() else { return };
    if now.since(at) > SOON {
        return;
    }
    let Some(back) = sample(app, ended.target()).and_then(|sample| ended.look(sample)) else {
        app.told.ended = Some((ended, at));
        return;
    };
    let says = back.says(now.seconds_since(at));
    tell::event(app, now, EventKind::Act, &says);
    tell::say(app, says, Severity::Warning);
    app.told.back = Some(CameBack { it: back, ended_at: at, seen_at: now });
}

fn sample<'a>(app: &'a App, target: &TargetId) -> Option<&'a DatabaseSample> {
    match &app.world.store.target(target)?.sample.as_deref()?.it {
        Sample::Database(sample) => Some(sample),
        _ => None,
    }
}

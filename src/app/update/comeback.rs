//! Whether an application whose session was ended comes back at once and holds others up again: then ending
//! its sessions mends nothing, and that is told.

use std::time::Duration;

use super::tell;
use crate::app::{App, Ended, EventKind};
use crate::model::{Backend, DatabaseSample, Intent, Plan, Sample, Severity, TargetId};

/// A session that comes later is a matter of its own.
const SOON: Duration = Duration::from_secs(15);
/// A shorter wait is a lock doing its work.
const SHORTEST: f64 = 0.25;

/// Remembers whose sessions are about to be ended, and who is there already.
pub(super) fn note(app: &mut App, plan: &Plan) {
    let Intent::TerminateBackend { target, backends } = &plan.intent else { return };
    let Some(sample) = sample(app, target) else { return };
    let meant = sample.backends.iter().filter(|one| backends.contains(&one.key));
    let names = meant.map(|one| one.who().into()).collect();
    let known = sample.backends.iter().map(|one| one.key).collect();
    app.told.ended = Some(Ended { target: target.clone(), names, known, at: app.now });
}

/// Looks whether one of them is back.
pub(super) fn look(app: &mut App) {
    let Some(ended) = &app.told.ended else { return };
    if app.now.since(ended.at) > SOON {
        app.told.ended = None;
        return;
    }
    let Some(sample) = sample(app, &ended.target) else { return };
    let back = sample.backends.iter().find_map(|one| {
        let known = ended.known.contains(&one.key) || one.waits_for_lock();
        let same = ended.names.iter().any(|name| name.as_str() == one.who());
        let waiters = if same && !known { waiters(sample, one) } else { 0 };
        (waiters > 0).then(|| (one.who().to_owned(), one.key.pid, waiters))
    });
    let Some((who, pid, waiters)) = back else { return };
    let after = app.now.seconds_since(ended.at);
    let wait = if waiters == 1 { "1 waits".to_owned() } else { format!("{waiters} wait") };
    let says = format!(
        "{who} is back on {} after {after:.0} s as pid {pid}, and {wait} for it again: ending its sessions does \
         not mend it, stop what starts them",
        ended.target
    );
    app.told.ended = None;
    let at = app.now;
    tell::event(app, at, EventKind::Act, &says);
    tell::say(app, says, Severity::Warning);
}

/// How many wait for this one, and not just for a moment.
fn waiters(sample: &DatabaseSample, holder: &Backend) -> usize {
    let waits = |one: &&Backend| {
        one.blocked_by.contains(&holder.key.pid) && one.wait_age.is_none_or(|age| age >= SHORTEST)
    };
    sample.backends.iter().filter(waits).count()
}

fn sample<'a>(app: &'a App, target: &TargetId) -> Option<&'a DatabaseSample> {
    match &app.world.store.target(target)?.sample.as_deref()?.it {
        Sample::Database(sample) => Some(sample),
        _ => None,
    }
}

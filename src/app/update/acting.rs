//! An act under way and what came of it; and the acts of others on this bastion.

use super::tell;
use crate::app::{App, Chord, Effect, EventKind, Key, Overlay};
use crate::model::{Outcome, OutcomeKind, Plan, PlanId, Progress, SafeText, Severity, Timestamp};

/// Acts remembered, so that none is told twice.
const REMEMBERED: usize = 100;

/// A long act came further.
pub(super) fn progress(app: &mut App, progress: Progress) {
    if let Some(Overlay::Acting(it)) = &mut app.overlay
        && it.plan.id == progress.plan
        && it.outcome.is_none()
    {
        it.progress = Some(progress);
    }
}

/// Looks at what stands behind a cache that is cleared, or was until a moment ago.
pub(super) fn look_behind(app: &mut App) {
    let now = app.now;
    let Some(Overlay::Acting(it)) = &mut app.overlay else { return };
    let Some(behind) = &mut it.behind else { return };
    let before = behind.rush().is_some();
    behind.look(&app.world.store, now);
    if let (false, Some(rush)) = (before, behind.rush()) {
        let says = format!("{}: {rush}", it.plan.title);
        tell::event(app, now, EventKind::Act, &says);
    }
}

/// Our own act ended.
pub(super) fn ended(app: &mut App, outcome: Outcome) -> Vec<Effect> {
    let at = app.now;
    settled(app, at, &outcome);
    tell::say(app, outcome.says.to_string(), severity(&outcome));
    if let Some(Overlay::Acting(it)) = &mut app.overlay
        && it.plan.id == outcome.plan
        && it.outcome.is_none()
    {
        it.outcome = Some(outcome);
        app.viewpoint.marked.clear();
    }
    vec![Effect::PollNow]
}

const fn severity(outcome: &Outcome) -> Severity {
    match outcome.kind {
        OutcomeKind::Done | OutcomeKind::NothingToDo => Severity::Ok,
        OutcomeKind::Refused => Severity::Warning,
        OutcomeKind::Failed if outcome.stopped => Severity::Warning,
        OutcomeKind::Failed => Severity::Critical,
    }
}

/// Remembers an act that begins; false when it was known.
pub(super) fn note(app: &mut App, id: &PlanId, title: &SafeText) -> bool {
    let acts = &mut app.told.acts;
    if acts.iter().any(|(known, ..)| known == id) {
        return false;
    }
    acts.push_back((id.clone(), title.clone(), false));
    while acts.len() > REMEMBERED {
        acts.pop_front();
    }
    true
}

/// The journal tells that an act begins: ours is on the screen already.
pub(super) fn begun_by_somebody(app: &mut App, at: Timestamp, plan: &Plan) {
    if note(app, &plan.id, &plan.title) {
        tell::event(app, at, EventKind::Act, &format!("begun by somebody else here: {}", plan.title));
    }
}

/// An act ended, by whomever: told once.
pub(super) fn settled(app: &mut App, at: Timestamp, outcome: &Outcome) {
    let known = app.told.acts.iter_mut().find(|(id, ..)| *id == outcome.plan);
    let title = match known {
        Some((_, _, true)) => return,
        Some((_, title, told)) => {
            *told = true;
            format!("{title}: ")
        }
        None => {
            app.told.acts.push_back((outcome.plan.clone(), SafeText::default(), true));
            String::new()
        }
    };
    // A mark has an event of its own: the deploy.
    if outcome.mark.is_some() {
        return;
    }
    let word = match outcome.kind {
        OutcomeKind::Done => "",
        OutcomeKind::NothingToDo => "nothing to do: ",
        OutcomeKind::Refused => "refused: ",
        OutcomeKind::Failed if outcome.stopped => "",
        OutcomeKind::Failed => "failed: ",
    };
    tell::event(app, at, EventKind::Act, &format!("{title}{word}{}", outcome.says));
}

/// A key while an act is under way or its outcome stands.
pub(super) fn press(app: &mut App, chord: Chord) -> Vec<Effect> {
    let Some(Overlay::Acting(it)) = &mut app.overlay else { return Vec::new() };
    if let Some(outcome) = it.outcome.take() {
        app.overlay = None;
        let next = outcome.next.and_then(|next| next.intent).filter(|_| chord == Chord::char('K'));
        let Some(next) = next else { return Vec::new() };
        // Planned and confirmed like any other act.
        let done = super::confirm::open(app, next);
        return super::or_say(app, done);
    }
    let gives_up = chord == Chord::ctrl('c');
    if gives_up && it.stopping {
        return vec![Effect::Quit];
    }
    if (gives_up || chord == Chord::char('s') || chord.key == Key::Esc) && !it.stopping {
        it.stopping = true;
        // What is held must go on to reach its next safe point.
        let held = std::mem::take(&mut it.paused);
        let mut effects = vec![Effect::StopAct];
        if held {
            effects.push(Effect::PauseAct(false));
        }
        return effects;
    }
    if chord == Chord::char(' ') && it.progress.is_some() && !it.stopping {
        it.paused = !it.paused;
        return vec![Effect::PauseAct(it.paused)];
    }
    if chord == Chord::char('f') && it.progress.is_some() && !it.stopping {
        it.hurried = !it.hurried;
        return vec![Effect::HurryAct(it.hurried)];
    }
    Vec::new()
}

//! The dialog before an act. No key acts alone, none that was typed ahead acts at all, and a dialog
//! whose facts are no longer true only closes.

use std::time::Duration;

use super::{Done, or_say, tell};
use crate::app::{Acting, App, Chord, Confirming, Effect, Key, Overlay};
use crate::config::ConfirmRule;
use crate::detect::Behind;
use crate::model::{Confirm, Intent, Plan, Refusal, SafeText};

/// Time from one reading of the plan to the next.
const AGAIN: Duration = Duration::from_millis(900);
/// Longest name that can be typed.
const LONGEST: usize = 200;

/// Asks what an intent would touch and opens its dialog.
pub(super) fn open(app: &mut App, intent: Intent) -> Done {
    if let Some(why) = app.why_no_action() {
        return Err(why);
    }
    if let Some(Overlay::Acting(acting)) = &app.overlay
        && acting.outcome.is_none()
    {
        return Err("one act at a time: another is under way".into());
    }
    app.numbers.asks += 1;
    let ask = app.numbers.asks;
    app.overlay = Some(Overlay::Confirm(Box::new(Confirming {
        intent: intent.clone(),
        plan: None,
        confirm: Confirm::Key,
        waited: 0,
        shown_at: None,
        typed: String::new(),
        disarmed: None,
        reading: true,
        asked_at: app.now,
        ask,
    })));
    Ok(vec![Effect::Plan(ask, intent)])
}

/// A plan, or why there is none. An answer to an older question is not looked at.
pub(super) fn planned(app: &mut App, ask: u64, planned: Result<Plan, Refusal>) {
    let (now, rule) = (app.now, app.settings.environment.confirm);
    let Some(Overlay::Confirm(it)) = &mut app.overlay else { return };
    if it.ask != ask || it.disarmed.is_some() {
        return;
    }
    it.reading = false;
    let mut plan = match planned {
        Ok(plan) if plan.intent.name() == it.intent.name() && plan.intent.target() == it.intent.target() => {
            plan
        }
        Ok(_) => {
            it.disarmed = Some("the plan is for something else than what was asked".into());
            return;
        }
        Err(refusal) => {
            it.disarmed = Some(refusal.says);
            return;
        }
    };
    if let Some(why) = it.plan.as_ref().and_then(|shown| plan.change_since(shown)) {
        it.disarmed = Some(SafeText::new(&format!("{why}; look again before you act")));
        return;
    }
    let confirm = how(rule, &plan);
    if it.plan.is_none() || confirm != it.confirm {
        it.shown_at = Some(now);
        it.typed.clear();
        it.confirm = confirm;
        it.waited = plan.frees.unwrap_or(0);
    } else if it
        .plan
        .as_ref()
        .is_some_and(|shown| another(shown.touches, plan.touches) || all_gone(shown, &plan))
    {
        // It says something else now: a key that was on its way was meant for what stood there before.
        it.shown_at = Some(now);
    }
    if it.waited > 0 && plan.frees == Some(0) {
        let says = format!("{} waited when this came up, nobody does now: is it still needed?", it.waited);
        plan.warnings.insert(0, SafeText::new(&says));
    }
    it.plan = Some(plan);
}

/// Whether it would touch so many more or fewer that it is another question: what is estimated from a sample
/// is never quite the same twice, and keys that answer it must not be lost for that.
const fn another(shown: u64, now: u64) -> bool {
    let most = if shown > now { shown } else { now };
    shown.abs_diff(now) > most / 20
}

/// Whether those who waited do so no longer.
fn all_gone(shown: &Plan, plan: &Plan) -> bool {
    shown.frees.is_some_and(|waiters| waiters > 0) && plan.frees == Some(0)
}

/// The environment's rule laid over the plan's own.
fn how(rule: ConfirmRule, plan: &Plan) -> Confirm {
    match (rule, &plan.confirm, plan.intent.target()) {
        (ConfirmRule::Name, Confirm::Key, Some(target)) => Confirm::Name(target.to_string()),
        (_, confirm, _) => confirm.clone(),
    }
}

/// Reads the plan again while the dialog stands.
pub(super) fn look_again(app: &mut App) -> Vec<Effect> {
    let now = app.now;
    let Some(Overlay::Confirm(it)) = &mut app.overlay else { return Vec::new() };
    if it.reading || it.plan.is_none() || it.disarmed.is_some() || now.since(it.asked_at) < AGAIN {
        return Vec::new();
    }
    app.numbers.asks += 1;
    it.ask = app.numbers.asks;
    it.asked_at = now;
    it.reading = true;
    vec![Effect::Plan(it.ask, it.intent.clone())]
}

/// A key while the dialog stands.
pub(super) fn press(app: &mut App, chord: Chord) -> Vec<Effect> {
    let now = app.now;
    let Some(Overlay::Confirm(it)) = &mut app.overlay else { return Vec::new() };
    let leaves = chord.key == Key::Esc || chord == Chord::ctrl('c');
    let naming = match &it.confirm {
        Confirm::Name(name) if it.plan.is_some() && it.disarmed.is_none() => Some(name.clone()),
        _ => None,
    };
    let closes = chord == Chord::char('q') && naming.is_none();
    let enter = chord == Chord::plain(Key::Enter);
    if leaves || closes || (enter && (it.plan.is_none() || it.disarmed.is_some())) {
        return leave(app);
    }
    if !it.armed(now) {
        // Typed ahead: nobody has read what would happen yet.
        return Vec::new();
    }
    if chord == Chord::plain(Key::Tab) || (naming.is_none() && chord == Chord::char('c')) {
        let gentler = it.plan.as_ref().and_then(|plan| plan.gentler.as_ref()?.intent.clone());
        let Some(gentler) = gentler else { return Vec::new() };
        let done = open(app, gentler);
        return or_say(app, done);
    }
    match naming {
        None if chord == Chord::char('y') => act(app),
        None if enter => leave(app),
        None => Vec::new(),
        Some(name) => match chord {
            Chord { key: Key::Enter, ctrl: false, alt: false, .. } if it.typed == name => act(app),
            Chord { key: Key::Enter, .. } if it.typed.is_empty() => leave(app),
            Chord { key: Key::Backspace, .. } => {
                it.typed.pop();
                Vec::new()
            }
            Chord { key: Key::Char(c), ctrl: false, alt: false, .. } if it.typed.len() < LONGEST => {
                it.typed.push(c);
                Vec::new()
            }
            _ => Vec::new(),
        },
    }
}

fn leave(app: &mut App) -> Vec<Effect> {
    app.overlay = None;
    tell::say(app, "left as it was: nothing was done", crate::model::Severity::Ok);
    Vec::new()
}

/// The one place in the program from which an act goes out.
fn act(app: &mut App) -> Vec<Effect> {
    let now = app.now;
    if app.why_no_action().is_some() {
        return leave(app);
    }
    let Some(Overlay::Confirm(it)) = app.overlay.take() else { return Vec::new() };
    if !it.armed(now) {
        app.overlay = Some(Overlay::Confirm(it));
        return Vec::new();
    }
    let Some(plan) = it.plan else { return Vec::new() };
    super::acting::note(app, &plan.id, &plan.title);
    super::comeback::note(app, &plan);
    let effect = Effect::Act(Box::new(plan.clone()));
    let behind = match &plan.intent {
        Intent::ClearNamespace { target, .. } => Some(Behind::before(&app.world.store, target, now)),
        _ => None,
    };
    app.overlay = Some(Overlay::Acting(Box::new(Acting {
        plan,
        began: now,
        progress: None,
        stopping: false,
        paused: false,
        hurried: false,
        behind,
        outcome: None,
    })));
    vec![effect]
}

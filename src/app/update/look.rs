//! A session opened is looked at closely: asked once, kept for its page.

use crate::app::{App, Effect, Looked, Place, RowKey};
use crate::model::{Refusal, SessionLook};

/// Asks for the session whose page stands on the screen; the past is not asked again.
pub(super) fn ask(app: &mut App) -> Vec<Effect> {
    let Place::Detail(_, RowKey::Backend(target, key)) = app.viewpoint.place() else { return Vec::new() };
    if app.past.is_some() {
        return Vec::new();
    }
    let (target, key) = (target.clone(), *key);
    app.numbers.asks += 1;
    let number = app.numbers.asks;
    // What is known stays to be read until the new answer is there.
    let told = app.looked.take().filter(|old| old.target == target && old.key == key).and_then(|it| it.told);
    app.looked = Some(Looked { number, target: target.clone(), key, told });
    vec![Effect::Look(number, target, key)]
}

/// The answer. One to an older question is not looked at.
pub(super) fn looked(app: &mut App, number: u64, told: Result<SessionLook, Refusal>) {
    if let Some(it) = app.looked.as_mut().filter(|it| it.number == number) {
        it.told = Some(told);
    }
}

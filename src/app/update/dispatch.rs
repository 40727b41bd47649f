//! What happened goes to the file whose concern it is.

use super::{acting, clock, confirm, explain, facts, keys, look, tell};
use crate::app::{App, Effect, Keymap, Msg, Overlay};
use crate::model::{Severity, Timestamp};

/// Takes in what happened at `at` and returns what is to be done about it.
pub fn update(app: &mut App, at: Timestamp, msg: Msg) -> Vec<Effect> {
    clock::advance(app, at);
    match msg {
        Msg::Fact(fact) => {
            facts::take(app, fact);
            acting::look_behind(app);
        }
        Msg::Lost(readings) => app.world.store.lost(readings),
        Msg::Key(chord) => return keys::press(app, chord),
        Msg::Paste(text) => keys::paste(app, &text),
        Msg::Resize(columns, rows) => app.size = (columns, rows),
        Msg::Tick => return tick(app),
        Msg::Planned(ask, planned) => confirm::planned(app, ask, *planned),
        Msg::Explained(ask, explained) => explain::explained(app, ask, *explained),
        Msg::Looked(ask, looked) => look::looked(app, ask, *looked),
        Msg::Progress(progress) => acting::progress(app, progress),
        Msg::Ended(outcome) => return acting::ended(app, *outcome),
        Msg::Say(says) => tell::say(app, says, Severity::Ok),
    }
    Vec::new()
}

fn tick(app: &mut App) -> Vec<Effect> {
    if app.notice.as_ref().is_some_and(|notice| notice.until <= app.now) {
        app.notice = None;
    }
    if !app.told.greeted {
        app.told.greeted = true;
        if let Err(why) = Keymap::new(&app.settings.keys) {
            tell::warn(app, format!("{why}; the usual keys hold"));
        } else if let Some(found) = app.settings.found.clone() {
            tell::say(app, found, Severity::Ok);
        }
    }
    if matches!(app.overlay, Some(Overlay::Confirm(_))) { confirm::look_again(app) } else { Vec::new() }
}

//! A line of input: characters are text here, not commands.

use super::{confirm, or_say, palette, travel};
use crate::app::{App, Chord, Effect, Input, Key, Overlay, Prompt};
use crate::model::Intent;

/// Longest line, in bytes.
const LONGEST: usize = 400;

/// Opens a line of input, with a text in it.
pub(super) fn open(app: &mut App, input: Input, text: &str) {
    app.overlay = Some(Overlay::Prompt(Prompt { input, text: text.to_owned(), chosen: None, error: None }));
}

/// Adds text to the line.
pub(super) fn insert(app: &mut App, text: &str) {
    let Some(Overlay::Prompt(it)) = &mut app.overlay else { return };
    for c in text.chars().filter(|c| !c.is_control()) {
        if it.text.len() < LONGEST {
            it.text.push(c);
        }
    }
    edited(app);
}

/// A key while a line of input stands.
pub(super) fn press(app: &mut App, chord: Chord) -> Vec<Effect> {
    let Some(Overlay::Prompt(it)) = &mut app.overlay else { return Vec::new() };
    match chord {
        Chord { key: Key::Esc, .. } | Chord { key: Key::Char('c'), ctrl: true, .. } => {
            if it.input == Input::Filter {
                app.viewpoint.filter.clear();
            }
            app.overlay = None;
        }
        Chord { key: Key::Enter, .. } => return enter(app),
        Chord { key: Key::Backspace, .. } => {
            if it.text.pop().is_none() {
                app.overlay = None;
            } else {
                edited(app);
            }
        }
        Chord { key: Key::Char('u'), ctrl: true, .. } => {
            it.text.clear();
            edited(app);
        }
        Chord { key: Key::Char('w'), ctrl: true, .. } => {
            let kept = it.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            it.text.truncate(kept);
            edited(app);
        }
        Chord { key: Key::Tab | Key::Down | Key::Up, .. } if it.input == Input::Palette => {
            choose(app, chord);
        }
        Chord { key: Key::Char(c), ctrl: false, alt: false, .. } => insert(app, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    Vec::new()
}

fn edited(app: &mut App) {
    let Some(Overlay::Prompt(it)) = &mut app.overlay else { return };
    it.chosen = None;
    it.error = None;
    if it.input == Input::Filter {
        app.viewpoint.filter = it.text.clone();
    }
}

/// Up and down choose among the suggestions; Tab takes the chosen one, or the first.
fn choose(app: &mut App, chord: Chord) {
    let Some(Overlay::Prompt(it)) = &app.overlay else { return };
    let all = palette::suggest(app, &it.text);
    let (chosen, last) = (it.chosen, all.len().saturating_sub(1));
    let Some(Overlay::Prompt(it)) = &mut app.overlay else { return };
    if all.is_empty() {
        return;
    }
    match chord.key {
        Key::Up => it.chosen = Some(chosen.map_or(last, |at| at.checked_sub(1).unwrap_or(last))),
        Key::Down => it.chosen = Some(chosen.map_or(0, |at| if at >= last { 0 } else { at + 1 })),
        _ => {
            let taken = &all[chosen.unwrap_or(0).min(last)];
            it.text = if taken.takes { format!("{} ", taken.text) } else { taken.text.clone() };
            it.chosen = None;
            it.error = None;
        }
    }
}

fn enter(app: &mut App) -> Vec<Effect> {
    let Some(Overlay::Prompt(it)) = app.overlay.take() else { return Vec::new() };
    let done = match it.input {
        Input::Filter => {
            app.viewpoint.filter = it.text;
            return Vec::new();
        }
        Input::Palette => {
            let chosen = it.chosen.and_then(|at| palette::suggest(app, &it.text).into_iter().nth(at));
            let line = chosen.map_or_else(|| it.text.clone(), |chosen| chosen.text);
            if line.trim().is_empty() {
                return Vec::new();
            }
            palette::run(app, &line)
        }
        Input::Deploy => match deploy(&it.text) {
            Ok(intent) => {
                let done = confirm::open(app, intent);
                return or_say(app, done);
            }
            Err(why) => Err(why),
        },
        Input::Time => travel::jump(app, &it.text),
    };
    match done {
        Ok(effects) => effects,
        Err(why) => {
            // The line stays, with what is wrong with it.
            app.overlay = Some(Overlay::Prompt(Prompt { error: Some(why), chosen: None, ..it }));
            Vec::new()
        }
    }
}

/// `LABEL`, then a note.
pub(super) fn deploy(text: &str) -> Result<Intent, String> {
    let (label, note) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if label.is_empty() {
        return Err("a deploy needs a label, such as v8.1.2".into());
    }
    Ok(Intent::MarkDeploy { label: label.to_owned(), note: note.trim().trim_matches('"').to_owned() })
}

//! Lists to choose from: the actions of a row, namespaces, columns.

use super::{DONE, Done, commands, confirm, or_say, tell};
use crate::app::{App, Chord, Effect, Key, Menu, MenuItem, Overlay, Pick, Sort};

/// Opens a list; the first item that can be chosen is selected.
pub(super) fn open(app: &mut App, title: &str, items: Vec<MenuItem>) -> Done {
    let selected = items.iter().position(|item| item.why_not.is_none()).unwrap_or(0);
    app.overlay = Some(Overlay::Menu(Menu { title: title.to_owned(), items, selected }));
    DONE
}

/// A key while a list stands.
pub(super) fn press(app: &mut App, chord: Chord) -> Vec<Effect> {
    let Some(Overlay::Menu(it)) = &mut app.overlay else { return Vec::new() };
    let last = it.items.len().saturating_sub(1);
    match (chord.key, chord.ctrl || chord.alt) {
        (Key::Esc, _) | (Key::Char('q' | 'x'), false) | (Key::Char('c'), true) => app.overlay = None,
        (Key::Up | Key::Char('k'), false) => it.selected = it.selected.saturating_sub(1),
        (Key::Down | Key::Char('j'), false) => it.selected = (it.selected + 1).min(last),
        (Key::Home | Key::PageUp | Key::Char('g'), false) => it.selected = 0,
        (Key::End | Key::PageDown | Key::Char('G'), false) => it.selected = last,
        (Key::Enter, false) => return pick(app),
        _ => {}
    }
    Vec::new()
}

fn pick(app: &mut App) -> Vec<Effect> {
    let Some(Overlay::Menu(it)) = &app.overlay else { return Vec::new() };
    let Some(item) = it.items.get(it.selected).cloned() else {
        app.overlay = None;
        return Vec::new();
    };
    if let Some(why) = item.why_not {
        tell::warn(app, why);
        return Vec::new();
    }
    app.overlay = None;
    let done = match item.pick {
        Pick::Command(command) => commands::run(app, command, None),
        Pick::Intent(intent) => confirm::open(app, intent),
        Pick::Sort(column) => {
            sort_by(app, column);
            DONE
        }
    };
    or_say(app, done)
}

/// Sorts the table on the screen by a column: numbers greatest first, words by letters; once more turns it round.
pub(super) fn sort_by(app: &mut App, column: usize) {
    let Some(tab) = super::moves::tab(app) else { return };
    let right = crate::app::table(app, tab).columns.get(column).map(|column| column.right);
    let Some(right) = right else {
        app.viewpoint.sort.remove(&tab);
        return;
    };
    let descending = match app.viewpoint.sort.get(&tab) {
        Some(sort) if sort.column == column => !sort.descending,
        _ => right,
    };
    app.viewpoint.sort.insert(tab, Sort { column, descending });
}

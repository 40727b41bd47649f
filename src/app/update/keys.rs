//! A key goes to what stands over the screen, else it is a command.

use super::{acting, commands, confirm, explain, menu, moves, or_say, prompt};
use crate::app::{App, Chord, Command, Effect, Key, Keymap, Overlay};
use crate::model::SafeText;

/// A key was pressed.
pub(super) fn press(app: &mut App, chord: Chord) -> Vec<Effect> {
    // These two help in any state, and no line of input wants them.
    let command = Keymap::of(&app.settings).command(chord);
    match command {
        Some(Command::Redraw) if chord.ctrl => return vec![Effect::Redraw],
        Some(Command::Suspend) if chord.ctrl => return vec![Effect::Suspend],
        _ => {}
    }
    match &app.overlay {
        None => match command {
            Some(command) => {
                let done = commands::run(app, command, None);
                or_say(app, done)
            }
            None => Vec::new(),
        },
        Some(Overlay::Help) => help(app, chord, command),
        Some(Overlay::Prompt(_)) => prompt::press(app, chord),
        Some(Overlay::Menu(_)) => menu::press(app, chord),
        Some(Overlay::Confirm(_)) => confirm::press(app, chord),
        Some(Overlay::Acting(_)) => acting::press(app, chord),
        Some(Overlay::Explain(_)) => explain::press(app, chord, command),
    }
}

/// Pasted text is a line of input, or nothing: it never acts.
pub(super) fn paste(app: &mut App, text: &str) {
    if let Some(Overlay::Prompt(_)) = &app.overlay {
        prompt::insert(app, SafeText::new(text).as_str());
    }
}

fn help(app: &mut App, chord: Chord, command: Option<Command>) -> Vec<Effect> {
    let page = moves::page(app);
    let scroll = &mut app.viewpoint.scroll;
    match command {
        Some(Command::Up) => *scroll = scroll.saturating_sub(1),
        Some(Command::Down) => *scroll = (*scroll + 1).min(500),
        Some(Command::PageUp) => *scroll = scroll.saturating_sub(page),
        Some(Command::PageDown) => *scroll = (*scroll + page).min(500),
        Some(Command::Top) => *scroll = 0,
        Some(Command::Help | Command::Back | Command::Quit) => close(app),
        _ if matches!(chord.key, Key::Esc | Key::Enter) => close(app),
        _ => {}
    }
    Vec::new()
}

fn close(app: &mut App) {
    app.overlay = None;
    app.viewpoint.scroll = 0;
}

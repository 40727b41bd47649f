//! A statement explained: asked, shown, scrolled, copied. Nothing is acted on.

use super::{moves, tell};
use crate::app::{App, Chord, Command, Effect, Explaining, Key, Overlay};
use crate::model::{ExplainAsk, Explanation, Refusal, Severity};

/// Asks, and opens the page the answer will stand on.
pub(super) fn open(app: &mut App, ask: ExplainAsk) -> Vec<Effect> {
    app.numbers.asks += 1;
    let number = app.numbers.asks;
    let it = Explaining { ask: ask.clone(), number, told: None, scroll: 0 };
    app.overlay = Some(Overlay::Explain(Box::new(it)));
    vec![Effect::Explain(number, Box::new(ask))]
}

/// The answer. One to an older question is not looked at.
pub(super) fn explained(app: &mut App, number: u64, told: Result<Explanation, Refusal>) {
    if let Some(Overlay::Explain(it)) = &mut app.overlay
        && it.number == number
    {
        it.told = Some(told);
    }
}

/// A key while it stands.
pub(super) fn press(app: &mut App, chord: Chord, command: Option<Command>) -> Vec<Effect> {
    let (page, (columns, rows)) = (moves::page(app), app.size);
    let Some(Overlay::Explain(it)) = &mut app.overlay else { return Vec::new() };
    let last = it.furthest(columns, rows);
    it.scroll = match command {
        Some(Command::Up) => it.scroll.saturating_sub(1),
        Some(Command::Down) => it.scroll + 1,
        Some(Command::PageUp) => it.scroll.saturating_sub(page),
        Some(Command::PageDown) => it.scroll + page,
        Some(Command::Top) => 0,
        Some(Command::Bottom) => last,
        _ => it.scroll,
    }
    .min(last);
    match command {
        Some(Command::Copy) => {
            let text = match &it.told {
                Some(Ok(explanation)) => explanation.text(),
                Some(Err(refusal)) => refusal.says.to_string(),
                None => return Vec::new(),
            };
            tell::say(app, "copied to the terminal's clipboard", Severity::Ok);
            return vec![Effect::Copy(text)];
        }
        Some(Command::Back | Command::Quit | Command::Explain) => app.overlay = None,
        _ if matches!(chord.key, Key::Esc | Key::Enter) => app.overlay = None,
        _ => {}
    }
    Vec::new()
}

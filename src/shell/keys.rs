//! From what the terminal library reads to chords.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::app::{Chord, Key};

/// The chord of a key press; `None` for releases and for keys that no command can have.
pub fn chord(event: KeyEvent) -> Option<Chord> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let key = match event.code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::F(n) => Key::F(n),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab | KeyCode::BackTab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        _ => return None,
    };
    let held = |modifier| event.modifiers.contains(modifier);
    // Shift is part of a character; a terminal may report it beside one all the same.
    let shift = match key {
        Key::Char(_) => false,
        _ => held(KeyModifiers::SHIFT) || event.code == KeyCode::BackTab,
    };
    let lower = |key| match key {
        Key::Char(c) if held(KeyModifiers::CONTROL) => Key::Char(c.to_ascii_lowercase()),
        key => key,
    };
    Some(Chord { key: lower(key), ctrl: held(KeyModifiers::CONTROL), alt: held(KeyModifiers::ALT), shift })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_arrive_as_the_keymap_writes_them() {
        let press = |code, modifiers| chord(KeyEvent::new(code, modifiers)).map(|chord| chord.to_string());
        assert_eq!(press(KeyCode::Char('F'), KeyModifiers::SHIFT), Some("F".into()));
        assert_eq!(press(KeyCode::Char('L'), KeyModifiers::CONTROL), Some("ctrl-l".into()));
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some("shift-tab".into()));
        assert_eq!(press(KeyCode::Char(' '), KeyModifiers::NONE), Some("space".into()));
        assert_eq!(press(KeyCode::Insert, KeyModifiers::NONE), None);
        let release = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(chord(release), None);
    }
}

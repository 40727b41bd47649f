//! A key as the operator presses it, free of any terminal library.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One key with its modifiers. Shift is part of a character (`F`), and is kept for other keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chord {
    /// The key.
    pub key: Key,
    /// Ctrl was held.
    pub ctrl: bool,
    /// Alt was held.
    pub alt: bool,
    /// Shift was held with a key that is no character.
    pub shift: bool,
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A character as typed: `F` is Shift and f.
    Char(char),
    /// Function key by number.
    F(u8),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
}

/// A chord that cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no such key: {0:?}; write F, ctrl-l, alt-x, shift-tab, space, enter, esc, f1, up, pgdn …")]
pub struct ChordError(pub String);

impl Chord {
    /// A key without modifiers.
    pub const fn plain(key: Key) -> Self {
        Self { key, ctrl: false, alt: false, shift: false }
    }

    /// A character.
    pub const fn char(c: char) -> Self {
        Self::plain(Key::Char(c))
    }

    /// A character with Ctrl.
    pub const fn ctrl(c: char) -> Self {
        Self { key: Key::Char(c), ctrl: true, alt: false, shift: false }
    }
}

const NAMES: &[(&str, Key)] = &[
    ("space", Key::Char(' ')),
    ("enter", Key::Enter),
    ("esc", Key::Esc),
    ("tab", Key::Tab),
    ("backspace", Key::Backspace),
    ("del", Key::Delete),
    ("up", Key::Up),
    ("down", Key::Down),
    ("left", Key::Left),
    ("right", Key::Right),
    ("home", Key::Home),
    ("end", Key::End),
    ("pgup", Key::PageUp),
    ("pgdn", Key::PageDown),
];

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        match (NAMES.iter().find(|(_, key)| *key == self.key), self.key) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Key::Char(c)) => write!(f, "{c}"),
            (None, Key::F(n)) => write!(f, "f{n}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

impl FromStr for Chord {
    type Err = ChordError;

    fn from_str(text: &str) -> Result<Self, ChordError> {
        let mut chord = Self::char(' ');
        let mut rest = text;
        loop {
            let held = if let Some(tail) = rest.strip_prefix("ctrl-") {
                rest = tail;
                &mut chord.ctrl
            } else if let Some(tail) = rest.strip_prefix("alt-") {
                rest = tail;
                &mut chord.alt
            } else if let Some(tail) = rest.strip_prefix("shift-") {
                rest = tail;
                &mut chord.shift
            } else {
                break;
            };
            *held = true;
        }
        let one = |text: &str| {
            let mut chars = text.chars();
            chars.next().filter(|c| !c.is_control() && chars.next().is_none())
        };
        chord.key = if let Some((_, key)) = NAMES.iter().find(|(name, _)| *name == rest) {
            *key
        } else if let Some(c) = one(rest) {
            Key::Char(c)
        } else if let Some(n) =
            rest.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n))
        {
            Key::F(n)
        } else {
            return Err(ChordError(text.to_owned()));
        };
        Ok(chord)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chord_prints_as_it_is_written() {
        for text in
            ["F", "ctrl-l", "space", "shift-tab", "alt-x", "f1", "pgdn", "?", "[", "-", "ctrl-alt-del"]
        {
            assert_eq!(text.parse::<Chord>().map(|chord| chord.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "meta-x", "ff", "f13", "ctrl-", "\u{7}"] {
            assert!(bad.parse::<Chord>().is_err(), "{bad:?} was taken");
        }
    }
}

//! Text from a server, made safe for a cell, a title, a notification or a line of output.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthChar as _;

/// One line of text in which nothing can move the cursor, reorder letters or start an escape.
///
/// White space of any kind is folded to one space (so `SELECT\n*` stays two words), whole ANSI
/// sequences are removed, other control characters and the invisible format characters (bidi
/// overrides, zero-width) are shown as `·`. Marks heaped upon one letter and what is longer than any name
/// or statement are cut off: text of others is kept, drawn and written down many times.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SafeText(String);

/// Bytes of a text that are kept.
const LONGEST: usize = 64 * 1024;
/// Marks upon one letter that are kept: no script needs more.
const MARKS: usize = 8;

impl SafeText {
    /// Cleans `raw`; the only way to make one.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        let mut out = String::with_capacity(raw.len());
        let mut chars = raw.chars().peekable();
        let mut marks = 0;
        while let Some(c) = chars.next() {
            if out.len() >= LONGEST {
                out.push('…');
                break;
            }
            marks = match c.width() {
                Some(0) if !is_format(c) => marks + 1,
                None => marks,
                _ => 0,
            };
            match c {
                _ if marks > MARKS && c.width() == Some(0) => {}
                '\u{1b}' | '\u{9b}' => skip_escape(c, &mut chars),
                c if c.is_whitespace() => {
                    if !out.is_empty() && !out.ends_with(' ') {
                        out.push(' ');
                    }
                }
                c if c.is_control() || is_format(c) => out.push('·'),
                c => out.push(c),
            }
        }
        while out.ends_with(' ') {
            out.pop();
        }
        Self(out)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Drops what follows an escape: a CSI up to its final byte, an OSC, DCS, APC, PM or SOS up to its end.
fn skip_escape(start: char, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = if start == '\u{9b}' { Some('[') } else { chars.next_if(char::is_ascii) };
    match kind {
        Some('[') => {
            for c in chars.by_ref() {
                if ('@'..='~').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | '_' | '^' | 'X') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || c == '\u{9c}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next_if_eq(&'\\');
                    break;
                }
            }
        }
        _ => {}
    }
}

/// Characters of category Cf that change how their neighbours read, and combining grapheme joiners.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

impl From<String> for SafeText {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl From<&str> for SafeText {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<SafeText> for String {
    fn from(text: SafeText) -> Self {
        text.0
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_go_words_stay_apart_and_bidi_shows() {
        let clean = |raw: &str| SafeText::new(raw).to_string();
        assert_eq!(clean("a\u{1b}[31mRED\u{1b}[0m"), "aRED");
        assert_eq!(clean("x\u{1b}]52;c;ZXZpbA==\u{7}y"), "xy");
        assert_eq!(clean("SELECT\n\t*\r\nFROM t "), "SELECT * FROM t");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{7f}"), "a·b·c·");
    }

    #[test]
    fn what_is_heaped_up_or_has_no_end_is_cut() {
        let heap = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(SafeText::new(&heap).as_str(), format!("a{}b", "\u{301}".repeat(MARKS)));
        let long = SafeText::new(&"long ".repeat(1_000_000));
        assert!(long.as_str().len() < LONGEST + 8 && long.as_str().ends_with('…'), "{}", long.as_str().len());
        assert_eq!(SafeText::new(long.as_str()), long);
    }

    proptest! {
        #[test]
        fn no_control_or_format_character_survives(raw in any::<String>()) {
            let text = SafeText::new(&raw);
            prop_assert!(!text.as_str().chars().any(|c| c.is_control() || is_format(c)));
            prop_assert_eq!(SafeText::new(text.as_str()), text);
        }
    }
}

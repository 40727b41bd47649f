//! What a terminal is shown that says it takes other letters than UTF-8.

use ratatui::buffer::Buffer;

/// The letters a terminal takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Letters {
    /// All of them.
    #[default]
    Utf8,
    /// Only those of ASCII can be relied on.
    Ascii,
}

impl Letters {
    /// By the locale. One that is not set says nothing: a shell inside a container has none, and its terminal
    /// takes UTF-8 as nearly all do.
    pub fn told_by(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| env(name).filter(|value| !value.is_empty());
        let Some(locale) = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set) else { return Self::Utf8 };
        let charset = locale.split('@').next().and_then(|it| it.split_once('.')).map(|(_, charset)| charset);
        let is_utf8 = |charset: &str| charset.replace('-', "").eq_ignore_ascii_case("utf8");
        match charset {
            Some(charset) if is_utf8(charset) => Self::Utf8,
            Some(_) => Self::Ascii,
            None if matches!(locale.as_str(), "C" | "POSIX") => Self::Ascii,
            // `de_DE` leaves it to the system, which this cannot ask.
            None => Self::Utf8,
        }
    }

    /// Puts in place of each glyph that the terminal may not know one that it does, of the same width.
    pub(super) fn keep_to(self, buffer: &mut Buffer) {
        if self == Self::Utf8 {
            return;
        }
        for cell in &mut buffer.content {
            if !cell.symbol().is_ascii() {
                let plain = cell.symbol().chars().next().map_or(' ', plain);
                cell.set_char(plain);
            }
        }
    }
}

/// What comes nearest to a glyph.
const fn plain(glyph: char) -> char {
    match glyph {
        '█' => '#',
        '▇' | '▆' => '%',
        '▅' | '▄' => '=',
        '▃' | '─' | '━' | '—' | '–' => '-',
        '▂' | '▁' => '_',
        '░' | '·' => '.',
        '│' | '┆' | '┃' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '±' => '+',
        '◆' => '*',
        '→' | '▶' | '▸' | '»' => '>',
        '←' => '<',
        '↓' | '▼' => 'v',
        '↑' | '▲' => '^',
        '…' => '~',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn the_first_variable_that_is_set_tells_the_letters() {
        let told = |all: &str, ctype: &str, lang: &str| {
            Letters::told_by(&|name| match name {
                "LC_ALL" => Some(all.to_owned()),
                "LC_CTYPE" => Some(ctype.to_owned()),
                "LANG" => Some(lang.to_owned()),
                _ => None,
            })
        };
        for (all, ctype, lang, letters) in [
            ("", "", "", Letters::Utf8),
            ("", "", "de_DE.UTF-8", Letters::Utf8),
            ("C.utf8", "", "C", Letters::Utf8),
            ("", "en_GB.UTF-8@euro", "C", Letters::Utf8),
            ("", "", "de_DE", Letters::Utf8),
            ("C", "", "de_DE.UTF-8", Letters::Ascii),
            ("", "", "POSIX", Letters::Ascii),
            ("", "de_DE.ISO-8859-15@euro", "de_DE.UTF-8", Letters::Ascii),
        ] {
            assert_eq!(told(all, ctype, lang), letters, "{all:?} {ctype:?} {lang:?}");
        }
        assert_eq!(Letters::told_by(&|_| None), Letters::Utf8);
    }

    #[test]
    fn a_screen_in_ascii_keeps_its_columns() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
        buffer.set_string(0, 0, "│█▁ é 数 e\u{301}…x", ratatui::style::Style::new());
        Letters::Ascii.keep_to(&mut buffer);
        let row = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
        assert_eq!(row, "|#_ ? ?  ?~x");
    }
}

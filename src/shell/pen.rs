//! The colours and attributes the terminal writes with, and the shortest way from one set to the next.

use std::fmt::Write as _;

use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Attributes that show on a blank.
pub(super) const VISIBLE_ON_BLANK: Modifier =
    Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// Colours and attributes. Blinking is left out: nothing on this screen blinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

/// Each attribute with the codes that begin and end it. Bold and dim end by the same code.
const ATTRIBUTES: [(Modifier, u8, u8); 6] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::REVERSED, 7, 27),
    (Modifier::CROSSED_OUT, 9, 29),
];

impl Pen {
    /// What this cell is written with.
    pub(super) const fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// Writes what changes from `before` (unknown at the start of a frame) to this.
    pub(super) fn write(&self, before: Option<&Self>, out: &mut Vec<u8>) {
        let fresh = self.fresh();
        let codes = match before {
            Some(before) if before == self => return,
            Some(before) => {
                let step = self.step(before);
                if step.len() < fresh.len() { step } else { fresh }
            }
            None => fresh,
        };
        out.extend_from_slice(b"\x1b[");
        // A lone 0 can be left out.
        if codes != "0" {
            out.extend_from_slice(codes.as_bytes());
        }
        out.push(b'm');
    }

    fn fresh(&self) -> String {
        let mut codes = String::from("0");
        for (attribute, on, _) in ATTRIBUTES {
            if self.modifier.contains(attribute) {
                write!(codes, ";{on}").ok();
            }
        }
        if self.fg != Color::Reset {
            push(&mut codes, &colour(self.fg, false));
        }
        if self.bg != Color::Reset {
            push(&mut codes, &colour(self.bg, true));
        }
        codes
    }

    fn step(&self, before: &Self) -> String {
        let mut codes = String::new();
        let mut kept = before.modifier;
        for (attribute, _, off) in ATTRIBUTES {
            if kept.contains(attribute) && !self.modifier.contains(attribute) {
                push(&mut codes, &off.to_string());
                kept.remove(attribute);
                if off == 22 {
                    kept.remove(Modifier::BOLD | Modifier::DIM);
                }
            }
        }
        for (attribute, on, _) in ATTRIBUTES {
            if self.modifier.contains(attribute) && !kept.contains(attribute) {
                push(&mut codes, &on.to_string());
            }
        }
        if self.fg != before.fg {
            push(&mut codes, &colour(self.fg, false));
        }
        if self.bg != before.bg {
            push(&mut codes, &colour(self.bg, true));
        }
        codes
    }
}

fn push(codes: &mut String, code: &str) {
    if !codes.is_empty() {
        codes.push(';');
    }
    codes.push_str(code);
}

/// The sixteen colours by their short codes: terminals of any age know them, and they are short.
fn colour(colour: Color, background: bool) -> String {
    let base = if background { 10 } else { 0 };
    let short = |n: u8| (base + n).to_string();
    match colour {
        Color::Reset => short(39),
        Color::Black => short(30),
        Color::Red => short(31),
        Color::Green => short(32),
        Color::Yellow => short(33),
        Color::Blue => short(34),
        Color::Magenta => short(35),
        Color::Cyan => short(36),
        Color::Gray => short(37),
        Color::DarkGray => short(90),
        Color::LightRed => short(91),
        Color::LightGreen => short(92),
        Color::LightYellow => short(93),
        Color::LightBlue => short(94),
        Color::LightMagenta => short(95),
        Color::LightCyan => short(96),
        Color::White => short(97),
        Color::Indexed(n @ 0..=7) => short(30 + n),
        Color::Indexed(n @ 8..=15) => short(82 + n),
        Color::Indexed(n) => format!("{};5;{n}", 38 + base),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", 38 + base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(before: Pen, after: Pen) -> String {
        let mut out = Vec::new();
        after.write(Some(&before), &mut out);
        String::from_utf8(out).expect("codes are text")
    }

    #[test]
    fn only_what_changes_is_written_and_by_the_shortest_way() {
        let plain = Pen::default();
        let red = Pen { fg: Color::Red, ..plain };
        let bold = Pen { modifier: Modifier::BOLD, ..red };
        let dim = Pen { modifier: Modifier::DIM, ..red };
        assert_eq!(codes(plain, plain), "");
        assert_eq!(codes(plain, red), "\x1b[31m");
        assert_eq!(codes(red, bold), "\x1b[1m");
        assert_eq!(codes(bold, dim), "\x1b[22;2m");
        assert_eq!(codes(bold, plain), "\x1b[m");
        assert_eq!(codes(plain, Pen { bg: Color::DarkGray, ..plain }), "\x1b[100m");
        assert_eq!(codes(plain, Pen { fg: Color::Indexed(12), ..plain }), "\x1b[94m");
        assert_eq!(codes(plain, Pen { fg: Color::Rgb(1, 2, 3), ..plain }), "\x1b[38;2;1;2;3m");
    }
}

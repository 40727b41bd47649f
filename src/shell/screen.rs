//! Two buffers and the fewest bytes that turn the one into the other. ratatui's own terminal writes
//! cursor and reset sequences for an unchanged frame, in several writes, and asks for the cursor
//! when it clears; so the difference is written here, as one block of bytes a frame.

use std::io::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::letters::Letters;
use super::pen::{Pen, VISIBLE_ON_BLANK};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Up to so many unchanged cells are written again rather than jumped over: a jump takes four bytes.
const GAP: u16 = 4;

/// What the terminal shows, and what it shall show.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    whole: bool,
    letters: Letters,
    out: Vec<u8>,
}

impl Screen {
    /// A screen of this size; the first frame is drawn whole.
    pub fn new(columns: u16, rows: u16) -> Self {
        let area = Rect::new(0, 0, columns, rows);
        Self {
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            whole: true,
            letters: Letters::default(),
            out: Vec::new(),
        }
    }

    /// The same, for a terminal that takes these letters.
    #[must_use]
    pub fn of(self, letters: Letters) -> Self {
        Self { letters, ..self }
    }

    /// Its area.
    pub const fn area(&self) -> Rect {
        self.next.area
    }

    /// Gives it another size; the next frame is drawn whole.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (letters, out) = (self.letters, std::mem::take(&mut self.out));
        *self = Self { letters, out, ..Self::new(columns, rows) };
    }

    /// Draws the next frame whole, whatever the terminal shows now.
    pub const fn forget(&mut self) {
        self.whole = true;
    }

    /// Draws a frame with `draw` and returns the bytes that bring the terminal there, inside a
    /// synchronized update; none at all when nothing changed. The frame counts as shown from then on.
    pub fn frame(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> &[u8] {
        self.next.reset();
        draw(self.next.area, &mut self.next);
        normalise(&mut self.next);
        self.letters.keep_to(&mut self.next);
        self.out.clear();
        self.out.extend_from_slice(BEGIN);
        if self.whole {
            // Default colours first: some terminals clear with the colour at hand.
            self.out.extend_from_slice(b"\x1b[m\x1b[2J");
            self.shown.reset();
        }
        let changed = write_changes(&self.shown, &self.next, &mut self.out);
        if !changed && !self.whole {
            return &[];
        }
        self.whole = false;
        self.out.extend_from_slice(END);
        std::mem::swap(&mut self.shown, &mut self.next);
        &self.out
    }
}

/// A blank shows neither its text colour nor its weight: levelled, so that a change of them costs nothing.
fn normalise(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol() == " " && !cell.modifier.intersects(VISIBLE_ON_BLANK) {
            cell.fg = Color::Reset;
            cell.modifier = Modifier::empty();
        }
    }
}

fn write_changes(shown: &Buffer, next: &Buffer, out: &mut Vec<u8>) -> bool {
    let width = next.area.width;
    let mut pen = None;
    let mut at: Option<(u16, u16)> = None;
    let mut cleared: Option<u16> = None;
    let mut changed = false;
    for (x, y, cell) in shown.diff_iter(next) {
        changed = true;
        if cleared == Some(y) {
            continue;
        }
        move_to(next, &mut at, (x, y), pen.as_ref(), out);
        let style = Pen::of(cell);
        style.write(pen.as_ref(), out);
        pen = Some(style);
        if style == Pen::default() && width - x > 3 && blank_from(next, x, y) {
            out.extend_from_slice(b"\x1b[K");
            cleared = Some(y);
            at = Some((x, y));
            continue;
        }
        let symbol = cell.symbol();
        out.extend_from_slice(symbol.as_bytes());
        // Terminals disagree on the width of anything but plain glyphs: after one of those, and
        // at the right edge, the place is unknown and the next jump is absolute.
        let plain = symbol.chars().nth(1).is_none() && symbol.width() == 1;
        at = (plain && x + 1 < width).then_some((x + 1, y));
    }
    if changed {
        Pen::default().write(pen.as_ref(), out);
    }
    changed
}

/// Whether the row is blank and plain from this column on.
fn blank_from(buffer: &Buffer, x: u16, y: u16) -> bool {
    let row = usize::from(y) * usize::from(buffer.area.width);
    buffer.content[row + usize::from(x)..row + usize::from(buffer.area.width)]
        .iter()
        .all(|cell| cell.symbol() == " " && Pen::of(cell) == Pen::default())
}

/// Moves by the shortest way: writing a few cells again, stepping right, going to the next line, or a jump.
fn move_to(
    next: &Buffer,
    at: &mut Option<(u16, u16)>,
    (x, y): (u16, u16),
    pen: Option<&Pen>,
    out: &mut Vec<u8>,
) {
    // Writing to a vector cannot fail.
    match *at {
        Some(here) if here == (x, y) => {}
        Some((from, row)) if row == y && from < x => {
            let between = (from..x).map(|column| &next[(column, y)]);
            let same = |cell: &ratatui::buffer::Cell| {
                pen.is_some_and(|pen| *pen == Pen::of(cell))
                    && cell.symbol().is_ascii()
                    && cell.symbol().len() == 1
            };
            if x - from <= GAP && between.clone().all(same) {
                for cell in between {
                    out.extend_from_slice(cell.symbol().as_bytes());
                }
            } else if x - from == 1 {
                out.extend_from_slice(b"\x1b[C");
            } else {
                write!(out, "\x1b[{}C", x - from).ok();
            }
        }
        Some((_, row)) if row + 1 == y && x == 0 => out.extend_from_slice(b"\r\n"),
        _ if x == 0 => write!(out, "\x1b[{}H", y + 1).unwrap_or(()),
        _ => write!(out, "\x1b[{};{}H", y + 1, x + 1).unwrap_or(()),
    }
    *at = Some((x, y));
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;
    use ratatui::widgets::{Block, Widget};

    use super::*;

    fn bytes(screen: &mut Screen, draw: impl FnOnce(&mut Buffer)) -> String {
        String::from_utf8(screen.frame(|_, buffer| draw(buffer)).to_vec()).expect("frames are text")
    }

    #[test]
    fn an_unchanged_frame_is_no_byte() {
        let mut screen = Screen::new(20, 3);
        let draw = |buffer: &mut Buffer| Block::bordered().title("x").render(buffer.area, buffer);
        assert!(!bytes(&mut screen, draw).is_empty());
        assert_eq!(bytes(&mut screen, draw), "");
        screen.forget();
        assert!(bytes(&mut screen, draw).contains("\x1b[2J"), "a forgotten screen is drawn whole");
    }

    #[test]
    fn one_changed_number_is_a_few_bytes_inside_one_update() {
        let mut screen = Screen::new(80, 24);
        let draw = |n: &'static str| {
            move |buffer: &mut Buffer| {
                buffer.set_string(10, 5, n, Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
            }
        };
        bytes(&mut screen, draw("41"));
        let update = bytes(&mut screen, draw("42"));
        assert_eq!(update, "\x1b[?2026h\x1b[6;12H\x1b[0;1;31m2\x1b[m\x1b[?2026l");
    }

    #[test]
    fn blank_cells_cost_nothing_for_a_colour_that_does_not_show() {
        let mut screen = Screen::new(10, 1);
        bytes(&mut screen, |buffer| buffer.set_style(buffer.area, Style::new().fg(Color::Red)));
        let same = bytes(&mut screen, |buffer| buffer.set_style(buffer.area, Style::new().fg(Color::Blue)));
        assert_eq!(same, "");
        let shows = |buffer: &mut Buffer| buffer.set_style(buffer.area, Style::new().reversed());
        assert!(bytes(&mut screen, shows).contains("\x1b[0;7m"));
    }
}

//! A buffer as a picture: every run of one style placed at its column with its exact length, so that
//! a font without some glyph cannot shift what stands beside it.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// What the sixteen colours and the terminal's own look like in a picture.
#[derive(Clone, Debug)]
pub struct Palette {
    /// Ground.
    pub ground: &'static str,
    /// Letters.
    pub text: &'static str,
    /// Black to white, then bright black to bright white.
    pub colors: [&'static str; 16],
}

impl Default for Palette {
    fn default() -> Self {
        Self {
            ground: "#14171f",
            text: "#d3d7de",
            colors: [
                "#1d212b", "#d9483b", "#5fb96c", "#d9a13b", "#5b8fd9", "#b574c9", "#4fb3bf", "#c5cad3",
                "#6f7a8c", "#ff6b5e", "#83d98f", "#ffd166", "#86b6ff", "#d9a0ea", "#7fdce6", "#ffffff",
            ],
        }
    }
}

const CELL: (f64, f64) = (8.4, 18.0);

/// Draws the buffer.
#[must_use]
pub fn svg(buf: &Buffer, palette: &Palette) -> String {
    let area = buf.area;
    let (width, height) = (f64::from(area.width) * CELL.0 + 16.0, f64::from(area.height) * CELL.1 + 16.0);
    let mut out = String::with_capacity(area.area() as usize * 24);
    let head = format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{}\"/>\n",
        palette.ground
    );
    out.write_fmt(head).ok();
    for y in area.top()..area.bottom() {
        let mut x = area.left();
        while x < area.right() {
            let from = x;
            let first = &buf[(x, y)];
            let mut text = String::new();
            while x < area.right() && same_style(first, &buf[(x, y)]) {
                let symbol = buf[(x, y)].symbol();
                // Bars and lines are drawn one by one: a font may not give them the width of a letter.
                let alone = !symbol.is_ascii();
                if alone && x > from {
                    break;
                }
                text.push_str(symbol);
                x += u16::try_from(symbol.width()).unwrap_or(1).max(1);
                if alone {
                    break;
                }
            }
            run(&mut out, palette, first, &text, (from - area.left(), x - from, y - area.top()));
        }
    }
    out.push_str("</svg>\n");
    out
}

fn same_style(a: &Cell, b: &Cell) -> bool {
    (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

fn run(out: &mut String, palette: &Palette, cell: &Cell, text: &str, (x, width, y): (u16, u16, u16)) {
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let (fg, bg) = (color(cell.fg, palette, palette.text), color(cell.bg, palette, palette.ground));
    let (fg, bg) = if reversed { (bg, fg) } else { (fg, bg) };
    let (left, top) = (f64::from(x) * CELL.0 + 8.0, f64::from(y) * CELL.1 + 8.0);
    let length = f64::from(width) * CELL.0;
    let mut add = |text: std::fmt::Arguments<'_>| out.write_fmt(text).ok();
    if bg != palette.ground {
        add(format_args!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{bg}\"/>\n",
            CELL.1
        ));
    }
    if text.trim().is_empty() && !cell.modifier.contains(Modifier::UNDERLINED) {
        return;
    }
    if block(&mut add, text, (left, top), &fg) {
        return;
    }
    let mut look = String::new();
    for (modifier, css) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::DIM, " opacity=\"0.6\""),
    ] {
        if cell.modifier.contains(modifier) {
            look.push_str(css);
        }
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    add(format_args!(
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"{fg}\"{look} xml:space=\"preserve\">{escaped}</text>\n",
        top + 13.5
    ));
}

/// Draws bars and frame lines as shapes: fonts differ too much in them.
fn block(
    add: &mut impl FnMut(std::fmt::Arguments<'_>) -> Option<()>,
    text: &str,
    (left, top): (f64, f64),
    fg: &str,
) -> bool {
    let (w, h) = CELL;
    let mut rect = |x: f64, y: f64, width: f64, height: f64| {
        add(format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fg}\"/>\n",
            left + x,
            top + y
        ));
    };
    let (mid_x, mid_y) = (w / 2.0 - 0.5, h / 2.0 - 0.5);
    let bars = "▁▂▃▄▅▆▇█";
    let mut chars = text.chars();
    let (Some(symbol), None) = (chars.next(), chars.next()) else { return false };
    if let Some(at) = bars.chars().position(|bar| bar == symbol) {
        let height = h * (at + 1) as f64 / 8.0;
        rect(0.0, h - height, w, height);
        return true;
    }
    // Up, down, left, right arms.
    let (up, down, before, after, thick) = match symbol {
        '─' => (false, false, true, true, 1.0),
        '━' => (false, false, true, true, 2.0),
        '│' => (true, true, false, false, 1.0),
        '┬' => (false, true, true, true, 1.0),
        '┴' => (true, false, true, true, 1.0),
        '┼' => (true, true, true, true, 1.0),
        '├' => (true, true, false, true, 1.0),
        '└' => (true, false, false, true, 1.0),
        '┌' => (false, true, false, true, 1.0),
        '┐' => (false, true, true, false, 1.0),
        '┘' => (true, false, true, false, 1.0),
        '┤' => (true, true, true, false, 1.0),
        _ => return false,
    };
    if up {
        rect(mid_x, 0.0, thick, mid_y + 1.0);
    }
    if down {
        rect(mid_x, mid_y, thick, h - mid_y);
    }
    if before {
        rect(0.0, mid_y, mid_x + 1.0, thick);
    }
    if after {
        rect(mid_x, mid_y, w - mid_x, thick);
    }
    true
}

fn color(color: Color, palette: &Palette, reset: &str) -> String {
    let named = |at: usize| palette.colors.get(at).copied().unwrap_or("#888888").to_owned();
    match color {
        Color::Reset => reset.to_owned(),
        Color::Black => named(0),
        Color::Red => named(1),
        Color::Green => named(2),
        Color::Yellow => named(3),
        Color::Blue => named(4),
        Color::Magenta => named(5),
        Color::Cyan => named(6),
        Color::Gray => named(7),
        Color::DarkGray => named(8),
        Color::LightRed => named(9),
        Color::LightGreen => named(10),
        Color::LightYellow => named(11),
        Color::LightBlue => named(12),
        Color::LightMagenta => named(13),
        Color::LightCyan => named(14),
        Color::White => named(15),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Indexed(at) => named(usize::from(at)),
    }
}

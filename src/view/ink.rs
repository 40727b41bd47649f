//! Puts text into cells by its display width, inside the lines, in a role's style.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::theme::{Role, Theme};

/// Bytes one cell may hold: letters with heaps of combining marks are cut down to their base.
const CELL_BYTES: usize = 24;

/// A buffer with the theme it is drawn in.
pub struct Ink<'a> {
    buf: &'a mut Buffer,
    theme: &'a Theme,
    ground: Role,
}

impl<'a> Ink<'a> {
    /// Draws into `buf` with `theme`, on the ground of plain text.
    pub const fn new(buf: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buf, theme, ground: Role::Text }
    }

    /// The same on another ground: what is put on a dialog takes the dialog's.
    pub const fn on(&mut self, ground: Role) -> Ink<'_> {
        Ink { buf: self.buf, theme: self.theme, ground }
    }

    /// The style a role has on this ground.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        let style = self.theme.style(role);
        if self.ground != Role::Text && style.bg == self.theme.style(Role::Text).bg {
            Style { bg: self.theme.style(self.ground).bg, ..style }
        } else {
            style
        }
    }

    /// Empties an area and gives it a role's ground.
    pub fn fill(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buf[(x, y)];
                cell.reset();
                cell.set_style(style);
            }
        }
    }

    /// Puts `text` at `x`, `y` in at most `width` cells, cut with `…`; returns the column after it.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let style = self.style(role);
        self.put_styled(x, y, width, text, style)
    }

    /// As [`Self::put`], but so that the text ends at the area's right side; returns the column it begins at.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let needed = cells(text).min(width);
        let from = x + (width - needed);
        self.put(from, y, needed, text, role);
        from
    }

    /// As [`Self::put`] for what things are called: names of a kind differ at their ends, so those stay.
    pub fn put_name(&mut self, x: u16, y: u16, width: u16, name: &str, role: Role) -> u16 {
        self.put(x, y, width, &cut_name(name, usize::from(width)), role)
    }

    /// Draws one character over and over.
    pub fn repeat(&mut self, x: u16, y: u16, width: u16, symbol: &str, role: Role) {
        let style = self.style(role);
        for x in x..x.saturating_add(width).min(self.buf.area.right()) {
            self.cell(x, y, symbol, style);
        }
    }

    /// Gives cells another role's style and keeps what stands in them: the selected row.
    pub fn restyle(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(self.buf.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                let cell = &mut self.buf[(x, y)];
                cell.modifier = ratatui::style::Modifier::empty();
                cell.set_style(style);
            }
        }
    }

    fn put_styled(&mut self, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
        let end = x.saturating_add(width).min(self.buf.area.right());
        let text = cut(text, usize::from(end.saturating_sub(x)));
        let mut x = x;
        for symbol in text.graphemes(true) {
            let wide = u16::try_from(symbol.width()).unwrap_or(0);
            if wide == 0 || symbol.contains(char::is_control) {
                continue;
            }
            if x + wide > end {
                break;
            }
            if symbol.len() > CELL_BYTES {
                self.cell(x, y, "·", style);
                for x in x + 1..x + wide {
                    self.cell(x, y, " ", style);
                }
            } else {
                self.cell(x, y, symbol, style);
                for x in x + 1..x + wide {
                    self.cell(x, y, "", style);
                }
            }
            x += wide;
        }
        x
    }

    fn cell(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.buf.cell_mut((x, y)) {
            cell.reset();
            // The second half of a wide letter stays a blank that the terminal never gets to see.
            if !symbol.is_empty() {
                cell.set_symbol(symbol);
            }
            cell.set_style(style);
        }
    }
}

/// Display width of a text.
#[must_use]
pub fn cells(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The text in at most `width` cells, its end replaced by `…` where it is longer.
#[must_use]
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.len() <= width {
        return Cow::Borrowed(text); // no text is wider than its bytes
    }
    let mut used = 0;
    let mut fits = 0; // bytes that leave room for the …
    for (at, symbol) in text.grapheme_indices(true) {
        used += symbol.width();
        if used > width {
            return if width == 0 { Cow::Borrowed("") } else { Cow::Owned(format!("{}…", &text[..fits])) };
        }
        if used < width {
            fits = at + symbol.len();
        }
    }
    Cow::Borrowed(text)
}

/// A name in at most `width` cells: without the domain of a machine's name, else without its middle.
#[must_use]
pub fn cut_name(name: &str, width: usize) -> Cow<'_, str> {
    /// Below this many cells no end would be worth its beginning.
    const LEAST: usize = 8;
    if name.width() <= width || width < LEAST {
        return cut(name, width);
    }
    if let Some(machine) = machine(name).filter(|machine| machine.width() < width) {
        return Cow::Owned(format!("{machine}…"));
    }
    let tail = (width - 1) / 2;
    let (mut used, mut from) = (0, name.len());
    for (at, symbol) in name.grapheme_indices(true).rev() {
        used += symbol.width();
        if used > tail {
            break;
        }
        from = at;
    }
    let head = cut(name, width - name[from..].width());
    Cow::Owned(format!("{head}{}", &name[from..]))
}

/// `fleet/web1` of `fleet/web1.internal.example.com`; of an address nothing.
fn machine(name: &str) -> Option<&str> {
    let domain = name.split('/').next_back().unwrap_or(name);
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        label.contains(|c: char| c.is_ascii_lowercase()) && label.chars().all(plain)
    };
    let legal = domain.split('.').count() > 2 && domain.split('.').all(label);
    legal.then(|| name.len() - domain.len() + domain.find('.').unwrap_or(0)).map(|end| &name[..end])
}

/// Breaks a text between words into at most `lines` lines; the last is cut with `…` where more remains.
#[must_use]
pub fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() && out.len() < lines {
        if out.len() + 1 == lines || rest.width() <= width {
            out.push(cut(rest, width).into_owned());
            break;
        }
        let (mut used, mut end, mut space) = (0, 0, None);
        for (at, symbol) in rest.grapheme_indices(true) {
            if symbol == " " && !is_inside_a_measure(rest, at) {
                space = Some(at);
            }
            used += symbol.width();
            if used > width {
                break;
            }
            end = at + symbol.len();
        }
        // A word longer than the line is broken where the line ends.
        let at = space.filter(|at| *at > 0).unwrap_or(end.max(1));
        let at = (at..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        out.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start();
    }
    out
}

/// Whether the space at `at` stands between a number and its unit, as in `8.6 s`.
fn is_inside_a_measure(text: &str, at: usize) -> bool {
    let number = text[..at].ends_with(|c: char| c.is_ascii_digit());
    let unit = text[at..].trim_start().split(' ').next().unwrap_or_default();
    number && unit.trim_end_matches([')', '.', ',', ';', ':']).len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cut_by_what_it_takes_on_the_screen() {
        assert_eq!(cut("worker-1", 8), "worker-1");
        assert_eq!(cut("worker-12", 8), "worker-…");
        assert_eq!(cut("数据库服务器", 7), "数据库…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(wrap("it hangs (8.6 s)", 14, 2), ["it hangs", "(8.6 s)"]);
        assert_eq!(
            wrap("38 wait behind web.3 since 14:01", 14, 3),
            ["38 wait behind", "web.3 since", "14:01"]
        );
        assert_eq!(wrap("38 wait behind web.3 since 14:01", 14, 2), ["38 wait behind", "web.3 since 1…"]);
        assert_eq!(wrap("abcdefghij", 4, 3), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn a_name_keeps_the_end_that_tells_it_from_others() {
        assert_eq!(cut_name("web-frontend-eu-west-11", 23), "web-frontend-eu-west-11");
        assert_eq!(cut_name("web-frontend-eu-west-11", 14), "web-fro…est-11");
        assert_eq!(cut_name("fleet/rack-0-web-44.internal.example.com", 24), "fleet/rack-0-web-44…");
        assert_eq!(cut_name("fleet/10.20.30.40:9100", 16), "fleet/10…40:9100");
        assert_eq!(cut_name("App.Jobs.SendMailToAll", 14), "App.Job…lToAll");
        assert_eq!(cut_name("邮件队列的一个很长的名字", 12), "邮件队…名字");
        assert_eq!(cut_name("abcdefghij", 5), "abcd…");
    }

    proptest! {
        #[test]
        fn a_cut_name_takes_no_more_than_its_width(name in "\\PC{0,40}", width in 0usize..30) {
            prop_assert!(cut_name(&name, width).width() <= width);
        }
    }

    #[test]
    fn what_is_put_stays_inside_and_replaces_what_was_there() {
        let theme = Theme::named("terminal").expect("built in");
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        let mut ink = Ink::new(&mut buf, &theme);
        ink.put(0, 0, 6, "zzzzzz", Role::Critical);
        ink.put(0, 0, 9, "数a\u{301}", Role::Text);
        ink.put(4, 0, 9, "long text", Role::Text);
        ink.put(90, 7, 9, "outside", Role::Text);
        assert_eq!(buf[(0, 0)].symbol(), "数");
        assert_eq!(buf[(2, 0)].symbol(), "a\u{301}");
        assert_eq!(buf[(5, 0)].symbol(), "…");
        assert!(!buf[(0, 0)].modifier.contains(ratatui::style::Modifier::BOLD));
    }

    proptest! {
        #[test]
        fn nothing_ever_grows_over_its_width(text in any::<String>(), width in 0usize..40) {
            prop_assert!(cut(&text, width).width() <= width);
            for line in wrap(&text, width.max(2), 4) {
                prop_assert!(line.width() <= width.max(2));
            }
        }
    }
}

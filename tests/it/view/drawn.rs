//! A state drawn into cells, and cells read back as letters or kept as a picture.
#![expect(clippy::expect_used, reason = "a test says what it expected by failing")]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use warroom::app::App;
use warroom::view::{Theme, view};

/// The screen of a state.
pub(super) fn screen(app: &App, theme: &str, width: u16, height: u16) -> Buffer {
    let theme = Theme::named(theme).expect("built in");
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    view(app, &theme, area, &mut buf);
    buf
}

/// The letters of a screen, line by line, ends trimmed.
pub(super) fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buf.area.width {
            let symbol = buf[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap_or(1).max(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Keeps the screen as a picture where `WARROOM_PICTURES` names a folder: for eyes, not for tests.
pub(super) fn picture(name: &str, buf: &Buffer) {
    if let Some(folder) = std::env::var_os("WARROOM_PICTURES") {
        let path = std::path::Path::new(&folder).join(format!("{name}.svg"));
        std::fs::write(path, warroom::view::svg(buf, &warroom::view::Palette::default())).expect("written");
    }
}

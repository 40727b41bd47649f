//! Every theme, role by role: nothing that cannot be seen, and what must be told apart is.
#![expect(clippy::expect_used, clippy::panic, reason = "a test says what it expected by failing")]

use ratatui::style::{Color, Modifier, Style};
use warroom::app::{Pane, Place, Tab, table};
use warroom::view::{Role, Theme};

use super::drawn::{screen, text};
use super::scenes::Lab;

fn themes() -> impl Iterator<Item = (&'static str, Theme)> {
    Theme::names().map(|name| (name, Theme::named(name).expect("each role has a style")))
}

/// Red, green and blue of a colour as terminals show it out of the box; `None` for the terminal's own ground.
fn rgb(color: Color) -> Option<[u8; 3]> {
    Some(match color {
        Color::Reset => return None,
        Color::Black => [0, 0, 0],
        Color::Red => [205, 0, 0],
        Color::Green => [0, 205, 0],
        Color::Yellow => [205, 205, 0],
        Color::Blue => [0, 0, 238],
        Color::Magenta => [205, 0, 205],
        Color::Cyan => [0, 205, 205],
        Color::Gray => [229, 229, 229],
        Color::DarkGray => [127, 127, 127],
        Color::LightRed => [255, 0, 0],
        Color::LightGreen => [0, 255, 0],
        Color::LightYellow => [255, 255, 0],
        Color::LightBlue => [92, 92, 255],
        Color::LightMagenta => [255, 0, 255],
        Color::LightCyan => [0, 255, 255],
        Color::White => [255, 255, 255],
        Color::Rgb(red, green, blue) => [red, green, blue],
        Color::Indexed(n @ 232..) => [8 + 10 * (n - 232); 3],
        Color::Indexed(n @ 16..) => [(n - 16) / 36, (n - 16) / 6 % 6, (n - 16) % 6]
            .map(|at| [0, 95, 135, 175, 215, 255][usize::from(at)]),
        Color::Indexed(n) => panic!("no theme names a colour by its number: {n}"),
    })
}

/// How far two colours are apart in lightness, 1 to 21, as the web's accessibility rules count it.
fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let light = |color: [u8; 3]| {
        let [red, green, blue] = color.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The least contrast a role needs: only lines, which nobody reads, may do with less.
fn least(role: Role) -> f64 {
    if role == Role::Border { 2.5 } else { 4.5 }
}

#[test]
fn no_theme_has_a_role_that_cannot_be_seen() {
    let shallow = themes().map(|(name, theme)| (name, theme.shown_in(false)));
    for (name, theme) in themes().chain(shallow) {
        for role in Role::ALL {
            let style = theme.style(*role);
            assert!(!style.add_modifier.contains(Modifier::HIDDEN), "{name}: {role:?} is hidden");
            let (text, ground) = (style.fg.and_then(rgb), style.bg.and_then(rgb));
            match (text, ground) {
                (Some(text), Some(own)) => {
                    let plain = theme.style(Role::Text).bg.and_then(rgb);
                    let dialog = theme.style(Role::Dialog).bg.and_then(rgb);
                    // What stands on the plain ground stands on a dialog's too.
                    for ground in [Some(own), dialog.filter(|_| Some(own) == plain)].into_iter().flatten() {
                        let far = contrast(text, ground);
                        assert!(
                            far >= least(*role),
                            "{name}: {role:?} has a contrast of {far:.2}: {style:?}"
                        );
                    }
                }
                // The ground is the operator's own, dark or light.
                (Some(text), None) => {
                    let worst = contrast(text, [0; 3]).min(contrast(text, [255; 3]));
                    assert!(worst > 1.05, "{name}: {role:?} is gone on one ground: {style:?}");
                }
                (None, Some(_)) => panic!("{name}: {role:?} has a ground and leaves its letters to chance"),
                (None, None) => {}
            }
        }
    }
}

#[test]
fn what_must_be_told_apart_differs_in_every_theme() {
    let apart = [
        (Role::Ok, Role::Warning),
        (Role::Ok, Role::Critical),
        (Role::Ok, Role::Unknown),
        (Role::Warning, Role::Critical),
        (Role::Warning, Role::Unknown),
        (Role::VerdictOk, Role::VerdictWarning),
        (Role::VerdictWarning, Role::VerdictCritical),
        (Role::VerdictOk, Role::VerdictUnknown),
        (Role::Selected, Role::Text),
        (Role::Selected, Role::Marked),
        (Role::Marked, Role::Text),
        (Role::Button, Role::Dialog),
        (Role::BorderFocus, Role::Border),
        (Role::Past, Role::Live),
        (Role::EnvProduction, Role::Env),
        (Role::Greyed, Role::Text),
        (Role::Greyed, Role::Key),
        (Role::Stale, Role::Text),
        (Role::Chart, Role::ChartGap),
        (Role::Key, Role::Text),
    ];
    let shallow = themes().map(|(name, theme)| (name, theme.shown_in(false)));
    for (name, theme) in themes().chain(shallow) {
        for (one, other) in apart {
            assert_ne!(theme.style(one), theme.style(other), "{name}: {one:?} looks like {other:?}");
        }
    }
}

/// What a style comes to on the screen.
fn looks(style: Style) -> (Color, Color, Modifier) {
    (style.fg.unwrap_or(Color::Reset), style.bg.unwrap_or(Color::Reset), style.add_modifier)
}

#[test]
fn the_selected_row_stands_out_on_the_screen_in_every_theme() {
    let mut lab = Lab::healthy().with(32, |dials| dials.waiters = 38);
    lab.app.viewpoint.stack = vec![Place::Zoom(Pane::Postgres, Tab::Locks)];
    let key = table(&lab.app, Tab::Locks).rows.get(3).expect("many wait").key.clone();
    lab.app.viewpoint.selected.insert(Tab::Locks, key);
    for (name, theme) in themes() {
        let buf = screen(&lab.app, name, 80, 24);
        let seen = text(&buf);
        let y = seen.lines().position(|line| line.starts_with('▶')).expect("a cursor");
        let y = u16::try_from(y).expect("small");
        let at = |x: u16, y: u16| {
            let cell = &buf[(x, y)];
            (cell.fg, cell.bg, cell.modifier)
        };
        let selected = looks(theme.style(Role::Selected));
        let reversed = selected.2.contains(Modifier::REVERSED);
        for x in 1..78 {
            let (_, ground, modifier) = at(x, y);
            assert_eq!(
                (ground, modifier.contains(Modifier::REVERSED)),
                (selected.1, reversed),
                "{name}: column {x} of the selected row"
            );
            let (_, ground, modifier) = at(x, y + 1);
            assert_ne!(
                (ground, modifier.contains(Modifier::REVERSED)),
                (selected.1, reversed),
                "{name}: {x}"
            );
        }
    }
    let mono = Theme::choose(Some("midnight"), true).expect("NO_COLOR");
    assert!(mono.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
}

//! One pane over the whole screen: the verdict stays above, on a tall screen the courses under it,
//! then the table with the rows that can be acted on.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use super::widgets::{Tabular, draw_table};
use super::{header, heat, hints, panes, verdict};
use crate::app::{Command, Pane, Tab, selected_row, table};

/// Rows from which a screen is tall enough for courses above the table.
const TALL: u16 = 36;

/// Draws a pane with one of its tables.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, pane: Pane, tab: Tab, scene: &Scene<'_>) {
    let row = |y: u16, height: u16| Rect { x: area.x, y, width: area.width, height };
    header::draw(ink, row(area.y, 1), scene);
    verdict::draw(ink, row(area.y + 1, 3), scene);
    let mut y = area.y + 4;
    let end = area.bottom() - 1;
    if area.height >= TALL && pane != Pane::Events {
        let height = (area.height - 5) / 4;
        ink.repeat(area.x, y, area.width, "─", Role::Border);
        ink.put(area.x + 1, y, area.width - 2, &format!(" {} ", pane.title()), Role::Title);
        let inside = Rect { x: area.x + 1, y: y + 1, width: area.width - 2, height: height - 1 };
        panes::draw(ink, inside, pane, &panes::entries(pane, scene), scene);
        y += height;
    }
    let table = table(scene.app, tab);
    tabs(ink, row(y, 1), pane, tab, scene);
    y += 1;
    let end_of_summary = filter(ink, row(y, 1), scene, table.hidden);
    if !table.summary.is_empty() {
        ink.put(area.x + 1, y, end_of_summary.saturating_sub(area.x + 2), &table.summary, Role::Muted);
    }
    y += 1;
    let view = &scene.app.viewpoint;
    let selected = selected_row(&table, view, tab);
    if tab == Tab::Hosts {
        let key = selected.and_then(|at| table.rows.get(at)).map(|row| &row.key);
        y += heat::draw(ink, row(y, end.saturating_sub(y)), pane, key, scene);
    }
    let tabular = Tabular {
        table: &table,
        selected,
        marked: &view.marked,
        sort: view.sort.get(&tab).copied(),
        zone: scene.zone(),
        now: scene.now,
    };
    draw_table(ink, row(y, end.saturating_sub(y)), &tabular);
    hints::draw(ink, row(end, 1), scene);
}

/// The line over the table: the pane, and its tables with the shown one marked; at its end the keys that
/// turn to the others.
fn tabs(ink: &mut Ink<'_>, area: Rect, pane: Pane, shown: Tab, scene: &Scene<'_>) {
    ink.repeat(area.x, area.y, area.width, "━", Role::BorderFocus);
    let mut x = ink.put(area.x + 1, area.y, 24, &format!(" {} ", pane.title()), Role::BorderFocus) + 1;
    // The shown one is never among those that there is no room for.
    let width = |tab: &Tab| cells(tab.title()) + 3;
    let tabs = pane.tabs();
    let at = tabs.iter().position(|tab| *tab == shown).unwrap_or(0);
    let fits = |from: &usize| x + tabs[*from..=at].iter().map(width).sum::<u16>() + 1 < area.right();
    let from = (0..=at).find(fits).unwrap_or(at);
    for tab in &tabs[from..] {
        let (text, role) = if *tab == shown {
            (format!("[{}]", tab.title()), Role::Selected)
        } else {
            (format!(" {} ", tab.title()), Role::Muted)
        };
        if x + cells(&text) + 2 >= area.right() {
            break;
        }
        x = ink.put(x, area.y, cells(&text), &text, role) + 1;
    }
    let keys = [Command::Left, Command::Right].map(|command| arrow(hints::key_of(scene.app, command)));
    let text = if keys.iter().any(|key| key.chars().count() > 1) { keys.join(" ") } else { keys.concat() };
    let width = cells(&text) + 2;
    if pane.tabs().len() > 1 && x + width < area.right() {
        ink.put(area.right() - width - 1, area.y, width, &format!(" {text} "), Role::Key);
    }
}

/// A key as it is drawn on the keyboard.
fn arrow(key: String) -> String {
    match key.as_str() {
        "left" => "←".into(),
        "right" => "→".into(),
        _ => key,
    }
}

/// What the rows are filtered by, at the right of a line; returns where it begins.
fn filter(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>, hidden: usize) -> u16 {
    let filter = &scene.app.viewpoint.filter;
    if filter.is_empty() {
        return area.right();
    }
    let text = format!(" /{filter}: {hidden} hidden ");
    let width = cells(&text).min(area.width * 2 / 3);
    ink.put(area.right() - width - 1, area.y, width, &text, Role::Warning);
    area.right() - width - 1
}

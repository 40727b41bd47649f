//! A table of plain cells: columns by width and importance, the selected row, marks, trees, a scroll thumb.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::{Slot, fit};
use crate::app::{Cell, Row, RowKey, Sort, Table};
use crate::model::{Severity, Timestamp};
use crate::view::format;
use crate::view::ink::{Ink, cells, wrap};
use crate::view::theme::Role;

/// What is drawn, with what belongs to the operator and not to the rows.
pub struct Tabular<'a> {
    /// The rows.
    pub table: &'a Table,
    /// The selected row's place.
    pub selected: Option<usize>,
    /// Rows marked for an action.
    pub marked: &'a [RowKey],
    /// How it is sorted, where the operator chose.
    pub sort: Option<Sort>,
    /// The zone of clock times.
    pub zone: &'a TimeZone,
    /// The time, for ages and for days of clock times.
    pub now: Timestamp,
}

/// Head of the column that says on which target a row is.
const PLACE: &str = "ON";
/// Heads of columns of names that stay for as long as the table does: they are given the room these take.
const NAMES: [&str; 8] = ["HOST", "TARGET", "QUEUE", "CACHE", "POOL", "NAMESPACE", "BACKEND", PLACE];
/// Cells that a statement needs to be told from others; columns of this priority make room for it.
const WORDS: u16 = 24;
const SPARED: u8 = 4;
/// Head of a column of paths, whose ends tell them apart.
const DISK: &str = "DISK";
/// Cells before the first column: cursor, mark, severity.
const LEAD: u16 = 5;

/// Draws the table with its heads; returns how many rows there was room for.
pub fn draw_table(ink: &mut Ink<'_>, area: Rect, it: &Tabular<'_>) -> usize {
    if area.height < 2 || area.width <= LEAD + 4 {
        return 0;
    }
    let room = area.width - LEAD - 2;
    let widths = widths(it.table, room);
    let mut x = area.x + LEAD;
    for (at, (column, width)) in it.table.columns.iter().zip(&widths).enumerate() {
        let Some(width) = width else { continue };
        let arrow = match it.sort {
            Some(sort) if sort.column == at && sort.descending => "▼",
            Some(sort) if sort.column == at => "▲",
            _ => "",
        };
        let title = format!("{}{arrow}", column.title);
        if right_aligned(it.table, at) {
            ink.put_right(x, area.y, *width, &title, Role::Column);
        } else {
            ink.put(x, area.y, *width, &title, Role::Column);
        }
        x += width + 1;
    }
    if it.table.rows.is_empty() {
        let why = if it.table.hidden > 0 {
            format!("all {} rows are hidden by the filter; Esc shows them", it.table.hidden)
        } else {
            it.table.empty.clone()
        };
        for (y, line) in (area.y + 1..area.bottom()).zip(wrap(&why, usize::from(area.width - 4), 4)) {
            ink.put(area.x + 2, y, area.width - 3, &line, Role::Muted);
        }
        return usize::from(area.height - 1);
    }
    let page = usize::from(area.height - 1);
    let from = first_shown(it.selected.unwrap_or(0), it.table.rows.len(), page);
    for (line, row) in (area.y + 1..area.bottom()).zip(it.table.rows.iter().enumerate().skip(from)) {
        draw_row(ink, Rect { y: line, height: 1, ..area }, it, row, &widths);
    }
    scroll_thumb(ink, Rect { y: area.y + 1, height: area.height - 1, ..area }, from, it.table.rows.len());
    page
}

/// How wide each column is; `None` where there is no room for it, or nothing that it would say.
fn widths(table: &Table, room: u16) -> Vec<Option<u16>> {
    let silent = |at: usize| table.columns[at].title == PLACE && said_above(table, at);
    let mut shown: Vec<usize> = (0..table.columns.len()).filter(|at| !silent(*at)).collect();
    let grows = |at: usize| table.columns[at].width == 0;
    let slot = |at: &usize| {
        let column = &table.columns[*at];
        let least = if grows(*at) { 12 } else { column.width.max(cells(column.title)) };
        let least = least.max(longest_name(table, *at).min(room * 3 / 10));
        Slot { width: least, priority: if *at == 0 { 0 } else { column.priority }, grows: grows(*at) }
    };
    loop {
        let slots: Vec<Slot> = shown.iter().map(slot).collect();
        let fitted = fit(&slots, room);
        let short = shown.iter().zip(&fitted).any(|(at, width)| {
            grows(*at)
                && !matches!(table.columns[*at].title, "" | PLACE)
                && width.is_some_and(|it| it < WORDS)
        });
        let placed = shown.iter().zip(&fitted).filter(|(_, width)| width.is_some());
        let least =
            placed.map(|(at, _)| *at).filter(|at| !grows(*at)).max_by_key(|at| table.columns[*at].priority);
        if let Some(least) = least.filter(|at| short && table.columns[*at].priority >= SPARED) {
            shown.retain(|at| *at != least);
            continue;
        }
        let mut widths = vec![None; table.columns.len()];
        for (at, width) in shown.into_iter().zip(fitted) {
            widths[at] = width;
        }
        return widths;
    }
}

/// The cells that the longest name of a column takes, 0 where it holds other things.
fn longest_name(table: &Table, column: usize) -> u16 {
    if !is_name(table, column) {
        return 0;
    }
    let name = |row: &Row| match row.cells.get(column) {
        Some(Cell::Text(text)) => cells(text.as_str()),
        _ => 0,
    };
    table.rows.iter().map(name).max().unwrap_or(0)
}

/// Whether a column tells whose a row is.
fn is_name(table: &Table, column: usize) -> bool {
    let title = table.columns.get(column).map_or("", |column| column.title);
    NAMES.contains(&title) && (column == 0 || title == PLACE)
}

/// Whether every row has the same in this column, and the line above the table begins with it.
fn said_above(table: &Table, column: usize) -> bool {
    let cell = |row: &Row| match row.cells.get(column) {
        Some(Cell::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let first = table.rows.first().and_then(cell);
    first.is_some_and(|first| {
        let above = table.summary.strip_prefix(first.as_str()).is_some_and(|rest| rest.starts_with(": "));
        above && table.rows.iter().all(|row| cell(row).as_ref() == Some(&first))
    })
}

/// The first row on a page that keeps the selected one in sight, and moves only by need: by half pages.
const fn first_shown(selected: usize, rows: usize, page: usize) -> usize {
    if rows <= page || page == 0 {
        return 0;
    }
    let half = if page < 2 { 1 } else { page / 2 };
    let start = if selected < page { 0 } else { (selected - page) / half * half + half };
    let last = rows - page;
    if start > last { last } else { start }
}

fn draw_row(
    ink: &mut Ink<'_>,
    area: Rect,
    it: &Tabular<'_>,
    (at, row): (usize, &Row),
    widths: &[Option<u16>],
) {
    let (x, y) = (area.x, area.y);
    let selected = it.selected == Some(at);
    if selected {
        ink.put(x, y, 1, "▶", Role::Key);
    }
    if it.marked.contains(&row.key) {
        ink.put(x + 1, y, 1, "*", Role::Marked);
    }
    if row.severity > Severity::Ok {
        ink.put(x + 2, y, 2, row.severity.glyph(), Role::of(row.severity));
    }
    let mut left = x + LEAD;
    let only_words = only_words(row);
    for (at, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
        let Some(width) = *width else { continue };
        if let (Some(words), true) = (only_words, at > 0) {
            ink.put(left, y, area.right().saturating_sub(left + 1), words, Role::Text);
            break;
        }
        let mut from = left;
        let mut room = width;
        if at == 0 && row.depth > 0 {
            let lines = tree(row);
            from = ink.put(left, y, width, &lines, Role::Tree);
            room = (left + width).saturating_sub(from);
        }
        // Where there is nothing to note there is nothing missing either.
        let no_note = *cell == Cell::None && it.table.columns[at].title.is_empty();
        let (text, role) = if no_note { (String::new(), Role::Muted) } else { shown(cell, it) };
        if right_aligned(it.table, at) {
            ink.put_right(from, y, room, &text, role);
        } else if is_name(it.table, at) || it.table.columns[at].title == DISK {
            ink.put_name(from, y, room, &text, role);
        } else {
            ink.put(from, y, room, &text, role);
        }
        left += width + 1;
    }
    if selected {
        ink.restyle(Rect { width: area.width - 1, ..area }, Role::Selected);
    }
}

/// The words of a row that has a name, no number, and words at its end: they take all columns.
fn only_words(row: &Row) -> Option<&str> {
    let [_, between @ .., Cell::Text(words)] = row.cells.as_slice() else { return None };
    (between.len() > 1 && between.iter().all(|cell| *cell == Cell::None)).then_some(words.as_str())
}

/// Numbers stand right, but not those that a tree's lines lead to.
fn right_aligned(table: &Table, column: usize) -> bool {
    let tree = column == 0 && table.rows.iter().any(|row| row.depth > 0);
    !tree && table.columns.get(column).is_some_and(|column| column.right)
}

/// The lines that lead from its root to a row.
fn tree(row: &Row) -> String {
    let depth = usize::from(row.depth);
    let mut out = String::new();
    for level in 1..=depth.min(12) {
        let last = row.last.get(level).or_else(|| row.last.last()).copied().unwrap_or(true);
        out.push_str(match (level == depth.min(12), last) {
            (true, true) => "└ ",
            (true, false) => "├ ",
            (false, true) => "  ",
            (false, false) => "│ ",
        });
    }
    out
}

/// A cell's text in its unit, and its role.
fn shown(cell: &Cell, it: &Tabular<'_>) -> (String, Role) {
    let text = match cell {
        Cell::None => return ("-".into(), Role::Muted),
        Cell::Severity(severity) => {
            // Its glyph leads the row.
            return (severity.word().to_owned(), Role::of(*severity));
        }
        other => text_of(other, it.now, it.zone),
    };
    (text, Role::Text)
}

/// The text of a cell.
pub(in crate::view) fn text_of(cell: &Cell, now: Timestamp, zone: &TimeZone) -> String {
    match cell {
        Cell::None => "-".into(),
        Cell::Text(text) => text.to_string(),
        #[expect(clippy::cast_precision_loss, reason = "counts are rounded for the screen anyway")]
        Cell::Count(count) => format::count(*count as f64),
        Cell::Number(number) => format::number(*number),
        Cell::Seconds(seconds) => format::seconds(*seconds),
        Cell::AtLeast(seconds) => format!(">{}", format::seconds(*seconds)),
        Cell::Millis(ms) => format::millis(*ms),
        Cell::Share(share) => format::share(*share),
        Cell::Bytes(bytes) => format::bytes(*bytes),
        Cell::Rate(rate) => format::rate(*rate),
        Cell::Time(at) => format::when(*at, now, zone),
        Cell::Severity(severity) => format!("{} {}", severity.glyph(), severity.word()),
    }
}

fn scroll_thumb(ink: &mut Ink<'_>, area: Rect, from: usize, rows: usize) {
    let page = usize::from(area.height);
    if rows <= page {
        return;
    }
    let length = (page * page / rows).max(1);
    let start = from * (page - length) / (rows - page).max(1);
    for (at, y) in (area.y..area.bottom()).enumerate() {
        let on = (start..start + length).contains(&at);
        let (symbol, role) = if on { ("█", Role::Muted) } else { ("│", Role::Border) };
        ink.put(area.right() - 1, y, 1, symbol, role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_always_on_the_page() {
        for rows in 1..60 {
            for page in 1..20 {
                for selected in 0..rows {
                    let from = first_shown(selected, rows, page);
                    assert!(
                        from <= selected && selected < from + page,
                        "{selected} of {rows} on {page}: {from}"
                    );
                }
            }
        }
    }
}

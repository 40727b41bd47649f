//! Moving: between panes, tabs and rows, into things and back.

use super::{DONE, Done};
use crate::app::{App, Command, Pane, Place, RowKey, Tab, selected_row, table};
use crate::model::{Finding, Resource, Severity};

/// The table on the screen, if one is.
pub(super) fn tab(app: &App) -> Option<Tab> {
    match app.viewpoint.place() {
        Place::Overview => None,
        Place::Zoom(_, tab) | Place::Detail(tab, _) => Some(*tab),
    }
}

/// The row that is meant: the selected one of a table, or the one whose page is open.
pub(super) fn row(app: &App) -> Option<RowKey> {
    match app.viewpoint.place() {
        Place::Overview => None,
        Place::Zoom(_, tab) => {
            let table = table(app, *tab);
            let at = selected_row(&table, &app.viewpoint, *tab)?;
            table.rows.get(at).map(|row| row.key.clone())
        }
        Place::Detail(_, key) => Some(key.clone()),
    }
}

/// Rows of a page.
pub(super) fn page(app: &App) -> usize {
    usize::from(app.size.1.saturating_sub(9)).max(5)
}

/// One step into a direction: between panes on the overview, rows and tabs in a table, lines on a page.
pub(super) fn go(app: &mut App, command: Command) -> Done {
    match app.viewpoint.place().clone() {
        Place::Overview => {
            app.viewpoint.focus = neighbour(app.viewpoint.focus, command);
        }
        Place::Zoom(pane, tab) => match command {
            Command::Left => turn(app, pane, tab, pane.tabs().len() - 1),
            Command::Right => turn(app, pane, tab, 1),
            _ => select(app, tab, command),
        },
        Place::Detail(tab, key) => {
            let lines = crate::app::detail(app, tab, &key).len();
            let page = page(app);
            let scroll = &mut app.viewpoint.scroll;
            *scroll = stepped(*scroll, lines, page, command);
        }
    }
    DONE
}

/// The pane in a direction, by the places of the overview: three rows of two, and one below.
fn neighbour(pane: Pane, command: Command) -> Pane {
    let at = Pane::ALL.iter().position(|known| *known == pane).unwrap_or(0);
    let to = match command {
        Command::Left if at < 6 && at % 2 == 1 => at - 1,
        Command::Right if at < 6 && at % 2 == 0 => at + 1,
        Command::Up => at.saturating_sub(2),
        Command::Down => (at + 2).min(6),
        Command::Top | Command::PageUp => 0,
        Command::Bottom | Command::PageDown => 6,
        _ => at,
    };
    Pane::ALL[to]
}

fn turn(app: &mut App, pane: Pane, tab: Tab, by: usize) {
    let tabs = pane.tabs();
    let at = tabs.iter().position(|known| *known == tab).unwrap_or(0);
    let to = tabs[(at + by) % tabs.len()];
    replace(app, Place::Zoom(pane, to));
}

fn replace(app: &mut App, place: Place) {
    app.viewpoint.stack.pop();
    app.viewpoint.stack.push(place);
    app.viewpoint.scroll = 0;
}

const fn stepped(at: usize, count: usize, page: usize, command: Command) -> usize {
    let last = count.saturating_sub(1);
    let to = match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => at + 1,
        Command::PageUp => at.saturating_sub(page),
        Command::PageDown => at + page,
        Command::Top => 0,
        Command::Bottom => last,
        _ => at,
    };
    if to > last { last } else { to }
}

fn select(app: &mut App, tab: Tab, command: Command) {
    let table = table(app, tab);
    let Some(at) = selected_row(&table, &app.viewpoint, tab) else { return };
    let to = stepped(at, table.rows.len(), page(app), command);
    if let Some(row) = table.rows.get(to) {
        app.viewpoint.selected.insert(tab, row.key.clone());
        app.viewpoint.selected_at.insert(tab, to);
    }
}

/// To a pane: focused first, then over the whole screen.
pub(super) fn pane(app: &mut App, number: u8) -> Done {
    let Some(pane) = usize::from(number).checked_sub(1).and_then(|at| Pane::ALL.get(at)).copied() else {
        return Err(format!("there is no pane {number}"));
    };
    let zoomed = !app.viewpoint.stack.is_empty();
    let again = app.viewpoint.focus == pane;
    app.viewpoint.focus = pane;
    if zoomed || again {
        zoom_in(app, pane);
    }
    DONE
}

/// The pane after the focused one, or before it.
pub(super) fn next_pane(app: &mut App, by: usize) -> Done {
    let at = Pane::ALL.iter().position(|known| *known == app.viewpoint.focus).unwrap_or(0);
    let pane = Pane::ALL[(at + by) % Pane::ALL.len()];
    app.viewpoint.focus = pane;
    if !app.viewpoint.stack.is_empty() {
        zoom_in(app, pane);
    }
    DONE
}

fn zoom_in(app: &mut App, pane: Pane) {
    if let Place::Zoom(shown, _) = app.viewpoint.place()
        && *shown == pane
    {
        return;
    }
    app.viewpoint.scroll = 0;
    app.viewpoint.stack = vec![Place::Zoom(pane, pressing(app, pane))];
}

/// The table of a pane in which its worst trouble is seen; its first one where there is none.
fn pressing(app: &App, pane: Pane) -> Tab {
    let here = |it: &&Finding| pane.resources().contains(&it.resource) && it.severity >= Severity::Warning;
    let findings = app.shown().judgement.findings.iter().filter(here);
    // Findings stand root cause first, so of equal ones the first counts.
    let worst = findings.reduce(|worst, it| if it.severity > worst.severity { it } else { worst });
    let tab = worst.and_then(|it| match it.resource {
        Resource::PostgresSlowQueries | Resource::PostgresLoad => Some(Tab::Sessions),
        Resource::PostgresConnections if it.target.row_name().is_some() => Some(Tab::Pools),
        Resource::PostgresConnections => Some(Tab::Connections),
        Resource::PostgresReplication | Resource::PostgresVacuum => Some(Tab::Upkeep),
        Resource::HostDisk => Some(Tab::Filesystems),
        _ => None,
    });
    tab.filter(|tab| pane.tabs().contains(tab)).unwrap_or(pane.tabs()[0])
}

/// Into what is selected.
pub(super) fn drill(app: &mut App) -> Done {
    match app.viewpoint.place().clone() {
        Place::Overview => zoom_in(app, app.viewpoint.focus),
        Place::Zoom(_, tab) => {
            let key = row(app).ok_or("there is no row to open")?;
            if key.is_fold() {
                if !app.viewpoint.unfolded.remove(&key) {
                    app.viewpoint.unfolded.insert(key);
                }
                return DONE;
            }
            app.viewpoint.scroll = 0;
            app.viewpoint.stack.push(Place::Detail(tab, key));
            return Ok(super::look::ask(app));
        }
        Place::Detail(..) => return Err("this is all that is known of it".into()),
    }
    DONE
}

/// The pane over the whole screen, and back.
pub(super) fn zoom(app: &mut App) -> Done {
    if app.viewpoint.stack.is_empty() {
        zoom_in(app, app.viewpoint.focus);
    } else {
        app.viewpoint.stack.clear();
        app.viewpoint.scroll = 0;
    }
    DONE
}

/// One step back: out of the filter first, then out of the place.
pub(super) fn back(app: &mut App) -> Done {
    let view = &mut app.viewpoint;
    view.scroll = 0;
    if !view.filter.is_empty() && !matches!(view.place(), Place::Detail(..)) {
        view.filter.clear();
    } else if view.stack.pop().is_none() && app.past.is_some() {
        return super::travel::live(app);
    }
    DONE
}

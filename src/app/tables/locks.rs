//! The blocking trees, the most helpful root first.

use super::draft::{Draft, col, polled, several, severity};
use super::fold::{Leafy, Run, folded, shape};
use super::sessions::state;
use super::statements::seen;
use crate::app::{App, Cell, Column, Place, Row, RowKey, Tab};
use crate::detect::blocking::{Forest, Node};
use crate::model::words::many;
use crate::model::{Backend, DatabaseSample, Resource, SafeText, Severity};
use crate::store::Target;

const COLUMNS: &[Column] = &[
    col("PID", 11, true, 0),
    col("WHO", 12, false, 1),
    col("STATE", 17, false, 2),
    col("XACT", 6, true, 4),
    col("WAITS", 6, true, 1),
    col("FREES", 5, true, 0),
    col("HOLDS / WANTS", 22, false, 5),
    col("ON", 10, false, 7),
    col("QUERY", 0, false, 3),
];

/// Where trees of several servers stand together, whose session it is says more than the head of a statement.
const SHARED: &[Column] = &[
    col("PID", 11, true, 0),
    col("WHO", 12, false, 1),
    col("STATE", 17, false, 2),
    col("XACT", 6, true, 4),
    col("WAITS", 6, true, 1),
    col("FREES", 5, true, 0),
    col("HOLDS / WANTS", 22, false, 3),
    col("ON", 10, false, 1),
    col("QUERY", 0, false, 4),
];

pub(super) fn locks(app: &App) -> Draft {
    let now = app.moment();
    let mut draft =
        Draft { columns: COLUMNS, ordered: true, empty: "nobody waits for a lock", ..Draft::default() };
    let mut said = Vec::new();
    let mut databases: Vec<_> = app.shown().store.databases(now).collect();
    let worst = |target: &Target| severity(app, &[Resource::PostgresLocks], &target.info.id);
    databases.sort_by_key(|(target, _)| std::cmp::Reverse(worst(target)));
    for (target, sample) in databases {
        let forest = Forest::build(&sample.backends, &sample.prepared);
        if forest.waiters > 0 {
            let roots = many(forest.roots.len() as u64, "root", "roots");
            said.push(format!(
                "{}: {} waiting behind {roots}, {}",
                target.info.id,
                forest.waiters,
                polled(target, now)
            ));
        }
        let all = tree(target, sample, &forest, worst(target));
        let view = &app.viewpoint;
        // What is looked for, or opened as a page, may be any row.
        let every = matches!(view.place(), Place::Detail(..)) || !view.filter.is_empty();
        if !every && !view.sort.contains_key(&Tab::Locks) {
            draft.rows.extend(folded(&target.info.id, all, &view.unfolded, &view.marked, run));
        } else {
            draft.rows.extend(all.into_iter().map(|it| it.row));
        }
    }
    if several(&draft) {
        draft.columns = SHARED;
    }
    draft.summary = said.join("   ");
    draft
}

/// The row of several that wait alike.
fn run(run: &Run<'_>) -> Vec<Cell> {
    let what = if run.open { "Enter folds them" } else { "Enter shows them" };
    let mut cells = run.first.cells.clone();
    let query = match cells.last() {
        Some(Cell::Text(query)) => format!("{what}: {query}"),
        _ => what.to_owned(),
    };
    cells[0] = Cell::text(&format!("+{}", run.count));
    cells[1] = Cell::text("wait alike");
    cells[3] = Cell::None;
    cells[4] = Cell::maybe(run.longest, Cell::Seconds);
    if let Some(last) = cells.last_mut() {
        *last = Cell::text(&query);
    }
    cells
}

fn tree(target: &Target, sample: &DatabaseSample, forest: &Forest, worst: Severity) -> Vec<Leafy> {
    let mut rows = Vec::new();
    let mut last: Vec<bool> = Vec::new();
    for it in &forest.rows {
        last.truncate(it.depth);
        last.resize(it.depth, true);
        last.push(it.last);
        let id = &target.info.id;
        let mut kind = None;
        let mut waited = None;
        let (key, cells, waits) = match it.node {
            Node::Backend(at) => {
                let Some(backend) = sample.backends.get(at) else { continue };
                let wants = backend.wait.as_ref().filter(|_| backend.waits_for_lock());
                kind = wants.map(|wait| format!("{} {}", wait.event, shape(backend.query.as_str())));
                waited = backend.wait_age;
                let cells = vec![
                    Cell::Text(SafeText::new(&backend.key.pid.to_string())),
                    Cell::text(backend.who()),
                    Cell::text(&state(backend)),
                    Cell::maybe(backend.xact_age, Cell::Seconds),
                    Cell::maybe(backend.wait_age, Cell::Seconds),
                    Cell::Count(u64::from(it.frees)),
                    holds_or_wants(backend),
                    Cell::text(id.as_str()),
                    seen(&backend.query),
                ];
                (RowKey::Backend(id.clone(), backend.key), cells, !backend.blocked_by.is_empty())
            }
            Node::Prepared(at) => {
                let Some(prepared) = sample.prepared.get(at) else { continue };
                let cells = vec![
                    Cell::text("prepared"),
                    Cell::Text(prepared.owner.clone()),
                    Cell::text("prepared"),
                    Cell::Seconds(prepared.age),
                    Cell::None,
                    Cell::Count(u64::from(it.frees)),
                    Cell::None,
                    Cell::text(id.as_str()),
                    Cell::text(&format!("transaction {}: a commit or K, a rollback, ends it", prepared.gid)),
                ];
                (RowKey::Named(id.clone(), format!("prepared {}", prepared.gid)), cells, false)
            }
            Node::UnnamedPrepared => {
                let mut cells =
                    vec![Cell::text("prepared"), Cell::None, Cell::text("prepared"), Cell::None, Cell::None];
                cells.push(Cell::Count(u64::from(it.frees)));
                cells.extend([Cell::None, Cell::text(id.as_str())]);
                cells.push(Cell::text("a prepared transaction that could not be named"));
                (RowKey::Named(id.clone(), "prepared".into()), cells, false)
            }
        };
        let row = Row {
            key,
            depth: u16::try_from(it.depth).unwrap_or(u16::MAX),
            last: last.clone(),
            severity: if waits { Severity::Ok } else { worst },
            cells,
        };
        rows.push(Leafy { row, kind, waits: waited });
    }
    rows
}

/// What a waiter waits for, what a root holds.
fn holds_or_wants(backend: &Backend) -> Cell {
    let lock = backend.wanted().or_else(|| backend.holds.first().cloned());
    Cell::maybe(lock, |lock| Cell::text(&lock.line()))
}

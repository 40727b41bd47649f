//! What statements cost lately, dearest first: by the time they kept sessions busy.

use super::draft::{Draft, col, row};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::words::span;
use crate::model::{SafeText, Severity, StatementCost, TargetId};

const COLUMNS: &[Column; 10] = &[
    col("BUSY", 7, true, 0),
    col("OF ALL", 6, true, 1),
    col("CALLS", 9, true, 0),
    col("EACH", 8, true, 0),
    col("ROWS", 9, true, 3),
    col("READS", 9, true, 4),
    col("USER", 10, false, 4),
    col("DATABASE", 10, false, 4),
    col("ON", 10, false, 5),
    col("STATEMENT", 0, false, 0),
];

/// What a row is called by: unique in its table.
fn name(it: &StatementCost) -> String {
    format!("statement {} {} {}", it.user, it.database, it.query_id)
}

/// The statement behind a row's name, while its target still tells of it.
pub fn statement_of<'a>(app: &'a App, target: &TargetId, row: &str) -> Option<&'a StatementCost> {
    let sample = app.shown().store.databases(app.moment()).find(|(known, _)| known.info.id == *target)?.1;
    sample.statements.as_ref()?.top.iter().find(|it| name(it) == row)
}

/// A statement in a row: without the notes that a library writes before it, for there they would be all
/// that is seen.
pub(super) fn seen(query: &SafeText) -> Cell {
    let mut rest = query.as_str();
    while let Some((_, after)) = rest.strip_prefix("/*").and_then(|note| note.split_once("*/")) {
        rest = after.trim_start();
    }
    match rest {
        "" if query.is_empty() => Cell::None,
        "" => Cell::Text(query.clone()),
        rest => Cell::text(rest),
    }
}

pub(super) fn statements(app: &App) -> Draft {
    let mut draft = Draft {
        columns: COLUMNS,
        ordered: true,
        empty: "no statement statistics yet: they need pg_stat_statements, and two readings of it",
        ..Draft::default()
    };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.databases(app.moment()) {
        let id = &target.info.id;
        let Some(told) = &sample.statements else {
            let gap = sample.missing.iter().find(|gap| gap.what.as_str() == "statement statistics");
            said.extend(gap.map(|gap| format!("{id}: {}", gap.why)));
            continue;
        };
        let busy = told.busy().unwrap_or(0.0);
        let age = sample.lanes.iter().find(|lane| lane.lane.as_str() == "statement statistics");
        let age = age.map_or_else(String::new, |lane| format!(", read {} ago", span(lane.age)));
        said.push(format!(
            "{id}: {busy:.1} sessions kept busy by {:.0} calls/s, over {}{age}",
            told.calls_per_second().unwrap_or(0.0),
            span(told.over),
        ));
        for it in &told.top {
            let a_second = |number: f64| Cell::Rate(number / told.over.max(0.001));
            let known = |text: &crate::model::SafeText| {
                if text.is_empty() { Cell::None } else { Cell::Text(text.clone()) }
            };
            draft.rows.push(row(
                RowKey::Named(id.clone(), name(it)),
                Severity::Ok,
                vec![
                    Cell::Number(it.exec_ms / 1e3 / told.over.max(0.001)),
                    if told.exec_ms > 0.0 { Cell::Share(it.exec_ms / told.exec_ms) } else { Cell::None },
                    a_second(it.calls as f64),
                    Cell::maybe(it.mean_ms(), Cell::Millis),
                    a_second(it.rows as f64),
                    a_second(it.blocks_read as f64),
                    known(&it.user),
                    known(&it.database),
                    Cell::text(id.as_str()),
                    if it.query.is_empty() {
                        Cell::text(&format!("queryid {}", it.query_id))
                    } else {
                        seen(&it.query)
                    },
                ],
            ));
        }
    }
    draft.summary = said.join("   ");
    draft
}

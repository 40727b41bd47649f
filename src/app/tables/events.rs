//! What happened, newest first.

use super::draft::{Draft, col, row};
use crate::app::{App, Cell, Column, EventKind, RowKey};
use crate::model::Severity;

const COLUMNS: &[Column] = &[col("AT", 8, false, 0), col("WHAT", 8, false, 0), col("", 0, false, 0)];

pub(super) fn events(app: &App) -> Draft {
    let mut draft =
        Draft { columns: COLUMNS, ordered: true, empty: "nothing has happened yet", ..Draft::default() };
    let now = app.moment();
    for event in app.events.iter().rev().filter(|event| event.at <= now) {
        let (word, severity) = match event.kind {
            EventKind::Finding(severity) => (severity.word(), severity),
            EventKind::Target(severity) => (if severity == Severity::Ok { "up" } else { "down" }, severity),
            EventKind::Deploy => ("deploy", Severity::Ok),
            EventKind::Noticed => ("changed", Severity::Ok),
            EventKind::Act => ("act", Severity::Ok),
        };
        draft.rows.push(row(
            RowKey::Event(event.number),
            severity,
            vec![Cell::Time(event.at), Cell::text(word), Cell::Text(event.says.clone())],
        ));
    }
    draft
}

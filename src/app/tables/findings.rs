//! What is concluded now: root causes first, each symptom naming its cause.

use super::draft::{Draft, col, row};
use crate::app::{App, Cell, Column, RowKey};

const COLUMNS: &[Column] = &[
    col("RESOURCE", 21, false, 0),
    col("SEVERITY", 8, false, 4),
    col("ON", 14, false, 0),
    col("FOR", 6, true, 1),
    col("CAUSED BY", 24, false, 3),
    col("SAYS", 0, false, 1),
];

pub(super) fn findings(app: &App) -> Draft {
    let mut draft =
        Draft { columns: COLUMNS, ordered: true, empty: "nothing is under pressure", ..Draft::default() };
    let now = app.moment();
    for it in &app.shown().judgement.findings {
        draft.rows.push(row(
            RowKey::Named(it.target.clone(), format!("{} {}", it.rule, it.resource)),
            it.severity,
            vec![
                Cell::text(it.resource.id()),
                Cell::Severity(it.severity),
                Cell::text(it.target.as_str()),
                Cell::Seconds(now.seconds_since(it.since).max(0.0)),
                Cell::maybe(it.caused_by.as_deref(), Cell::text),
                Cell::text(&it.says),
            ],
        ));
    }
    draft
}

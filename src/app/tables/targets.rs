//! What is polled, and how it answers.

use super::draft::{Draft, col, row, severity, why_silent};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::{Resource, Severity};
use crate::store::TargetState;

const COLUMNS: &[Column] = &[
    col("TARGET", 14, false, 0),
    col("KIND", 13, false, 1),
    col("STATE", 7, false, 0),
    col("AGE", 7, true, 1),
    col("TOOK", 7, true, 1),
    col("EVERY", 6, true, 4),
    col("AT", 28, false, 3),
    col("", 0, false, 2),
];

pub(super) fn targets(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no target is configured", ..Draft::default() };
    for target in app.shown().store.targets() {
        let (info, state) = (&target.info, target.state(now));
        // A machine of a fleet has its place among the machines, and here only when it does not answer.
        if info.id.row_name().is_some() && state == TargetState::Up {
            continue;
        }
        let judged = severity(app, &[Resource::TargetAnswer], &info.id);
        let own = match state {
            TargetState::Up | TargetState::Waiting => Severity::Ok,
            TargetState::Stale | TargetState::Down => Severity::Unknown,
        };
        let word = if state == TargetState::Waiting { "awaited" } else { state.word() };
        draft.rows.push(row(
            RowKey::Target(info.id.clone()),
            judged.max(own),
            vec![
                Cell::text(info.id.as_str()),
                Cell::text(&info.kind),
                Cell::text(word),
                Cell::maybe(target.age(now), |age| Cell::Seconds(age.as_secs_f64())),
                Cell::maybe(target.heard.map(|_| target.took.0), Cell::Millis),
                Cell::Seconds(info.every.as_secs_f64()),
                Cell::text(&info.endpoint),
                if state == TargetState::Up { Cell::None } else { Cell::text(&why_silent(target, now)) },
            ],
        ));
    }
    draft
}

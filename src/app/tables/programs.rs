//! Programs that take the processors and the memory of a machine that is short of them.

use super::draft::{Draft, col, row};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::Severity;

const PROGRAMS: &[Column] = &[
    col("PROGRAM", 16, false, 0),
    col("CORES", 5, true, 0),
    col("RSS MAX", 8, true, 0),
    col("ITS PID", 8, true, 1),
    col("PROCESSES", 9, true, 1),
    col("ON", 0, false, 2),
];

pub(super) fn programs(app: &App) -> Draft {
    let mut draft = Draft {
        columns: PROGRAMS,
        empty: "no machine that we run on is short of processors or memory: only then are programs looked at",
        ..Draft::default()
    };
    for (target, sample) in app.shown().store.hosts(app.moment()) {
        let id = &target.info.id;
        for program in &sample.programs {
            draft.rows.push(row(
                RowKey::Named(id.clone(), program.name.as_str().to_owned()),
                Severity::Ok,
                vec![
                    Cell::Text(program.name.clone()),
                    Cell::Number(program.cores),
                    Cell::Bytes(program.largest as f64),
                    Cell::text(&program.pid.to_string()),
                    Cell::Count(program.processes.into()),
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft
}

//! App servers, and the workers of each below it.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, Row, RowKey};
use crate::model::{APP_KINDS, AppSample, AppWorker, Resource, Severity};
use crate::store::Target;

const COLUMNS: &[Column] = &[
    col("SERVER", 22, false, 0),
    col("STATE", 12, false, 1),
    col("BUSY", 5, true, 0),
    col("OF", 5, true, 0),
    col("WAIT", 6, true, 0),
    col("INSIDE", 6, true, 2),
    col("LIMIT", 6, true, 3),
    col("REQUESTS", 8, true, 1),
    col("ANSWER", 7, true, 2),
    col("FOR", 6, true, 1),
    col("WORKS ON", 0, false, 1),
];

pub(super) fn app_servers(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no app server is polled", ..Draft::default() };
    // Workers stand below their server, so the groups are ordered and not their rows.
    draft.ordered = true;
    let mut groups: Vec<(Severity, Vec<Row>)> = Vec::new();
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.apps(now) {
        groups.push(group(app, target, sample));
        said.push(format!("{}: {}", target.info.id, polled(target, now)));
    }
    groups.extend(silent_rows(app, APP_KINDS, COLUMNS).map(|row| (row.severity, vec![row])));
    groups.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    draft.rows = groups.into_iter().flat_map(|(_, rows)| rows).collect();
    draft.summary = said.join("   ");
    draft
}

fn group(app: &App, target: &Target, sample: &AppSample) -> (Severity, Vec<Row>) {
    let id = &target.info.id;
    let worst = severity(app, &[Resource::RequestQueue], id);
    let waits = app.shown().judgement.resource(Resource::RequestQueue, id).and_then(|it| it.saturation);
    let limit = sample.sockets.iter().filter_map(|socket| socket.limit).reduce(u64::saturating_add);
    let requests = target.app_window().and_then(|rates| rates.requests);
    let cells = vec![
        Cell::text(id.as_str()),
        Cell::Text(sample.product.clone()),
        Cell::Count(sample.busy),
        Cell::Count(sample.capacity),
        Cell::maybe(waits, Cell::Number),
        Cell::maybe(sample.backlog, Cell::Count),
        Cell::maybe(limit, Cell::Count),
        Cell::maybe(requests, Cell::Rate),
        Cell::maybe(sample.answer_ms, Cell::Millis),
        Cell::None,
        Cell::None,
    ];
    let mut rows = vec![row(RowKey::Target(id.clone()), worst, cells)];
    let mut workers: Vec<&AppWorker> = sample.workers.iter().collect();
    let ages = |worker: &AppWorker| worker.busy_for.unwrap_or(if worker.busy > 0 { 0.0 } else { -1.0 });
    workers.sort_by(|a, b| ages(b).total_cmp(&ages(a)));
    let count = workers.len();
    for (at, worker) in workers.into_iter().enumerate() {
        let cells = vec![
            Cell::text(&format!("{} (pid {})", worker.name, worker.pid)),
            Cell::Text(worker.state.clone()),
            Cell::Count(worker.busy),
            Cell::Count(worker.capacity),
            Cell::None,
            Cell::maybe(worker.backlog, Cell::Count),
            Cell::None,
            Cell::None,
            Cell::maybe(worker.answer_ms, Cell::Millis),
            Cell::maybe(worker.busy_for, Cell::Seconds),
            worker.doing.clone().map_or(Cell::None, Cell::Text),
        ];
        rows.push(Row {
            key: RowKey::Named(id.clone(), format!("worker {}", worker.name)),
            depth: 1,
            last: vec![true, at + 1 == count],
            severity: Severity::Ok,
            cells,
        });
    }
    (worst, rows)
}

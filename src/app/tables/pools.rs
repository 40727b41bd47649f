//! The pools of connection poolers, those with clients that wait first.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::Resource;

/// Kinds that are poolers.
const POOLERS: &[&str] = &["pgbouncer"];

const COLUMNS: &[Column] = &[
    col("POOL", 22, false, 0),
    col("WAITING", 7, true, 0),
    col("LONGEST", 8, true, 0),
    col("TAKEN", 6, true, 0),
    col("OF", 5, true, 1),
    col("FREE", 5, true, 2),
    col("CLIENTS", 7, true, 2),
    col("QUERIES", 8, true, 2),
    col("EACH", 8, true, 2),
    col("WAITED", 8, true, 3),
    col("MODE", 11, false, 3),
    col("SERVER", 0, false, 1),
];

pub(super) fn pools(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no pooler is polled", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.poolers(now) {
        for pool in &sample.pools {
            let id = target.info.id.row(pool.name.as_str());
            let worst = severity(app, &[Resource::PostgresConnections], &id);
            let database = sample.databases.iter().find(|one| one.name == pool.database);
            let disabled = database.is_some_and(|one| one.disabled);
            let server = match (pool.paused, disabled) {
                (true, _) => format!("paused, {}", pool.server),
                (_, true) => format!("disabled, {}", pool.server),
                _ => pool.server.to_string(),
            };
            let rates = target.pooler_rates(pool.database.as_str());
            draft.rows.push(row(
                RowKey::Target(id.clone()),
                worst,
                vec![
                    Cell::text(id.as_str()),
                    Cell::Count(pool.clients_waiting),
                    if pool.clients_waiting > 0 { Cell::Seconds(pool.longest_wait) } else { Cell::None },
                    Cell::Count(pool.servers_active),
                    Cell::maybe(pool.size, Cell::Count),
                    Cell::Count(pool.servers_idle),
                    Cell::Count(pool.clients_active),
                    Cell::maybe(rates.and_then(|rates| rates.queries), Cell::Rate),
                    Cell::maybe(rates.and_then(|rates| rates.query_seconds), Cell::Seconds),
                    Cell::maybe(rates.and_then(|rates| rates.waited), |it| {
                        Cell::text(&format!("{it:.1} s/s"))
                    }),
                    Cell::Text(pool.mode.clone()),
                    Cell::text(&server),
                ],
            ));
        }
        let closed = sample.databases.iter().filter(|one| one.disabled || one.paused);
        let closed: Vec<String> = closed
            .map(|one| format!(", {} {}", one.name, if one.disabled { "disabled" } else { "paused" }))
            .collect();
        let closed = closed.concat();
        said.push(format!("{}: {} clients{closed}, {}", target.info.id, sample.clients, polled(target, now)));
    }
    draft.rows.extend(silent_rows(app, POOLERS, COLUMNS));
    draft.summary = said.join("   ");
    draft
}

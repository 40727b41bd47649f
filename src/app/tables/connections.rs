//! Connections counted by who holds them: application, role, database.

use std::collections::BTreeMap;

use super::draft::{Draft, col, row, severity};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::{BackendState, Resource, Severity};

const COLUMNS: &[Column] = &[
    col("APPLICATION", 16, false, 0),
    col("USER", 12, false, 2),
    col("DATABASE", 12, false, 3),
    col("ALL", 6, true, 0),
    col("OF LIMIT", 8, true, 1),
    col("ACTIVE", 6, true, 1),
    col("IDLE", 6, true, 2),
    col("IN TX", 6, true, 1),
    col("WAITING", 7, true, 3),
    col("ON", 0, false, 4),
];

#[derive(Default)]
struct Held {
    all: u64,
    active: u64,
    idle: u64,
    in_transaction: u64,
    waiting: u64,
}

pub(super) fn connections(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no connection is known", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.databases(now) {
        let id = &target.info.id;
        let limit = sample.max_connections.saturating_sub(sample.reserved_connections);
        let mut groups: BTreeMap<(String, String, String), Held> = BTreeMap::new();
        for backend in sample.backends.iter().filter(|backend| backend.is_client()) {
            let key = (backend.family().to_owned(), backend.user.to_string(), backend.database.to_string());
            let held = groups.entry(key).or_default();
            held.all += 1;
            held.waiting += u64::from(backend.waits_for_lock());
            match backend.state {
                BackendState::Active | BackendState::Fastpath => held.active += 1,
                BackendState::Idle => held.idle += 1,
                BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted => {
                    held.in_transaction += 1;
                }
                BackendState::Starting | BackendState::Unknown => {}
            }
        }
        let used: u64 = groups.values().map(|held| held.all).sum();
        said.push(format!("{id}: {used} of {limit} usable connections"));
        let judged = severity(app, &[Resource::PostgresConnections], id);
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, held)| std::cmp::Reverse(held.all));
        for ((application, user, database), held) in groups {
            // The limit is everybody's; it is shown against who holds most of it.
            let worst = if held.all * 3 >= used { judged } else { Severity::Ok };
            let key = RowKey::Named(id.clone(), format!("{application} {user} {database}"));
            draft.rows.push(row(
                key,
                worst,
                vec![
                    Cell::text(&application),
                    Cell::text(&user),
                    Cell::text(&database),
                    Cell::Count(held.all),
                    if limit > 0 { Cell::Share(held.all as f64 / f64::from(limit)) } else { Cell::None },
                    Cell::Count(held.active),
                    Cell::Count(held.idle),
                    Cell::Count(held.in_transaction),
                    Cell::Count(held.waiting),
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft.summary = said.join("   ");
    draft
}

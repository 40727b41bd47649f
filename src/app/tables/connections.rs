//! Connections counted by who holds them: application, role, database.

use std::collections::BTreeMap;

use super::draft::{Draft, col, row, severity};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::words::{many, span};
use crate::model::{Backend, BackendState, DatabaseSample, Resource, Sample, Severity};
use crate::store::Target;

/// Addresses told of one row, those with most sessions.
const TOLD: usize = 8;

const COLUMNS: &[Column; 11] = &[
    col("APPLICATION", 16, false, 0),
    col("USER", 12, false, 2),
    col("DATABASE", 12, false, 3),
    col("ALL", 6, true, 0),
    col("OF LIMIT", 8, true, 1),
    col("ACTIVE", 6, true, 1),
    col("IDLE", 6, true, 2),
    col("IN TX", 6, true, 1),
    col("WAITING", 7, true, 3),
    col("FROM", 15, false, 3),
    col("ON", 0, false, 4),
];

#[derive(Default)]
struct Held<'a> {
    from: BTreeMap<&'a str, u64>,
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
        let mut groups: BTreeMap<(String, String, String), Held<'_>> = BTreeMap::new();
        for backend in sample.backends.iter().filter(|backend| backend.takes_slot()) {
            let key = (family(backend).to_owned(), backend.user.to_string(), backend.database.to_string());
            let held = groups.entry(key).or_default();
            held.all += 1;
            *held.from.entry(address(backend)).or_default() += 1;
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
        let used = sample.slots_taken();
        said.push(format!("{id}: {used} of {limit} usable connections{}", churn(target, sample)));
        let judged = severity(app, &[Resource::PostgresConnections], id);
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, held)| std::cmp::Reverse(held.all));
        for ((application, user, database), held) in groups {
            // The limit is everybody's; it is shown against who holds most of it.
            let worst = if held.all * 3 >= used { judged } else { Severity::Ok };
            let key = RowKey::Named(id.clone(), name(&application, &user, &database));
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
                    Cell::text(&match held.from.first_key_value() {
                        Some((one, _)) if held.from.len() == 1 => (*one).to_owned(),
                        _ => many(held.from.len() as u64, "address", "addresses"),
                    }),
                    Cell::text(id.as_str()),
                ],
            ));
        }
    }
    draft.summary = said.join("   ");
    draft
}

fn name(application: &str, user: &str, database: &str) -> String {
    format!("{application} {user} {database}")
}

/// The kind of process; of one that has not said who it is, just that.
fn family(backend: &Backend) -> &str {
    if backend.state == BackendState::Starting { "(authenticating)" } else { backend.family() }
}

fn address(backend: &Backend) -> &str {
    if backend.client.is_empty() { "local socket" } else { backend.client.as_str() }
}

/// How fast sessions come and are lost, and who is still at the door; nothing where that is little.
fn churn(target: &Target, sample: &DatabaseSample) -> String {
    let rates = target.database_rates();
    let logins = rates.and_then(|rates| rates.logins).filter(|logins| *logins >= 0.5);
    let lost = rates.and_then(|rates| rates.lost).filter(|lost| *lost >= 0.5);
    let starting = sample.backends.iter().filter(|one| one.state == BackendState::Starting).count();
    let least = if sample.version >= 140_000 { "" } else { "at least " };
    let most = sample.newcomers.first().map_or_else(String::new, |most| format!(" (most by {})", most.who()));
    let says = [
        logins.map(|logins| format!(", logins {least}{logins:.0}/s{most}")),
        lost.map(|lost| format!(", lost {lost:.0}/s")),
        (starting > 0).then(|| format!(", {starting} authenticating")),
    ];
    says.into_iter().flatten().collect()
}

/// What has no column of the sessions that one row counts: where they come from, and the oldest of a kind.
pub(super) fn holders(target: &Target, row: &str) -> Vec<(String, Cell)> {
    let Some(Sample::Database(sample)) = target.sample.as_ref().map(|sample| &sample.it) else {
        return Vec::new();
    };
    let ours: Vec<&Backend> = sample
        .backends
        .iter()
        .filter(|one| one.takes_slot())
        .filter(|one| name(family(one), one.user.as_str(), one.database.as_str()) == row)
        .collect();
    let mut lines = Vec::new();
    let mut add = |label: &str, text: &str| lines.push((label.to_owned(), Cell::text(text)));
    let mut from: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    for one in &ours {
        let [all, active, in_transaction] = from.entry(address(one)).or_default();
        *all += 1;
        *active += u64::from(one.state == BackendState::Active);
        *in_transaction += u64::from(idle_in_transaction(one));
    }
    let mut from: Vec<_> = from.into_iter().collect();
    from.sort_by_key(|(_, [all, ..])| std::cmp::Reverse(*all));
    for (address, [all, active, in_transaction]) in from.iter().take(TOLD) {
        let all = many(*all, "session", "sessions");
        add("from", &format!("{address}: {all}, {active} active, {in_transaction} idle in transaction"));
    }
    if from.len() > TOLD {
        add("from", &format!("{} more addresses", from.len() - TOLD));
    }
    let oldest = |of: &dyn Fn(&Backend) -> bool| {
        ours.iter()
            .filter(|one| of(one))
            .filter_map(|one| one.state_age.map(|age| (age, one)))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(age, one)| format!("pid {}, {} ({})", one.key.pid, span(age), one.application_name))
    };
    if let Some(text) = oldest(&idle_in_transaction) {
        add("longest idle in tx", &text);
    }
    if let Some(text) = oldest(&|one| one.state == BackendState::Idle) {
        add("longest idle", &text);
    }
    let newest =
        ours.iter().map(|one| sample.server_time.seconds_since(one.key.started).max(0.0)).reduce(f64::min);
    if let Some(age) = newest {
        add("newest session", &format!("{} old{}", span(age), churn(target, sample)));
    }
    lines
}

fn idle_in_transaction(one: &Backend) -> bool {
    matches!(one.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted)
}

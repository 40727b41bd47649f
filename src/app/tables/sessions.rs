//! Every session of every database.

use super::draft::{Draft, col, row};
use super::statements::seen;
use crate::app::{App, Cell, Column, RowKey};
use crate::detect::blocking::Forest;
use crate::model::words::{many, span};
use crate::model::{Backend, BackendState, SafeText, Severity};
use crate::store::Target;

/// Kinds that are PostgreSQL.
pub(super) const POSTGRES: &[&str] = &["postgres"];
/// A transaction left open for so long is worth a look.
const LEFT_OPEN: f64 = 60.0;

const COLUMNS: &[Column; 11] = &[
    col("PID", 7, true, 0),
    col("WHO", 12, false, 1),
    col("USER", 10, false, 5),
    col("DATABASE", 10, false, 6),
    col("STATE", 16, false, 2),
    col("RUNS", 6, true, 3),
    col("XACT", 6, true, 3),
    col("WAITS FOR", 18, false, 5),
    col("CLIENT", 15, false, 7),
    col("ON", 10, false, 8),
    col("QUERY", 0, false, 1),
];

/// `idle in tx 2m14s`: the state with its age where that matters.
pub(super) fn state(backend: &Backend) -> String {
    let word = match backend.state {
        BackendState::IdleInTransaction => "idle in tx",
        BackendState::IdleInTransactionAborted => "failed tx",
        // The one of the server's own processes that waits for locks.
        BackendState::Unknown if backend.kind.as_str() == "startup" => return "replays the log".into(),
        BackendState::Unknown if backend.is_hidden() => return "hidden from us".into(),
        // The others have none.
        BackendState::Unknown if !backend.is_client() => return "-".into(),
        other => return other.word().to_owned(),
    };
    backend.state_age.map_or_else(|| word.to_owned(), |age| format!("{word} {}", span(age)))
}

pub(super) fn sessions(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no session is known", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.databases(now) {
        let forest = Forest::build(&sample.backends, &sample.prepared);
        let blocks = |backend: &Backend| backend.blocked_by.is_empty() && in_forest(&forest, sample, backend);
        let mut backends: Vec<&Backend> = sample.backends.iter().collect();
        backends.sort_by(|a, b| busy(b).cmp(&busy(a)).then(age(b).total_cmp(&age(a))));
        for backend in backends {
            let key = RowKey::Backend(target.info.id.clone(), backend.key);
            draft.rows.push(row(key, severity(target, backend, blocks(backend)), cells(target, backend)));
        }
        let left =
            if sample.left_out > 0 { format!(", {} left out", sample.left_out) } else { String::new() };
        let count = many(sample.backends.len() as u64, "session", "sessions");
        said.push(format!("{}: {count}{left}", target.info.id));
    }
    draft.summary = said.join("   ");
    draft
}

fn in_forest(forest: &Forest, sample: &crate::model::DatabaseSample, backend: &Backend) -> bool {
    forest.rows.iter().any(|row| match row.node {
        crate::detect::blocking::Node::Backend(at) => {
            sample.backends.get(at).is_some_and(|other| other.key == backend.key)
        }
        _ => false,
    })
}

fn busy(backend: &Backend) -> u8 {
    match backend.state {
        BackendState::Active | BackendState::Fastpath => 2,
        BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted => 2,
        _ => u8::from(backend.is_client()),
    }
}

fn age(backend: &Backend) -> f64 {
    backend.xact_age.or(backend.query_age).unwrap_or(0.0)
}

fn severity(target: &Target, backend: &Backend, blocks: bool) -> Severity {
    let slow = backend.state == BackendState::Active
        && backend.is_client()
        && backend.query_age.is_some_and(|age| age >= target.info.slow_after.as_secs_f64());
    let left_open =
        matches!(backend.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted)
            && backend.xact_age.is_some_and(|age| age >= LEFT_OPEN);
    if blocks {
        Severity::Critical
    } else if backend.waits_for_lock() || slow || left_open {
        Severity::Warning
    } else {
        Severity::Ok
    }
}

fn cells(target: &Target, backend: &Backend) -> Vec<Cell> {
    let known = |text: &SafeText| if text.is_empty() { Cell::None } else { Cell::Text(text.clone()) };
    let active = backend.state == BackendState::Active;
    vec![
        Cell::Text(SafeText::new(&backend.key.pid.to_string())),
        Cell::text(backend.who()),
        known(&backend.user),
        known(&backend.database),
        Cell::text(&state(backend)),
        Cell::maybe(backend.query_age.filter(|_| active), Cell::Seconds),
        Cell::maybe(backend.xact_age, Cell::Seconds),
        Cell::maybe(backend.wait.as_ref().filter(|_| active), |wait| {
            Cell::text(&format!("{} {}", wait.class, wait.event))
        }),
        if backend.client.is_empty() && backend.is_client() {
            Cell::text("local")
        } else {
            known(&backend.client)
        },
        Cell::text(target.info.id.as_str()),
        seen(&backend.query),
    ]
}

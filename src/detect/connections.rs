//! `postgres.connections`: sessions against what an ordinary role may open. Measured as a share.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{count, span};
use crate::model::{
    Backend, BackendState, Culprit, DatabaseSample, PollErrorKind, Remedy, Resource, SafeText, Severity,
};
use crate::store::Target;

/// Logins a second that are worth a word.
const CHURN: f64 = 5.0;

/// Judges every database, and every one that refuses us for want of a slot.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut all: Vec<_> =
        view.store.databases(view.now).map(|(target, sample)| judge(view, target, sample)).collect();
    let full = |target: &&std::sync::Arc<Target>| {
        target.info.kind == "postgres"
            && target.error.as_ref().is_some_and(|error| error.it.kind == PollErrorKind::Exhausted)
    };
    all.extend(view.store.targets().iter().filter(full).map(|target| {
        Assessment::new("connections", Resource::PostgresConnections, target.info.id.clone())
            .measured(1.0, view.limits(Resource::PostgresConnections, &target.info.id))
            .at_least(Severity::Critical)
            .used(Some(1.0), None, Some(1))
            .says("every connection slot is taken: the server refuses new sessions, warroom's own too")
    }));
    all
}

fn judge(view: &View<'_>, target: &Target, sample: &DatabaseSample) -> Assessment {
    let id = &target.info.id;
    let it = Assessment::new("connections", Resource::PostgresConnections, id.clone());
    let usable = sample.max_connections.saturating_sub(sample.reserved_connections);
    if usable == 0 {
        return it.unknown("the server's connection limit could not be read");
    }
    let clients: Vec<&Backend> = sample.backends.iter().filter(|one| one.takes_slot()).collect();
    let used = sample.slots_taken();
    let share = used as f64 / f64::from(usable);
    let it = it
        .measured(share, view.limits(Resource::PostgresConnections, id))
        .level()
        .used(Some(share), None, None)
        .hold(Duration::from_secs(2));
    let taken = format!("{} of {} connections taken", count(used), count(u64::from(usable)));
    if it.kept < Severity::Warning {
        return it.says(taken);
    }
    let Some((name, most)) = largest(&clients) else { return it.says(taken) };
    let in_transaction = |one: &&&Backend| {
        matches!(one.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted)
    };
    let idle: Vec<_> = clients.iter().filter(in_transaction).collect();
    let oldest = idle.iter().filter_map(|one| one.state_age).fold(0.0, f64::max);
    let idle_words = match idle.len() {
        0 => String::new(),
        some => format!(", {some} idle in transaction (longest {})", span(oldest)),
    };
    let starting = match clients.iter().filter(|one| one.state == BackendState::Starting).count() {
        0 => String::new(),
        some => format!(", {some} still authenticating"),
    };
    // Sessions that come and go are another matter than sessions that stay.
    let logins = target
        .database_rates()
        .and_then(|rates| rates.logins)
        .filter(|logins| *logins >= CHURN)
        .map_or_else(String::new, |logins| {
            let most = sample.newcomers.first();
            let most = most.map_or_else(String::new, |most| format!(", most by {}", most.application));
            format!(", {logins:.0} logins/s{most}")
        });
    it.says(format!("{taken}: {most} by {name}{idle_words}{starting}{logins}"))
        .culprit(Culprit::Sessions {
            name: SafeText::new(&name),
            count: u32::try_from(most).unwrap_or(u32::MAX),
        })
        .remedy(Remedy::advice(if idle.is_empty() {
            format!("lower the pool of {name}, or end its idle sessions")
        } else {
            format!("end the sessions idle in transaction, then lower the pool of {name}")
        }))
}

/// The kind of process with most sessions.
fn largest(clients: &[&Backend]) -> Option<(String, usize)> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for client in clients {
        *by_name.entry(client.family()).or_default() += 1;
    }
    let (name, most) = by_name.into_iter().max_by_key(|(_, number)| *number)?;
    Some((name.to_owned(), most))
}

//! `postgres.load`: too many queries at once. Measured in busy sessions for each core.

use std::time::Duration;

use super::slow_queries::{RIGHTS, hidden};
use super::{Assessment, View, machine};
use crate::model::words::many;
use crate::model::{Backend, BackendState, DatabaseSample, Remedy, Resource, Severity};
use crate::store::Target;

/// What a server is taken to have whose machine is not polled: generous, since a wrong alarm costs
/// trust and the locks, the slow queries and the request queue speak for themselves.
const ASSUMED_CORES: u32 = 16;
/// A machine this small still answers a few at once; fewer are never called too many.
const LEAST_CORES: u32 = 4;

/// Judges every database.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let databases = view.store.databases(view.now);
    let judge = |(target, sample): (&Target, &DatabaseSample)| {
        let busy = busy(sample);
        let known = cores(view, target);
        let cores = known.unwrap_or(ASSUMED_CORES).max(LEAST_CORES);
        let of = match known {
            Some(known) => many(u64::from(known), "core", "cores"),
            None => format!("cores not known, {ASSUMED_CORES} assumed"),
        };
        let value = busy as f64 / f64::from(cores);
        let it = Assessment::new("db_load", Resource::PostgresLoad, target.info.id.clone())
            .measured(value, view.limits(Resource::PostgresLoad, &target.info.id))
            .used(None, Some(busy as f64), None)
            .hold(Duration::from_secs(3))
            .says(format!("{} busy ({of})", many(busy, "session", "sessions")));
        match hidden(sample).filter(|_| it.entered == Severity::Ok) {
            Some(why) => it.unknown(why).remedy(Remedy::advice(RIGHTS)),
            None => it,
        }
    };
    databases.map(judge).collect()
}

/// Sessions at work.
pub(super) fn busy(sample: &DatabaseSample) -> u64 {
    sample.backends.iter().filter(|one| works(one)).count() as u64
}

/// Whether it asks for processor or disk now: not one that waits for a lock, its client or a timer.
fn works(backend: &Backend) -> bool {
    let class = backend.wait.as_ref().map_or("", |wait| wait.class.as_str());
    let worker = backend.is_client() || backend.kind.as_str() == "parallel worker";
    worker
        && matches!(backend.state, BackendState::Active | BackendState::Fastpath)
        && !matches!(class, "Lock" | "Client" | "Timeout" | "Extension" | "Activity")
}

/// The cores of the machine a database runs on, where that machine is polled too.
fn cores(view: &View<'_>, database: &Target) -> Option<u32> {
    let home = machine::name(database);
    view.store
        .hosts(view.now)
        .find(|(host, _)| machine::name(host) == home)
        .map(|(_, sample)| sample.cores)
        .filter(|cores| *cores > 0)
}

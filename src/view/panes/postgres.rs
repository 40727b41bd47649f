//! 2: PostgreSQL: who waits for locks beside what runs too long, and how full it is.

use super::entry::trouble;
use super::{Entry, Scene, Shape, counted};
use crate::model::{Backend, BackendState, DatabaseSample, Pool, PoolerSample, Resource, Sample, Severity};
use crate::store::{Metric, Target};
use crate::view::format;
use crate::view::widgets::Scale;

/// Locked, slow, connections, busy, idle in transaction.
pub(super) const SHAPES: (u16, &[Shape]) = (
    7,
    &[
        Shape::judged(9, 0),
        Shape::judged(7, 0),
        Shape::judged(5, 1),
        Shape::judged(8, 2),
        Shape::plain(11, 3),
    ],
);

/// One entry a server.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    let mut out = Vec::new();
    for target in scene.world.store.targets() {
        match target.sample.as_ref().map(|sample| &sample.it) {
            Some(Sample::Database(sample)) => {
                out.push(trouble(target, scene).unwrap_or_else(|| entry(scene, target, sample)));
            }
            Some(Sample::Pooler(sample)) => {
                out.push(trouble(target, scene).unwrap_or_else(|| pooler(scene, target, sample)));
            }
            None if matches!(target.info.kind.as_str(), "postgres" | "pgbouncer") => {
                out.extend(trouble(target, scene));
            }
            _ => {}
        }
    }
    out
}

fn pooler(scene: &Scene<'_>, target: &Target, sample: &PoolerSample) -> Entry {
    let id = &target.info.id;
    let waiting: u64 = sample.pools.iter().map(|pool| pool.clients_waiting).sum();
    let taken: u64 = sample.pools.iter().map(|pool| pool.servers_active).sum();
    let worst = sample.pools.iter().max_by(|a, b| {
        a.longest_wait
            .total_cmp(&b.longest_wait)
            .then(a.used().unwrap_or(0.0).total_cmp(&b.used().unwrap_or(0.0)))
    });
    let row = worst.map_or_else(|| id.clone(), |pool| id.row(pool.name.as_str()));
    let severity = scene.severity(Resource::PostgresConnections, &row);
    let own = scene.severity(Resource::PostgresConnections, id);
    let full = worst.and_then(Pool::used);
    let wait = worst.filter(|pool| pool.clients_waiting > 0);
    Entry::of(id.as_str(), target, scene)
        .weigh(full)
        .field(counted(Some(waiting as f64), "wait"), severity)
        .field(String::new(), Severity::Ok)
        .field(format::maybe(full, format::share), own)
        .field(counted(Some(taken as f64), "busy"), Severity::Ok)
        .plain(String::new())
        .note(wait.map(|pool| format!("waits {} {}", format::seconds(pool.longest_wait), pool.name)))
        .note(worst.map(|pool| format!("pool {}", pool.name)))
        .note(Some(format!("{} clients", sample.clients)))
        .course("taken", &row, Metric::Resource(Resource::PostgresConnections), Scale::AtLeast(1.0))
}

fn entry(scene: &Scene<'_>, target: &Target, sample: &DatabaseSample) -> Entry {
    let id = &target.info.id;
    let slow_after = target.info.slow_after.as_secs_f64();
    let clients = || sample.backends.iter().filter(|backend| backend.is_client());
    // What sessions do that are hidden from our role is not known; that they wait is.
    let hidden = sample.backends.iter().filter(|backend| backend.is_hidden()).count();
    let count = |of: &dyn Fn(&Backend) -> bool| {
        (hidden == 0).then(|| clients().filter(|backend| of(backend)).count() as f64)
    };
    let waits = |backend: &Backend| backend.waits_for_lock() || !backend.blocked_by.is_empty();
    // A standby's replay that waits is as locked as a client is.
    let replay = |backend: &&Backend| backend.kind.as_str() == "startup" && waits(backend);
    let replays = sample.backends.iter().filter(replay).count() as f64;
    let locked = sample.backends.iter().filter(|one| one.takes_slot() && waits(one)).count() as f64 + replays;
    let active = |backend: &Backend| backend.state == BackendState::Active;
    let long = |backend: &Backend| backend.query_age.is_some_and(|age| age >= slow_after);
    // Who waits for a lock is told as locked, not as slow.
    let slow = count(&|backend| active(backend) && !waits(backend) && long(backend));
    let longest = clients()
        .filter(|backend| active(backend) && !waits(backend) && long(backend))
        .filter_map(|backend| backend.query_age)
        .reduce(f64::max);
    let in_transaction = count(&|backend| {
        matches!(backend.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted)
    });
    let usable = f64::from(sample.max_connections.saturating_sub(sample.reserved_connections));
    let used = sample.slots_taken() as f64;
    let full = (usable > 0.0).then(|| used / usable);
    let rates = target.database_rates();
    let oldest = sample.backends.iter().filter_map(|backend| backend.wait_age).reduce(f64::max);
    let lags = sample.replicas.iter().filter_map(|replica| replica.lag_seconds);
    let lag = sample.replay_lag.or_else(|| lags.reduce(f64::max));
    let mut entry = Entry::of(id.as_str(), target, scene)
        .weigh(Some(locked).filter(|locked| *locked > 0.0).or(full))
        .field(counted(Some(locked), "locked"), scene.severity(Resource::PostgresLocks, id))
        .field(counted(slow, "slow"), scene.severity(Resource::PostgresSlowQueries, id))
        .field(format::maybe(full, format::share), scene.severity(Resource::PostgresConnections, id))
        .field(counted(count(&active), "busy"), scene.severity(Resource::PostgresLoad, id))
        .plain(counted(in_transaction, "in tx"))
        .note(longest.map(|age| format!("longest query {}", format::seconds(age))))
        .note(oldest.filter(|age| *age >= 1.0).map(|age| format!("longest wait {}", format::seconds(age))))
        .note(rates.and_then(|rates| rates.transactions).map(|tps| format!("{} commits", format::rate(tps))))
        .note(Some(format!("{} of {usable:.0} slots", format::count(used))))
        .note((hidden > 0).then(|| format!("{hidden} hidden: grant pg_monitor")))
        .bad_note(
            lag.map(|lag| format!("lag {}", format::seconds(lag))),
            scene.severity(Resource::PostgresReplication, id),
        )
        .note(
            rates.and_then(|rates| rates.hit_ratio).map(|hit| format!("buffers hit {}", format::share(hit))),
        )
        .course("locked", id, Metric::Resource(Resource::PostgresLocks), Scale::AtLeast(5.0))
        .course("slow", id, Metric::Resource(Resource::PostgresSlowQueries), Scale::AtLeast(5.0));
    // Where there is room for one chart only, it is that of the greater trouble.
    let (locks, slows) = (Resource::PostgresLocks, Resource::PostgresSlowQueries);
    entry.lead = usize::from(scene.severity(slows, id) > scene.severity(locks, id));
    entry
}

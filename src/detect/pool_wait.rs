//! `postgres.connections` of a pooler: clients that wait for a connection of a pool, and who holds them
//! all. A pool may well be full all day: what counts is how long its clients wait. One row a pool.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{many, span};
use crate::model::{
    Backend, BackendState, Culprit, Intent, Pool, PoolerSample, Remedy, Resource, Severity, TargetId,
};
use crate::store::Target;

/// Seconds of waiting that are a warning, and that are critical.
const LONG: [f64; 2] = [0.5, 5.0];
/// Share of these at which it ends again.
const LEAVE: f64 = 0.4;
/// Seconds idle in a transaction from which a session is to blame for a full pool.
const IDLE: f64 = 1.0;

/// Judges every pool, and every pooler by the clients it takes at most.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let one = |(target, sample): (&Target, &PoolerSample)| {
        let mut all: Vec<_> = sample.pools.iter().map(|pool| pool_wait(view, target, sample, pool)).collect();
        all.extend(clients(view, target, sample));
        all
    };
    view.store.poolers(view.now).flat_map(one).collect()
}

fn clients(view: &View<'_>, target: &Target, sample: &PoolerSample) -> Option<Assessment> {
    let most = sample.max_clients.filter(|most| *most > 0)?;
    let share = sample.clients as f64 / most as f64;
    let id = &target.info.id;
    Some(
        Assessment::new("pooler_clients", Resource::PostgresConnections, id.clone())
            .measured(share, view.limits(Resource::PostgresConnections, id))
            .level()
            .used(Some(share), None, None)
            .hold(Duration::from_secs(2))
            .says(format!("{} of {most} clients it takes (max_client_conn)", sample.clients)),
    )
}

fn pool_wait(view: &View<'_>, target: &Target, sample: &PoolerSample, pool: &Pool) -> Assessment {
    let row = target.info.id.row(pool.name.as_str());
    let mut it = Assessment::new("pool_wait", Resource::PostgresConnections, row)
        .used(pool.used(), Some(pool.clients_waiting as f64), None)
        .hold(Duration::from_secs(1));
    it.value = pool.used();
    if pool.clients_waiting == 0 && pool.paused {
        return it.says(format!("paused at the pooler, nobody waits yet: RESUME {} opens it", pool.database));
    }
    if pool.clients_waiting == 0 {
        return it.says(free(pool));
    }
    let by = |scale: f64| match LONG.iter().filter(|long| pool.longest_wait >= **long * scale).count() {
        0 => Severity::Ok,
        1 => Severity::Warning,
        _ => Severity::Critical,
    };
    (it.entered, it.kept) = (by(1.0), by(LEAVE));
    let it = it.proven(pool.longest_wait);
    let wait = many(pool.clients_waiting, "client waits", "clients wait");
    let wait = format!("{wait} up to {} for a connection", span(pool.longest_wait));
    if pool.paused {
        return it
            .says(format!("{wait}: the pool is paused"))
            .remedy(Remedy::advice(format!("resume {} at the pooler's console", pool.database)));
    }
    let size = pool.size.unwrap_or(0);
    if pool.servers_active < size {
        return it
            .says(format!(
                "{wait}: {} of {size} are open, the server {} gives no more",
                pool.servers_active, pool.server
            ))
            .remedy(Remedy::advice(format!(
                "see whether {} takes connections, and the pooler's log",
                pool.server
            )));
    }
    // Few slow statements are another matter than many quick ones.
    let pace =
        target.pooler_rates(pool.database.as_str()).and_then(|rates| rates.query_seconds.zip(rates.queries));
    let pace = pace.map_or_else(String::new, |(each, queries)| {
        format!(" ({queries:.0} statements/s of {} each)", span(each))
    });
    let taken = match pool.servers_active {
        1 => "the only one is taken".to_owned(),
        all => format!("all {all} are taken"),
    };
    let full = format!("{wait}: {taken}{pace}");
    let Some((database, held)) = holders(view, sample, pool) else {
        return it.says(full).remedy(Remedy::advice(format!(
            "see what holds them, then raise pool_size of {}",
            pool.database
        )));
    };
    blame(it, &full, pool, &database, &held)
}

fn free(pool: &Pool) -> String {
    let of = pool.size.map_or_else(String::new, |size| format!(" of {size}"));
    format!("{}{of} connections taken, nobody waits", pool.servers_active)
}

/// Says who holds the connections, and whose end gives one back.
fn blame(it: Assessment, full: &str, pool: &Pool, database: &TargetId, held: &[&Backend]) -> Assessment {
    let idle = |one: &&&Backend| {
        matches!(one.state, BackendState::IdleInTransaction | BackendState::IdleInTransactionAborted)
            && one.state_age.is_some_and(|age| age >= IDLE)
    };
    let idles = held.iter().filter(idle).count();
    let longest = held
        .iter()
        .filter(idle)
        .max_by(|a, b| a.state_age.unwrap_or(0.0).total_cmp(&b.state_age.unwrap_or(0.0)));
    let waiting = u32::try_from(pool.clients_waiting).unwrap_or(u32::MAX);
    if let Some(one) = longest {
        let age = span(one.state_age.unwrap_or(0.0));
        let who = format!("{} (pid {}) {age}", one.who(), one.key.pid);
        let intent = Intent::TerminateBackend { target: database.clone(), backends: vec![one.key] };
        return it
            .says(format!("{full}, {idles} idle in transaction: {who}"))
            .culprit(Culprit::backend(one, waiting))
            .remedy(Remedy {
                intent: Some(intent),
                says: "end it: its connection goes to who waits".into(),
            });
    }
    let locked = held.iter().filter(|one| one.waits_for_lock()).count();
    if locked > 0 {
        return it
            .says(format!("{full}, {locked} of them wait for locks on {database}"))
            .remedy(Remedy::advice(format!("end what blocks them on {database}")));
    }
    let oldest = held.iter().max_by(|a, b| a.query_age.unwrap_or(0.0).total_cmp(&b.query_age.unwrap_or(0.0)));
    let busy = oldest.map_or_else(String::new, |one| {
        format!(
            ", the longest for {} by {} (pid {})",
            span(one.query_age.unwrap_or(0.0)),
            one.who(),
            one.key.pid
        )
    });
    let says = format!("make its statements shorter, or raise pool_size of {}", pool.database);
    let it = it.says(format!("{full}{busy}")).remedy(Remedy::advice(says));
    match oldest {
        Some(one) => it.culprit(Culprit::backend(one, waiting)),
        None => it,
    }
}

/// The server processes behind a pool, where the database server is watched as well: the one that has
/// most of those process ids in that database.
fn holders<'a>(
    view: &'a View<'_>,
    sample: &PoolerSample,
    pool: &Pool,
) -> Option<(TargetId, Vec<&'a Backend>)> {
    let of_pool = |pid: i32| {
        let mut links = sample.links.iter();
        links.any(|link| link.pid == pid && link.database == pool.database && link.user == pool.user)
    };
    let behind = pool.server.as_str().rsplit('/').next().unwrap_or_default();
    view.store
        .databases(view.now)
        .map(|(target, database)| {
            let ours = |one: &&Backend| one.database.as_str() == behind && of_pool(one.key.pid);
            (target.info.id.clone(), database.backends.iter().filter(ours).collect::<Vec<_>>())
        })
        .max_by_key(|(_, held)| held.len())
        .filter(|(_, held)| !held.is_empty())
}

//! What happened between two samples. A counter that fell gives no rate.

mod app_server;
mod cache;
mod database;
mod host;
mod pooler;
mod proxy;
mod queue;

use std::collections::BTreeMap;

pub use app_server::AppRates;
pub use cache::{CacheRates, CommandRate};
pub use database::DatabaseRates;
pub use host::{CpuShares, DiskRate, HostRates, PressureShares};
pub use pooler::PoolerRates;
pub use proxy::ProxyRates;
pub use queue::QueueRates;

use crate::model::{DatabaseSample, Sample, TargetId};

/// Rates of rows, by the row's name below its target.
pub type RowRates<T> = BTreeMap<String, T>;

/// Rates of one target.
#[derive(Clone, Debug)]
pub enum Rates {
    /// Of a machine.
    Host(HostRates),
    /// Of a database server.
    Database(DatabaseRates),
    /// Of a cache.
    Cache(CacheRates),
    /// Of each queue; under no name, of all queues together.
    Queue(RowRates<QueueRates>),
    /// Of an app server.
    App(AppRates),
    /// Of each database that a pooler leads to.
    Pooler(RowRates<PoolerRates>),
    /// Of each backend (`app`) and of each server behind it (`app/web1`).
    Proxy(RowRates<ProxyRates>),
}

/// What of a sample must be kept for rates.
pub(super) enum Kept {
    /// Nothing: it carries no counters.
    Nothing,
    /// It is small enough to be kept as it is.
    Whole,
    /// This part of it.
    Part(Sample),
}

/// The part of a sample that rates need.
pub(super) fn counters_only(sample: &Sample) -> Kept {
    match sample {
        Sample::Database(it) => it.totals.map_or(Kept::Nothing, |totals| {
            let kept =
                DatabaseSample { totals: Some(totals), started: it.started, ..DatabaseSample::default() };
            Kept::Part(Sample::Database(Box::new(kept)))
        }),
        Sample::Cache(it) => {
            let mut kept = it.clone();
            kept.slow = Vec::new();
            (kept.client_list, kept.key_sizes) = (None, Vec::new());
            (kept.namespaces, kept.found, kept.largest) = (Vec::new(), Vec::new(), Vec::new());
            Kept::Part(Sample::Cache(kept))
        }
        _ => Kept::Whole,
    }
}

/// Seconds between two looks by the clock of who looked, where that was not us.
fn own_clock(before: &Sample, now: &Sample) -> Option<f64> {
    match (before, now) {
        (Sample::Host(a), Sample::Host(b)) => a.clock.zip(b.clock).map(|(a, b)| b - a),
        _ => None,
    }
}

/// Whether somebody in between has not looked again since: nothing can be learnt from it.
pub(super) fn is_the_same_look(before: &Sample, now: &Sample) -> bool {
    own_clock(before, now) == Some(0.0)
}

/// Rates from one sample to a later one of the same target.
pub(super) fn between(before: &Sample, now: &Sample, seconds: f64) -> Option<Rates> {
    let seconds = own_clock(before, now).unwrap_or(seconds);
    if seconds <= 0.0 {
        return None;
    }
    match (before, now) {
        (Sample::Host(a), Sample::Host(b)) => Some(Rates::Host(HostRates::between(a, b, seconds))),
        (Sample::Database(a), Sample::Database(b)) => {
            DatabaseRates::between(a, b, seconds).map(Rates::Database)
        }
        (Sample::Cache(a), Sample::Cache(b)) => CacheRates::between(a, b, seconds).map(Rates::Cache),
        (Sample::Queue(a), Sample::Queue(b)) => Some(Rates::Queue(queue::between(a, b, seconds))),
        (Sample::App(a), Sample::App(b)) => AppRates::between(a, b, seconds).map(Rates::App),
        (Sample::Pooler(a), Sample::Pooler(b)) => Some(Rates::Pooler(pooler::between(a, b, seconds))),
        (Sample::Proxy(a), Sample::Proxy(b)) => proxy::between(a, b, seconds).map(Rates::Proxy),
        _ => None,
    }
}

/// Hands out the work done a second of a target and of its rows.
pub(super) fn throughput(target: &TargetId, rates: &Rates, mut each: impl FnMut(&TargetId, Option<f64>)) {
    match rates {
        Rates::Host(_) | Rates::Pooler(_) => {}
        Rates::Database(rates) => each(target, rates.transactions),
        Rates::App(rates) => each(target, rates.requests),
        Rates::Cache(rates) => each(target, rates.commands),
        Rates::Queue(rows) => {
            for (name, row) in rows {
                let of = if name.is_empty() { target.clone() } else { target.row(name) };
                each(&of, row.service);
            }
        }
        Rates::Proxy(rows) => {
            for (name, row) in rows {
                each(&target.row(name), row.requests);
            }
        }
    }
}

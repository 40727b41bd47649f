//! Rates of a pooler's databases.

use super::RowRates;
use crate::model::PoolerSample;
use crate::store::counter::{grown, per_second};

/// What clients did and suffered in one database of a pooler between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoolerRates {
    /// Statements a second.
    pub queries: Option<f64>,
    /// Transactions a second.
    pub transactions: Option<f64>,
    /// Seconds a statement took on average; `None` when there was none.
    pub query_seconds: Option<f64>,
    /// Seconds that clients waited for a connection, a second: how many waited at any moment. Counted when
    /// a wait ends.
    pub waited: Option<f64>,
}

/// By the database as clients name it.
pub(super) fn between(a: &PoolerSample, b: &PoolerSample, seconds: f64) -> RowRates<PoolerRates> {
    let one = |now: &crate::model::PooledDatabase| {
        let before = a.databases.iter().find(|one| one.name == now.name)?.counters?;
        let now_counters = now.counters?;
        let queries = grown(before.queries, now_counters.queries);
        let micros = grown(before.query_micros, now_counters.query_micros);
        let each = queries.zip(micros).filter(|(queries, _)| *queries > 0);
        let rates = PoolerRates {
            queries: queries.map(|some| some as f64 / seconds),
            transactions: per_second(before.transactions, now_counters.transactions, seconds),
            query_seconds: each.map(|(queries, micros)| micros as f64 / 1e6 / queries as f64),
            waited: per_second(before.wait_micros, now_counters.wait_micros, seconds).map(|it| it / 1e6),
        };
        Some((now.name.to_string(), rates))
    };
    b.databases.iter().filter_map(one).collect()
}

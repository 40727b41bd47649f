//! Rates of a proxy's backends and of the servers behind them.

use super::RowRates;
use crate::model::{ProxySample, Untold};
use crate::store::counter::{grown, per_second, share};

/// What one backend or one server behind it did between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProxyRates {
    /// Requests a second.
    pub requests: Option<f64>,
    /// Requests since the earlier sample.
    pub request_count: u64,
    /// Share of answers that were 5xx.
    pub errors_5xx: Option<f64>,
    /// Connections to servers that failed, a second.
    pub connect_errors: Option<f64>,
    /// Requests tried again, a second.
    pub retries: Option<f64>,
    /// Share of lookups answered from memory; of a whole backend only.
    pub hit_ratio: Option<f64>,
}

/// Counters of a row: requests, 5xx, connect errors, retries.
type Counters = [u64; 4];

/// Rates by backend and by `backend/server`; `None` across a reload.
pub(super) fn between(a: &ProxySample, b: &ProxySample, seconds: f64) -> Option<RowRates<ProxyRates>> {
    if a.process.as_ref().map(|p| p.pid) != b.process.as_ref().map(|p| p.pid) {
        return None;
    }
    let mut rows = RowRates::new();
    for now in &b.backends {
        let Some(before) = a.backends.iter().find(|before| before.name == now.name) else { continue };
        let counters =
            |x: &crate::model::ProxyBackend| [x.requests, x.errors_5xx, x.connect_errors, x.retries];
        let hit_ratio = a.cache.zip(b.cache).and_then(|(a, b)| {
            let (hits, misses) = (grown(a.hits, b.hits)?, grown(a.misses, b.misses)?);
            share(hits as f64, hits.saturating_add(misses) as f64)
        });
        let rates = row(counters(before), counters(now), now.untold, seconds);
        rows.insert(now.name.to_string(), ProxyRates { hit_ratio, ..rates });
        for server in &now.servers {
            let Some(was) = before.servers.iter().find(|was| was.name == server.name) else { continue };
            let counters =
                |x: &crate::model::ProxyServer| [x.requests, x.errors_5xx, x.connect_errors, x.retries];
            rows.insert(
                format!("{}/{}", now.name, server.name),
                row(counters(was), counters(server), server.untold, seconds),
            );
        }
    }
    Some(rows)
}

fn row(before: Counters, now: Counters, untold: Untold, seconds: f64) -> ProxyRates {
    let requests = grown(before[0], now[0]).filter(|_| !untold.requests);
    ProxyRates {
        requests: requests.map(|n| n as f64 / seconds),
        request_count: requests.unwrap_or(0),
        errors_5xx: grown(before[1], now[1])
            .zip(requests)
            .filter(|_| !untold.errors_5xx)
            .and_then(|(bad, all)| share(bad as f64, (all.max(bad)) as f64)),
        connect_errors: per_second(before[2], now[2], seconds).filter(|_| !untold.connect_errors),
        retries: per_second(before[3], now[3], seconds).filter(|_| !untold.retries),
        hit_ratio: None,
    }
}

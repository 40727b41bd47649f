//! Rates of an app server.

use crate::model::AppSample;
use crate::store::counter::grown;

/// What an app server did between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppRates {
    /// Seconds between them.
    pub seconds: f64,
    /// Requests a second; `None` where too little time passed for the server to refresh its numbers.
    pub requests: Option<f64>,
    /// Uncaught exceptions.
    pub exceptions: u64,
    /// Workers started anew.
    pub spawned: u64,
    /// Requests ended by force.
    pub ended: u64,
    /// Times it was at its limit of workers.
    pub at_limit: u64,
    /// Slow requests.
    pub slow: u64,
    /// Times a listen queue was full.
    pub overflows: u64,
}

impl AppRates {
    /// `None` across a restart.
    pub(super) fn between(a: &AppSample, b: &AppSample, seconds: f64) -> Option<Self> {
        if a.run != b.run {
            return None;
        }
        let more = |of: fn(&AppSample) -> Option<u64>| grown(of(a)?, of(b)?);
        let some = |of: fn(&AppSample) -> Option<u64>| more(of).unwrap_or(0);
        let settled = seconds >= 1.9 * b.refreshed_every;
        Some(Self {
            seconds,
            requests: more(|it| it.requests).filter(|_| settled).map(|count| count as f64 / seconds),
            exceptions: some(|it| it.exceptions),
            spawned: some(|it| it.spawned),
            ended: some(|it| it.ended),
            at_limit: some(|it| it.at_limit),
            slow: some(|it| it.slow),
            overflows: some(|it| it.overflows),
        })
    }
}

//! Rates of a database server.

use crate::model::DatabaseSample;
use crate::store::counter::{grown, per_second, share};

/// What a database server did between two samples that carry totals.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseRates {
    /// Transactions ended a second.
    pub transactions: Option<f64>,
    /// Share of them rolled back.
    pub rollback_share: Option<f64>,
    /// Deadlocks since the previous totals.
    pub deadlocks: Option<u64>,
    /// Bytes written to temporary files a second.
    pub temp_bytes: Option<f64>,
    /// Share of blocks found in shared buffers.
    pub hit_ratio: Option<f64>,
}

impl DatabaseRates {
    /// Rates from `a` to `b`; `None` across a restart.
    pub(super) fn between(a: &DatabaseSample, b: &DatabaseSample, seconds: f64) -> Option<Self> {
        let (before, now) = a.totals.zip(b.totals)?;
        if a.started != b.started {
            return None;
        }
        let commits = grown(before.commits, now.commits);
        let rollbacks = grown(before.rollbacks, now.rollbacks);
        let ended = commits.zip(rollbacks).map(|(done, undone)| (done + undone) as f64);
        let hit = grown(before.blocks_hit, now.blocks_hit);
        let read = grown(before.blocks_read, now.blocks_read);
        Some(Self {
            transactions: ended.map(|n| n / seconds),
            rollback_share: rollbacks.zip(ended).and_then(|(undone, all)| share(undone as f64, all)),
            deadlocks: grown(before.deadlocks, now.deadlocks),
            temp_bytes: per_second(before.temp_bytes, now.temp_bytes, seconds),
            hit_ratio: hit.zip(read).and_then(|(hit, read)| share(hit as f64, (hit + read) as f64)),
        })
    }
}

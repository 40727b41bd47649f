//! Rates of a database server.

use crate::model::{DatabaseSample, DatabaseTotals};
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
    /// Temporary files written a second.
    pub temp_files: Option<f64>,
    /// Logins a second; before 14 those that were seen, at least.
    pub logins: Option<f64>,
    /// Sessions lost a second: broken off, killed or failed; told from 14.
    pub lost: Option<f64>,
    /// Bytes of log written a second.
    pub wal_bytes: Option<f64>,
    /// Checkpoints since the previous totals that came because so much log was written, or by hand.
    pub checkpoints_requested: Option<u64>,
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
        let rate = |of: fn(&DatabaseTotals) -> Option<u64>| {
            of(&before).zip(of(&now)).and_then(|(before, now)| per_second(before, now, seconds))
        };
        Some(Self {
            transactions: ended.map(|n| n / seconds),
            rollback_share: rollbacks.zip(ended).and_then(|(undone, all)| share(undone as f64, all)),
            deadlocks: grown(before.deadlocks, now.deadlocks),
            temp_bytes: per_second(before.temp_bytes, now.temp_bytes, seconds),
            hit_ratio: hit.zip(read).and_then(|(hit, read)| share(hit as f64, (hit + read) as f64)),
            temp_files: per_second(before.temp_files, now.temp_files, seconds),
            logins: rate(|totals| totals.sessions).or_else(|| rate(|totals| totals.sessions_seen)),
            lost: rate(|totals| totals.sessions_lost),
            wal_bytes: rate(|totals| totals.wal_bytes),
            checkpoints_requested: before
                .checkpoints_requested
                .zip(now.checkpoints_requested)
                .and_then(|(before, now)| grown(before, now)),
        })
    }
}

//! What statements cost lately, by `pg_stat_statements`.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// What all statements of a server cost between two readings of its statistics.
///
/// The statistics are thousands of counters: the source keeps them, and hands on how far they grew in a
/// time it measured, with the dearest by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statements {
    /// Seconds between the two readings, by the server's clock.
    pub over: f64,
    /// Executions that ended in that time.
    pub calls: u64,
    /// Milliseconds they took, planning left out.
    pub exec_ms: f64,
    /// Kinds of statement the server tells apart.
    pub entries: u32,
    /// Those with the most time, most first; 20 at most.
    pub top: Vec<StatementCost>,
}

/// What one kind of statement cost in that time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatementCost {
    /// `queryid`.
    pub query_id: i64,
    /// Its text with the constants taken out; empty until it has been read.
    pub query: SafeText,
    /// Role that ran it; empty until it has been read.
    pub user: SafeText,
    /// Database it ran in; empty until it has been read.
    pub database: SafeText,
    /// Executions that ended.
    pub calls: u64,
    /// Milliseconds they took.
    pub exec_ms: f64,
    /// Rows they gave or touched.
    pub rows: u64,
    /// Blocks that were not in shared buffers.
    pub blocks_read: u64,
    /// Blocks written to temporary files.
    pub temp_blocks: u64,
}

impl Statements {
    /// Sessions kept busy by all statements, on average: seconds of work a second.
    #[must_use]
    pub fn busy(&self) -> Option<f64> {
        (self.over > 0.0).then(|| self.exec_ms / 1e3 / self.over)
    }

    /// Executions a second.
    #[must_use]
    pub fn calls_per_second(&self) -> Option<f64> {
        (self.over > 0.0).then(|| self.calls as f64 / self.over)
    }
}

impl StatementCost {
    /// Milliseconds one execution took on average.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.exec_ms / self.calls as f64)
    }
}

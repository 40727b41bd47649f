//! What can be changed of a made-up world while it runs.

use warroom::model::PollErrorKind;

/// What can be changed of the world while it runs.
#[derive(Clone, Debug)]
pub(super) struct Dials {
    pub(super) busy: f64,
    pub(super) memory: f64,
    pub(super) swap: u64,
    /// Sessions that wait behind the migration.
    pub(super) waiters: u32,
    pub(super) slow: u32,
    pub(super) idle: u32,
    pub(super) fill: f64,
    pub(super) jobs: u64,
    pub(super) oldest: f64,
    pub(super) workers: u32,
    /// Queues beside the usual two; the first twenty of them wait.
    pub(super) more_queues: u64,
    pub(super) queued: u64,
    pub(super) servers_down: usize,
    /// Targets that do not answer, and why.
    pub(super) down: Vec<(&'static str, PollErrorKind)>,
    /// Targets nothing is heard of.
    pub(super) silent: Vec<&'static str>,
    /// The name of the application that holds the lock.
    pub(super) holder: String,
}

impl Default for Dials {
    fn default() -> Self {
        Self {
            busy: 0.22,
            memory: 0.41,
            swap: 0,
            waiters: 0,
            slow: 0,
            idle: 12,
            fill: 0.52,
            jobs: 2,
            oldest: 0.3,
            workers: 4,
            more_queues: 0,
            queued: 0,
            servers_down: 0,
            down: Vec::new(),
            silent: Vec::new(),
            holder: "migrate".into(),
        }
    }
}

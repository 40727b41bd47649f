//! What one look at an app server saw: what can work on requests, what does, and what waits for it.

use serde::{Deserialize, Serialize};

use super::{Missing, SafeText};

/// Kinds that are app servers.
pub const APP_KINDS: &[&str] = &["uwsgi", "puma", "php_fpm"];

/// One raw sample of an app server. Counters are cumulative since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSample {
    /// `uWSGI 2.0.21`, `php-fpm, pool www`.
    pub product: SafeText,
    /// Changes when the server is started anew and its counters with it.
    pub run: SafeText,
    /// What works on one request at a time: `worker`, `thread`, `process`.
    pub unit: SafeText,
    /// Requests it can work on at once, with what is started.
    pub capacity: u64,
    /// Of these, how many are at work; our own question left out.
    pub busy: u64,
    /// More may be started than `capacity` tells: being busy is then no limit yet.
    pub grows: bool,
    /// Requests it took in and has not begun; `None` where it takes in none.
    pub backlog: Option<u64>,
    /// The sockets it listens on.
    pub sockets: Vec<AppSocket>,
    /// Requests ever.
    pub requests: Option<u64>,
    /// Of these, how many ended in an uncaught exception.
    pub exceptions: Option<u64>,
    /// Workers started, the first time included.
    pub spawned: Option<u64>,
    /// Requests ended by force because they took too long.
    pub ended: Option<u64>,
    /// Times that it wanted to start another and was at its limit.
    pub at_limit: Option<u64>,
    /// Requests that were slow by its own measure.
    pub slow: Option<u64>,
    /// Times that it found a listen queue full.
    pub overflows: Option<u64>,
    /// Mean time of a request lately, ms.
    pub answer_ms: Option<f64>,
    /// Seconds between two refreshes of these numbers by the server itself; 0 when they are live.
    pub refreshed_every: f64,
    /// Its processes.
    pub workers: Vec<AppWorker>,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// A listening socket of an app server. What waits there waits in the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSocket {
    /// `127.0.0.1:3031`, or the path of a socket in the file system.
    pub name: SafeText,
    /// Connections waiting there; `None` where nobody tells.
    pub depth: Option<u64>,
    /// The most it holds.
    pub limit: Option<u64>,
}

/// One process of an app server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppWorker {
    /// Its number among its like.
    pub name: SafeText,
    /// Process id.
    pub pid: u32,
    /// The server's own word: `idle`, `busy`, `Running`.
    pub state: SafeText,
    /// Requests it can work on at once.
    pub capacity: u64,
    /// Of these, how many it works on.
    pub busy: u64,
    /// Requests it took in and has not begun.
    pub backlog: Option<u64>,
    /// Requests ever.
    pub requests: Option<u64>,
    /// Resident memory, bytes.
    pub memory: Option<u64>,
    /// Mean time of a request lately, ms.
    pub answer_ms: Option<f64>,
    /// What it works on: `GET /report`, its query left out.
    pub doing: Option<SafeText>,
    /// For how long, seconds.
    pub busy_for: Option<f64>,
}

impl AppSample {
    /// Whether everything it has is at work, so that a new request must wait.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.capacity > 0 && self.busy >= self.capacity && !self.grows
    }

    /// Connections waiting at all its sockets; `None` where nobody tells of any.
    #[must_use]
    pub fn listening(&self) -> Option<u64> {
        self.sockets.iter().filter_map(|socket| socket.depth).reduce(u64::saturating_add)
    }

    /// The worker that has been at one request for longest.
    #[must_use]
    pub fn longest(&self) -> Option<(&AppWorker, f64)> {
        let known = self.workers.iter().filter_map(|worker| Some((worker, worker.busy_for?)));
        known.max_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

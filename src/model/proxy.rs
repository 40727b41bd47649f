//! What one look at a proxy saw: its backends and the servers behind them.

use serde::{Deserialize, Serialize};

use super::{Missing, SafeText};

/// One raw sample of a proxy. Counters are cumulative since the proxy's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxySample {
    /// The process that answered, where it tells of itself.
    pub process: Option<ProxyProcess>,
    /// Its backends.
    pub backends: Vec<ProxyBackend>,
    /// What it answers from memory, where it is a cache as well.
    pub cache: Option<ProxyCache>,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// The proxy's own process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyProcess {
    /// `2.6.12`.
    pub version: SafeText,
    /// Process id; a change means a reload.
    pub pid: u32,
    /// What the way it was asked permits: `user`, `operator`, `admin`; where that is told.
    pub level: Option<SafeText>,
    /// Processes from before a reload that still serve somebody, where its master is asked.
    pub old: Option<u64>,
    /// Where it takes requests, where it tells: `127.0.0.1:80`, or the path of a socket in the file system.
    pub listens: Vec<SafeText>,
    /// Seconds since it started.
    pub uptime: u64,
    /// Share of time with nothing to do, 0 to 1.
    pub idle: Option<f64>,
    /// Connections open.
    pub connections: u64,
    /// Connections it takes at most.
    pub max_connections: Option<u64>,
    /// Connections it took and had to drop for want of room, ever; where it tells.
    pub dropped: Option<u64>,
    /// Threads that work on requests or are ready to.
    pub threads: Option<u64>,
    /// Threads it may have at most.
    pub max_threads: Option<u64>,
}

/// What a proxy answers from memory. Counters are cumulative since the start of its process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyCache {
    /// Requests answered from memory.
    pub hits: u64,
    /// Requests that had to be fetched and might be kept.
    pub misses: u64,
    /// Requests that are never kept.
    pub passes: u64,
    /// Objects kept now.
    pub objects: u64,
    /// Objects thrown out for want of room.
    pub evicted: u64,
    /// Requests that wait now for another's fetch of the same object.
    pub parked: u64,
}

/// One pool of servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyBackend {
    /// Its name.
    pub name: SafeText,
    /// Whether any server takes requests.
    pub up: bool,
    /// Requests that wait for a server, the pinned queues of the servers included.
    pub queue: u64,
    /// Requests ever.
    pub requests: u64,
    /// Answers with a 5xx status, the proxy's own included.
    pub errors_5xx: u64,
    /// Connections to servers that failed.
    pub connect_errors: u64,
    /// Requests tried again.
    pub retries: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// Its queue is told even where no server has a limit.
    pub sees_queue: bool,
    /// What its requests waited, where somebody measures each of them from the proxy to the app.
    pub waits: Option<WaitTotal>,
    /// What its requests took lately, where each of them is told (a log).
    pub logged: Option<LoggedTimes>,
    /// Mean time of an answer lately, ms, where it is told of the pool and not of its servers.
    pub response_time_ms: Option<u64>,
    /// How many servers it has, where they are told by number and not by name.
    pub members: Option<u64>,
    /// How many of these are well.
    pub healthy: Option<u64>,
    /// What of it this proxy does not tell.
    pub untold: Untold,
    /// Its servers.
    pub servers: Vec<ProxyServer>,
}

impl ProxyBackend {
    /// Requests in its queue; `None` where no server has a limit, so that it sends everything on and sees none wait.
    #[must_use]
    pub fn seen_queue(&self) -> Option<u64> {
        let sees =
            self.sees_queue || self.queue > 0 || self.servers.iter().any(|server| server.limit.is_some());
        sees.then_some(self.queue)
    }
}

/// Which numbers of a backend or a server its proxy does not tell; they stand at 0 then and mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands beside a number of its own")]
pub struct Untold {
    /// Requests ever.
    pub requests: bool,
    /// Requests in flight now.
    pub in_flight: bool,
    /// Answers with a 5xx status.
    pub errors_5xx: bool,
    /// Connections that failed.
    pub connect_errors: bool,
    /// Requests tried again.
    pub retries: bool,
}

/// Waits added up, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WaitTotal {
    /// Seconds.
    pub seconds: f64,
    /// Requests that waited so long together.
    pub requests: u64,
}

/// What single requests took over about ten seconds, from what the proxy tells of each as it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoggedTimes {
    /// In the proxy's own queue, those that died there included.
    pub wait: Spread,
    /// From the request sent on to the head of its answer; `None` for plain connections.
    pub answer: Option<Spread>,
    /// Requests that ended while they waited: timed out, or their client gave up.
    pub gave_up: u64,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// Times told.
    pub count: u64,
    /// Their mean, ms.
    pub mean_ms: f64,
    /// What 95 of 100 stay within, ms.
    pub p95_ms: f64,
    /// The longest, ms.
    pub max_ms: f64,
}

/// One server behind a proxy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyServer {
    /// Its name.
    pub name: SafeText,
    /// `host:port`, where the proxy tells.
    pub address: Option<SafeText>,
    /// Whether it takes requests.
    pub state: ServerState,
    /// The proxy's own word for that: `UP 1/3`, `no check`.
    pub status: SafeText,
    /// Why its last health check ended as it did.
    pub check: SafeText,
    /// Spare, used only when the others are down.
    pub backup: bool,
    /// Weight in the balance.
    pub weight: Option<u64>,
    /// Requests pinned to it that wait.
    pub queue: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// The limit to that; `None` means no limit, and then the proxy cannot see queuing.
    pub limit: Option<u64>,
    /// Mean wait in the proxy's queue over its last requests, ms; stands still without traffic.
    pub queue_time_ms: Option<u64>,
    /// Mean time to connect, ms.
    pub connect_time_ms: Option<u64>,
    /// Mean time to the answer's first byte, ms.
    pub response_time_ms: Option<u64>,
    /// Requests ever.
    pub requests: u64,
    /// Answers with a 5xx status.
    pub errors_5xx: u64,
    /// Connections that failed.
    pub connect_errors: u64,
    /// Answers cut short or malformed.
    pub response_errors: u64,
    /// Requests tried again elsewhere.
    pub retries: u64,
    /// Seconds since its state last changed.
    pub last_change: Option<u64>,
    /// What of it this proxy does not tell.
    pub untold: Untold,
}

/// Whether a server takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Checked and well.
    Up,
    /// Failing its checks.
    Down,
    /// Finishing what it has.
    Drain,
    /// Taken out by an operator.
    Maintenance,
    /// Never checked: not known to be well.
    #[default]
    Unchecked,
}

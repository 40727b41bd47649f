//! The resources that can be under pressure, by the ids that scripts rely on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A resource the verdict can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Resource {
    /// Does the target answer at all.
    #[serde(rename = "target.answer")]
    TargetAnswer,
    /// Requests waiting between the proxy and the app's code.
    #[serde(rename = "request.queue")]
    RequestQueue,
    /// Servers behind a proxy: down, failing, retried.
    #[serde(rename = "proxy.backends")]
    ProxyBackends,
    /// Processor.
    #[serde(rename = "host.cpu")]
    HostCpu,
    /// Memory and swap traffic.
    #[serde(rename = "host.memory")]
    HostMemory,
    /// Disk fill and business.
    #[serde(rename = "host.disk")]
    HostDisk,
    /// Network errors, retransmits, listen drops.
    #[serde(rename = "host.network")]
    HostNetwork,
    /// Sessions blocked on locks.
    #[serde(rename = "postgres.locks")]
    PostgresLocks,
    /// Statements running too long.
    #[serde(rename = "postgres.slow_queries")]
    PostgresSlowQueries,
    /// Too many queries at once.
    #[serde(rename = "postgres.load")]
    PostgresLoad,
    /// Connections used against the limit.
    #[serde(rename = "postgres.connections")]
    PostgresConnections,
    /// Standbys behind.
    #[serde(rename = "postgres.replication")]
    PostgresReplication,
    /// Transaction ids used up, and what keeps vacuum from freeing them.
    #[serde(rename = "postgres.vacuum")]
    PostgresVacuum,
    /// Cache fill and evictions.
    #[serde(rename = "cache.memory")]
    CacheMemory,
    /// A command that holds everybody up.
    #[serde(rename = "cache.latency")]
    CacheLatency,
    /// Connections, replicas and saving of a cache, and how much it helps.
    #[serde(rename = "cache.service")]
    CacheService,
    /// Jobs waiting too long, or for nobody.
    #[serde(rename = "queue.backlog")]
    QueueBacklog,
    /// A trip-wire on an endpoint's latency.
    #[serde(rename = "endpoint.latency")]
    EndpointLatency,
    /// Something that should have happened has not.
    #[serde(rename = "heartbeat")]
    Heartbeat,
}

impl Resource {
    /// All of them, in the order of the product's table.
    pub const ALL: [Self; 19] = [
        Self::TargetAnswer,
        Self::RequestQueue,
        Self::ProxyBackends,
        Self::HostCpu,
        Self::HostMemory,
        Self::HostDisk,
        Self::HostNetwork,
        Self::PostgresLocks,
        Self::PostgresSlowQueries,
        Self::PostgresLoad,
        Self::PostgresConnections,
        Self::PostgresReplication,
        Self::PostgresVacuum,
        Self::CacheMemory,
        Self::CacheLatency,
        Self::CacheService,
        Self::QueueBacklog,
        Self::EndpointLatency,
        Self::Heartbeat,
    ];

    /// The id in config, JSON and docs.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::TargetAnswer => "target.answer",
            Self::RequestQueue => "request.queue",
            Self::ProxyBackends => "proxy.backends",
            Self::HostCpu => "host.cpu",
            Self::HostMemory => "host.memory",
            Self::HostDisk => "host.disk",
            Self::HostNetwork => "host.network",
            Self::PostgresLocks => "postgres.locks",
            Self::PostgresSlowQueries => "postgres.slow_queries",
            Self::PostgresLoad => "postgres.load",
            Self::PostgresConnections => "postgres.connections",
            Self::PostgresReplication => "postgres.replication",
            Self::PostgresVacuum => "postgres.vacuum",
            Self::CacheMemory => "cache.memory",
            Self::CacheLatency => "cache.latency",
            Self::CacheService => "cache.service",
            Self::QueueBacklog => "queue.backlog",
            Self::EndpointLatency => "endpoint.latency",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// The word a headline opens with: `LOCKS on primary`.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::TargetAnswer => "NO ANSWER",
            Self::RequestQueue => "REQUESTS QUEUE",
            Self::ProxyBackends => "BACKENDS",
            Self::HostCpu => "CPU",
            Self::HostMemory => "MEMORY",
            Self::HostDisk => "DISK",
            Self::HostNetwork => "NETWORK",
            Self::PostgresLocks => "LOCKS",
            Self::PostgresSlowQueries => "SLOW QUERIES",
            Self::PostgresLoad => "DATABASE LOAD",
            Self::PostgresConnections => "CONNECTIONS",
            Self::PostgresReplication => "REPLICATION",
            Self::PostgresVacuum => "VACUUM",
            Self::CacheMemory => "CACHE MEMORY",
            Self::CacheLatency => "CACHE LATENCY",
            Self::CacheService => "CACHE SERVICE",
            Self::QueueBacklog => "QUEUE BACKLOG",
            Self::EndpointLatency => "ENDPOINT LATENCY",
            Self::Heartbeat => "HEARTBEAT",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.id() == text)
            .ok_or_else(|| format!("no such resource: {text:?}"))
    }
}

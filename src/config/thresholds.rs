//! When a measured value becomes a warning or critical, and when it stops being one.

use std::collections::BTreeMap;

use crate::model::Resource;

/// Two limits of one resource. A value at or over `warning` warns; it must fall below
/// `leave` times the limit it entered by to be let go again, so that nothing flaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// At or over this: look at it.
    pub warning: f64,
    /// At or over this: act on it.
    pub critical: f64,
    /// Share of a limit below which its severity is left (0.9: ten per cent below).
    pub leave: f64,
    /// Logins a second that are a storm. Told with `postgres.connections` only; elsewhere infinite.
    pub logins: f64,
}

impl Limits {
    /// Limits left at nine tenths of themselves.
    #[must_use]
    pub const fn new(warning: f64, critical: f64) -> Self {
        Self { warning, critical, leave: 0.9, logins: f64::INFINITY }
    }
}

/// What a config says about limits. What it does not name keeps the built-in limit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(BTreeMap<Resource, Limits>);

impl Thresholds {
    /// Sets the limits of a resource.
    pub fn set(&mut self, resource: Resource, limits: Limits) {
        self.0.insert(resource, limits);
    }

    /// The limits set here, if any.
    #[must_use]
    pub fn get(&self, resource: Resource) -> Option<Limits> {
        self.0.get(&resource).copied()
    }

    /// The built-in limits of a resource, in the unit that its detector documents.
    #[must_use]
    pub const fn built_in(resource: Resource) -> Limits {
        match resource {
            // 1: it answered late; 2: it does not answer.
            Resource::TargetAnswer | Resource::Heartbeat => Limits::new(1.0, 2.0),
            // Milliseconds of mean wait.
            Resource::RequestQueue => Limits::new(2.0, 50.0),
            // Share of answers that are 5xx.
            Resource::ProxyBackends => Limits::new(0.01, 0.05),
            // Share busy, used, filled.
            Resource::HostCpu | Resource::HostMemory | Resource::HostDisk => Limits::new(0.70, 0.90),
            // Share of the usable connections; logins that a server of any size feels.
            Resource::PostgresConnections => Limits { logins: 100.0, ..Limits::new(0.70, 0.90) },
            // Share of segments sent again.
            Resource::HostNetwork => Limits::new(0.01, 0.05),
            // Sessions waiting; statements running too long.
            Resource::PostgresLocks | Resource::PostgresSlowQueries => Limits::new(1.0, 5.0),
            // Active sessions for each core.
            Resource::PostgresLoad => Limits::new(1.0, 2.0),
            // Seconds behind.
            Resource::PostgresReplication => Limits::new(10.0, 60.0),
            // Share of the transaction ids used up.
            Resource::PostgresVacuum => Limits::new(0.50, 0.75),
            // Share of maxmemory.
            Resource::CacheMemory => Limits::new(0.80, 0.95),
            // Milliseconds one command holds everybody up.
            Resource::CacheLatency => Limits::new(10.0, 100.0),
            // Share of the connections it takes.
            Resource::CacheService => Limits::new(0.80, 0.95),
            // Seconds the oldest job has waited.
            Resource::QueueBacklog => Limits::new(60.0, 600.0),
            // Deviations over the usual.
            Resource::EndpointLatency => Limits::new(3.0, 6.0),
        }
    }
}

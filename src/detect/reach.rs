//! What can cause what, and how far from itself: a table, of sorts of findings.

use crate::model::{Finding, Resource};

/// The rule that judges app servers.
const WORKERS: &str = "workers_busy";

/// What a rule judges, where that says more than its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    /// An app server.
    Workers,
    /// Clients that wait for a pool.
    Pool,
    /// A message broker itself: an alarm, a node that is gone.
    Broker,
    /// Jobs for which no worker is alive.
    NoWorker,
    /// A server at whose door nobody listens.
    Refused,
    Other,
}

/// What of a finding the table asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sort {
    pub(super) resource: Resource,
    of: Of,
    /// Of a row below its target.
    row: bool,
}

impl Sort {
    pub(super) fn of(finding: &Finding) -> Self {
        Self {
            resource: finding.resource,
            of: match finding.rule.as_str() {
                WORKERS => Of::Workers,
                "pool_wait" => Of::Pool,
                rule if rule.starts_with("broker_") => Of::Broker,
                "no_worker" => Of::NoWorker,
                // The check's own word for it, which the sentence quotes.
                "servers_failing" if finding.says.contains("Connection refused") => Of::Refused,
                _ => Of::Other,
            },
            row: finding.target.row_name().is_some(),
        }
    }

    /// Where it stands between root causes (low) and mere symptoms (high).
    pub(super) const fn depth(self) -> u32 {
        match self.resource {
            Resource::RequestQueue if matches!(self.of, Of::Workers) => rank(Resource::PostgresVacuum),
            resource => rank(resource),
        }
    }
}

/// Where a resource stands between root causes (low) and mere symptoms (high).
const fn rank(resource: Resource) -> u32 {
    match resource {
        Resource::TargetAnswer => 0,
        Resource::PostgresLocks => 1,
        Resource::HostMemory => 2,
        Resource::HostDisk => 3,
        Resource::PostgresSlowQueries => 4,
        Resource::ProxyBackends => 5,
        Resource::HostCpu => 6,
        Resource::HostNetwork => 7,
        Resource::CacheMemory => 8,
        Resource::CacheLatency => 9,
        Resource::CacheService => 10,
        Resource::PostgresLoad => 11,
        Resource::PostgresConnections => 12,
        Resource::PostgresReplication => 13,
        Resource::PostgresVacuum => 14,
        Resource::RequestQueue => 15,
        Resource::QueueBacklog => 16,
        Resource::EndpointLatency => 17,
        Resource::Heartbeat => 18,
    }
}

/// Where a symptom must be, seen from its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Nowhere,
    SameTarget,
    OtherTarget,
    SameMachine,
    SameTargetAndMachine,
    Anywhere,
}

/// How far trouble of one sort can show as trouble of another.
pub(super) fn reach(cause: Sort, symptom: Sort) -> Reach {
    use Reach::{Anywhere, Nowhere, OtherTarget, SameMachine, SameTarget, SameTargetAndMachine};
    use Resource as R;
    match (cause.resource, symptom.resource) {
        // A broker's own trouble comes from its machine, whatever the jobs in it wait for.
        (R::HostMemory | R::HostDisk | R::HostNetwork, R::QueueBacklog) if symptom.of == Of::Broker => {
            SameMachine
        }
        (_, R::QueueBacklog) if symptom.of == Of::Broker => Nowhere,
        // A server that does not answer makes everything that needs it wait or fail.
        (R::TargetAnswer, R::RequestQueue | R::ProxyBackends | R::QueueBacklog | R::EndpointLatency) => {
            Anywhere
        }
        // A pool runs dry when the server behind it holds its sessions up, or is gone.
        (
            R::TargetAnswer
            | R::PostgresLocks
            | R::PostgresSlowQueries
            | R::PostgresLoad
            | R::PostgresConnections,
            R::PostgresConnections,
        ) if symptom.of == Of::Pool => OtherTarget,
        // Of a fleet the silence of one machine says nothing of another.
        (R::TargetAnswer, _) => {
            if cause.row {
                SameTargetAndMachine
            } else {
                SameTarget
            }
        }
        (
            R::PostgresLocks | R::PostgresSlowQueries,
            R::PostgresConnections | R::PostgresLoad | R::PostgresReplication,
        ) => SameTarget,
        (R::PostgresLocks, R::PostgresSlowQueries) => SameTarget,
        // A program that waits for its database still listens.
        (
            R::PostgresLocks | R::PostgresSlowQueries | R::PostgresLoad | R::PostgresConnections,
            R::ProxyBackends,
        ) if symptom.of == Of::Refused => Nowhere,
        // What makes workers slow sends none of them home; want of memory may.
        (R::HostMemory, R::QueueBacklog) if symptom.of == Of::NoWorker => Anywhere,
        (_, R::QueueBacklog) if symptom.of == Of::NoWorker => Nowhere,
        (
            R::PostgresLocks | R::PostgresSlowQueries | R::PostgresLoad | R::PostgresConnections,
            R::RequestQueue | R::QueueBacklog | R::EndpointLatency | R::ProxyBackends,
        ) => Anywhere,
        (R::PostgresLoad, R::PostgresConnections) => SameTarget,
        (R::PostgresSlowQueries | R::PostgresLoad, R::HostCpu | R::HostDisk) => SameMachine,
        (R::HostMemory, R::HostDisk | R::HostCpu) => SameMachine,
        (R::HostMemory | R::HostDisk, R::PostgresSlowQueries) => SameMachine,
        (R::HostMemory | R::HostDisk | R::HostCpu, R::PostgresLoad | R::CacheLatency) => SameMachine,
        // A snapshot fails on a full disk, or for want of memory to fork.
        (R::HostMemory | R::HostDisk, R::CacheService) => SameMachine,
        (
            R::HostMemory | R::HostDisk | R::HostNetwork,
            R::RequestQueue | R::QueueBacklog | R::EndpointLatency | R::ProxyBackends,
        ) => Anywhere,
        // A busy machine answers late: it neither turns a server away nor sends the workers home.
        (R::HostCpu, R::RequestQueue | R::EndpointLatency) => Anywhere,
        (R::HostNetwork, R::TargetAnswer | R::PostgresReplication) => Anywhere,
        (R::CacheMemory, R::CacheLatency | R::CacheService) => SameTarget,
        (
            R::CacheMemory | R::CacheLatency | R::CacheService,
            R::PostgresLoad | R::RequestQueue | R::EndpointLatency,
        ) => Anywhere,
        (R::CacheLatency | R::CacheService, R::QueueBacklog) => Anywhere,
        (R::ProxyBackends, R::RequestQueue) => SameTarget,
        // What waits behind a proxy waits because the app server has nobody left to work on it.
        (R::RequestQueue, R::RequestQueue) if cause.of == Of::Workers && symptom.of != Of::Workers => {
            Anywhere
        }
        (R::ProxyBackends | R::RequestQueue, R::EndpointLatency) => Anywhere,
        // A full accept queue shows as listen drops on the host.
        (R::RequestQueue, R::HostNetwork) => Anywhere,
        _ => Nowhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Severity, Timestamp};

    fn sort(rule: &str, resource: Resource, says: &str) -> Sort {
        Sort::of(&Finding {
            rule: rule.into(),
            resource,
            target: "edge/app".parse().expect("legal"),
            severity: Severity::Critical,
            since: Timestamp::default(),
            says: says.into(),
            culprit: None,
            remedy: None,
            caused_by: None,
        })
    }

    #[test]
    fn a_slow_database_neither_closes_a_server_s_door_nor_sends_workers_home() {
        let slow = sort("slow_queries", Resource::PostgresSlowQueries, "report.1 has run 6.0 s");
        let servers = |says| sort("servers_failing", Resource::ProxyBackends, says);
        assert_eq!(reach(slow, servers("12 % of the answers are 5xx")), Reach::Anywhere);
        assert_eq!(reach(slow, servers("web2 is down (L4CON Connection refused), 1 of 2")), Reach::Nowhere);
        let jobs = |rule| sort(rule, Resource::QueueBacklog, "41 jobs are waiting");
        assert_eq!(reach(slow, jobs("backlog")), Reach::Anywhere);
        assert_eq!(reach(slow, jobs("no_worker")), Reach::Nowhere);
    }
}

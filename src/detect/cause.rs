//! Which finding is the cause of which: by what can cause what, where, and which came first.

use std::time::Duration;

use crate::model::{Finding, Resource, Severity};

/// A cause may become visible this much later than its symptom and still be the cause, for each
/// step it stands ahead of it in [`rank`].
const STEP: Duration = Duration::from_secs(3);

/// Trouble that began longer than this before another's is not taken for its cause: it was lived with.
const LIVED_WITH: Duration = Duration::from_secs(900);

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
        Resource::PostgresLoad => 10,
        Resource::PostgresConnections => 11,
        Resource::PostgresReplication => 12,
        Resource::PostgresVacuum => 13,
        Resource::RequestQueue => 14,
        Resource::QueueBacklog => 15,
        Resource::EndpointLatency => 16,
        Resource::Heartbeat => 17,
    }
}

/// Whether trouble with `cause` can show as `symptom` at all.
fn can_cause(cause: &Finding, symptom: &Finding) -> bool {
    use Resource as R;
    let same_target = cause.target.target() == symptom.target.target();
    match (cause.resource, symptom.resource) {
        // A server that does not answer makes everything that needs it wait or fail.
        (R::TargetAnswer, R::RequestQueue | R::ProxyBackends | R::QueueBacklog | R::EndpointLatency) => true,
        (R::TargetAnswer, _) => same_target,
        (
            R::PostgresLocks | R::PostgresSlowQueries,
            R::PostgresConnections | R::PostgresLoad | R::PostgresReplication,
        ) => same_target,
        (R::PostgresLocks, R::PostgresSlowQueries) => same_target,
        (
            R::PostgresLocks | R::PostgresSlowQueries | R::PostgresLoad | R::PostgresConnections,
            R::RequestQueue | R::QueueBacklog | R::EndpointLatency | R::ProxyBackends,
        ) => true,
        (R::PostgresLoad, R::PostgresConnections) => same_target,
        (R::PostgresSlowQueries | R::PostgresLoad, R::HostCpu | R::HostDisk) => true,
        (R::HostMemory, R::HostDisk | R::HostCpu) => same_target,
        (R::HostMemory | R::HostDisk | R::HostCpu, R::PostgresSlowQueries | R::PostgresLoad) => true,
        (R::HostMemory | R::HostDisk | R::HostCpu, R::PostgresConnections | R::CacheLatency) => true,
        (
            R::HostMemory | R::HostDisk | R::HostCpu | R::HostNetwork,
            R::RequestQueue | R::QueueBacklog | R::EndpointLatency | R::ProxyBackends,
        ) => true,
        (R::HostNetwork, R::TargetAnswer | R::PostgresReplication) => true,
        (R::CacheMemory, R::CacheLatency) => same_target,
        (
            R::CacheMemory | R::CacheLatency,
            R::PostgresLoad | R::RequestQueue | R::QueueBacklog | R::EndpointLatency,
        ) => true,
        (R::ProxyBackends, R::RequestQueue) => same_target,
        (R::ProxyBackends | R::RequestQueue, R::EndpointLatency) => true,
        // A full accept queue shows as listen drops on the host.
        (R::RequestQueue, R::HostNetwork) => true,
        _ => false,
    }
}

/// Whether a finding is a claim about the world, fit to be a cause.
fn is_claim(finding: &Finding) -> bool {
    finding.severity >= Severity::Warning
}

/// Sets `caused_by` and puts the findings in order: worst incident first, in it the cause before
/// its symptoms. A cause is as bad as the worst of its symptoms.
pub(super) fn tie(findings: &mut Vec<Finding>) {
    let onset = |finding: &Finding| {
        let later = u32::saturating_sub(20, rank(finding.resource));
        finding.since.minus(STEP * later)
    };
    findings.sort_by(|a, b| {
        onset(a)
            .cmp(&onset(b))
            .then_with(|| rank(a.resource).cmp(&rank(b.resource)))
            .then_with(|| b.severity.cmp(&a.severity))
            .then_with(|| a.target.cmp(&b.target))
    });
    // A finding's parent stands before it in that order, so there are no circles.
    let mut parent: Vec<Option<usize>> = vec![None; findings.len()];
    for at in 0..findings.len() {
        if !is_claim(&findings[at]) {
            continue;
        }
        // The nearest step of the chain: of what can cause it, the one furthest from the root.
        parent[at] = (0..at)
            .filter(|before| {
                let (cause, symptom) = (&findings[*before], &findings[at]);
                let recent = symptom.since.since(cause.since) <= LIVED_WITH;
                is_claim(cause) && recent && can_cause(cause, symptom)
            })
            .max_by_key(|before| {
                let near = findings[*before].target.target() == findings[at].target.target();
                (near, rank(findings[*before].resource), std::cmp::Reverse(*before))
            });
    }
    let root = |mut at: usize| {
        while let Some(up) = parent[at] {
            at = up;
        }
        at
    };
    let roots: Vec<usize> = (0..findings.len()).map(root).collect();
    for at in (0..findings.len()).rev() {
        if let Some(up) = parent[at] {
            findings[up].severity = findings[up].severity.max(findings[at].severity);
            findings[at].caused_by = Some(findings[up].reference());
        }
    }
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by(|a, b| {
        let incident = |at: usize| (std::cmp::Reverse(findings[roots[at]].severity), roots[at]);
        incident(*a).cmp(&incident(*b)).then(a.cmp(b))
    });
    let mut taken: Vec<Option<Finding>> = std::mem::take(findings).into_iter().map(Some).collect();
    findings.extend(order.into_iter().filter_map(|at| taken[at].take()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TargetId, Timestamp};

    fn finding(resource: Resource, target: &str, severity: Severity, since: i64) -> Finding {
        Finding {
            rule: "test".into(),
            resource,
            target: target.parse().unwrap_or_else(|_| TargetId::parse("t").expect("legal")),
            severity,
            since: Timestamp::from_micros(1_000_000_000 + since * 1_000_000),
            says: String::new(),
            culprit: None,
            remedy: None,
            caused_by: None,
        }
    }

    #[test]
    fn a_lock_that_fills_the_connections_and_queues_the_requests_is_one_incident() {
        let mut all = vec![
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 4),
            finding(Resource::PostgresConnections, "primary", Severity::Warning, 6),
            finding(Resource::PostgresLocks, "primary", Severity::Warning, 5),
            finding(Resource::HostDisk, "db9", Severity::Warning, -9000),
        ];
        tie(&mut all);
        let told: Vec<_> = all.iter().map(|f| (f.resource, f.severity, f.caused_by.as_deref())).collect();
        assert_eq!(told[0], (Resource::PostgresLocks, Severity::Critical, None));
        assert_eq!(
            told[1],
            (Resource::PostgresConnections, Severity::Critical, Some("postgres.locks@primary"))
        );
        assert_eq!(
            told[2],
            (Resource::RequestQueue, Severity::Critical, Some("postgres.connections@primary"))
        );
        assert_eq!(told[3], (Resource::HostDisk, Severity::Warning, None));
    }

    #[test]
    fn a_full_disk_of_last_week_is_not_the_cause_of_today() {
        let mut all = vec![
            finding(Resource::HostDisk, "db9", Severity::Warning, -600_000),
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 0),
        ];
        tie(&mut all);
        assert_eq!(all[0].resource, Resource::RequestQueue);
        assert_eq!(all[0].caused_by, None);
    }
}

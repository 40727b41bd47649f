//! Which finding is the cause of which: by what can cause what, where, and which came first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Finding, Resource, Severity, TargetId, Timestamp};

/// A cause may become visible this much later than its symptom and still be the cause, for each
/// step it stands ahead of it in [`rank`].
const STEP: Duration = Duration::from_secs(3);

/// Trouble that began longer than this before another's is not taken for its cause: it was lived with.
const LIVED_WITH: Duration = Duration::from_secs(900);

/// Whether two targets or rows are known to be on one machine.
pub(super) type Together<'a> = &'a dyn Fn(&TargetId, &TargetId) -> bool;

/// The rule that judges app servers.
const WORKERS: &str = "workers_busy";

/// Where a finding stands between root causes (low) and mere symptoms (high).
fn depth(finding: &Finding) -> u32 {
    match finding.resource {
        Resource::RequestQueue if finding.rule == WORKERS => rank(Resource::PostgresVacuum),
        resource => rank(resource),
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

/// Whether trouble with `cause` can show as `symptom` at all.
fn can_cause(cause: &Finding, symptom: &Finding, together: Together<'_>) -> bool {
    use Resource as R;
    let same_target = cause.target.same_target(&symptom.target);
    let one_machine = || together(&cause.target, &symptom.target);
    match (cause.resource, symptom.resource) {
        // A server that does not answer makes everything that needs it wait or fail.
        (R::TargetAnswer, R::RequestQueue | R::ProxyBackends | R::QueueBacklog | R::EndpointLatency) => true,
        // A pool runs dry when the server behind it holds its sessions up, or is gone.
        (
            R::TargetAnswer
            | R::PostgresLocks
            | R::PostgresSlowQueries
            | R::PostgresLoad
            | R::PostgresConnections,
            R::PostgresConnections,
        ) if symptom.rule == "pool_wait" => !same_target,
        // Of a fleet the silence of one machine says nothing of another.
        (R::TargetAnswer, _) => same_target && (cause.target.row_name().is_none() || one_machine()),
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
        (R::PostgresSlowQueries | R::PostgresLoad, R::HostCpu | R::HostDisk) => one_machine(),
        (R::HostMemory, R::HostDisk | R::HostCpu) => one_machine(),
        (R::HostMemory | R::HostDisk, R::PostgresSlowQueries) => one_machine(),
        (R::HostMemory | R::HostDisk | R::HostCpu, R::PostgresLoad | R::CacheLatency) => one_machine(),
        // A snapshot fails on a full disk, or for want of memory to fork.
        (R::HostMemory | R::HostDisk, R::CacheService) => one_machine(),
        (
            R::HostMemory | R::HostDisk | R::HostNetwork,
            R::RequestQueue | R::QueueBacklog | R::EndpointLatency | R::ProxyBackends,
        ) => true,
        // A busy machine answers late: it neither turns a server away nor sends the workers home.
        (R::HostCpu, R::RequestQueue | R::EndpointLatency) => true,
        (R::HostNetwork, R::TargetAnswer | R::PostgresReplication) => true,
        (R::CacheMemory, R::CacheLatency | R::CacheService) => same_target,
        (
            R::CacheMemory | R::CacheLatency | R::CacheService,
            R::PostgresLoad | R::RequestQueue | R::EndpointLatency,
        ) => true,
        (R::CacheLatency | R::CacheService, R::QueueBacklog) => true,
        (R::ProxyBackends, R::RequestQueue) => same_target,
        // What waits behind a proxy waits because the app server has nobody left to work on it.
        (R::RequestQueue, R::RequestQueue) => cause.rule == WORKERS && symptom.rule != WORKERS,
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

/// Whether it harms somebody by itself, which being busy does not.
const fn harms(resource: Resource) -> bool {
    !matches!(resource, Resource::HostCpu | Resource::PostgresLoad | Resource::PostgresVacuum)
}

/// Whether `cause` was there early enough. Only a machine's trouble is never dated back by a server's
/// own word, nor hidden behind another's: when it shows later, it came later.
fn in_time(cause: &Finding, symptom: &Finding) -> bool {
    use Resource as R;
    let machine = matches!(cause.resource, R::HostMemory | R::HostDisk | R::HostCpu | R::HostNetwork);
    let late = cause.since.since(symptom.since);
    let lived_with = symptom.since.since(cause.since) > LIVED_WITH;
    !(lived_with || machine && late > STEP)
}

/// What a finding was put down to.
#[derive(Clone, Debug)]
struct Blame {
    cause: String,
    /// When that cause began.
    began: Timestamp,
    /// Since when that cause is over while the finding lasts.
    over: Option<Timestamp>,
}

/// What each finding was put down to, so that a symptom that outlasts its cause is not put down to
/// whatever else happens to be there.
#[derive(Clone, Debug, Default)]
pub(super) struct Causes {
    blamed: BTreeMap<String, Blame>,
}

impl Causes {
    /// Sets `caused_by` and puts the findings in order: worst incident first, of equal ones those that
    /// harm, in each the cause before its symptoms. A cause is as bad as the worst of its symptoms.
    pub(super) fn tie(&mut self, findings: &mut Vec<Finding>, now: Timestamp, together: Together<'_>) {
        let there = onsets(findings);
        for blame in self.blamed.values_mut().filter(|blame| !there.contains_key(&blame.cause)) {
            blame.over.get_or_insert(now);
        }
        let may = |cause: &Finding, symptom: &Finding| match self.blamed.get(&key(symptom)) {
            Some(Blame { cause: known, began, over: Some(over) }) => {
                // An all-clear comes late: what harms and began after the old cause did is a new reason.
                let new = cause.since > *over || harms(cause.resource) && cause.since > *began;
                *known == cause.reference() || new
            }
            _ => true,
        };
        tie(findings, together, may);
        let there = onsets(findings);
        let mut blamed = BTreeMap::new();
        for finding in findings.iter() {
            let key = key(finding);
            let before = self.blamed.remove(&key);
            let began = |cause: &String| there.get(cause).copied();
            let blame = finding
                .caused_by
                .clone()
                .and_then(|cause| Some(Blame { began: began(&cause)?, cause, over: None }));
            let blame = blame.or(before);
            if let Some(blame) = blame {
                blamed.insert(key, blame);
            }
        }
        self.blamed = blamed;
    }
}

/// When each began; of several with one reference, the first in order.
fn onsets(findings: &[Finding]) -> BTreeMap<String, Timestamp> {
    findings.iter().rev().map(|it| (it.reference(), it.since)).collect()
}

fn key(finding: &Finding) -> String {
    format!("{} {}", finding.rule, finding.reference())
}

fn tie(findings: &mut Vec<Finding>, together: Together<'_>, may: impl Fn(&Finding, &Finding) -> bool) {
    let onset = |finding: &Finding| {
        let later = u32::saturating_sub(20, depth(finding));
        finding.since.minus(STEP * later)
    };
    findings.sort_by(|a, b| {
        onset(a)
            .cmp(&onset(b))
            .then_with(|| depth(a).cmp(&depth(b)))
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
                is_claim(cause)
                    && in_time(cause, symptom)
                    && can_cause(cause, symptom, together)
                    && may(cause, symptom)
            })
            .max_by_key(|before| {
                let cause = &findings[*before];
                let near = cause.target.same_target(&findings[at].target);
                (near, harms(cause.resource), depth(cause), Reverse(*before))
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
    let mut harmful = vec![false; findings.len()];
    for (at, finding) in findings.iter().enumerate() {
        harmful[roots[at]] |= is_claim(finding) && harms(finding.resource);
    }
    let mut order: Vec<usize> = (0..findings.len()).collect();
    order.sort_by(|a, b| {
        let incident =
            |at: usize| (Reverse(findings[roots[at]].severity), Reverse(harmful[roots[at]]), roots[at]);
        incident(*a).cmp(&incident(*b)).then(a.cmp(b))
    });
    let mut taken: Vec<Option<Finding>> = std::mem::take(findings).into_iter().map(Some).collect();
    findings.extend(order.into_iter().filter_map(|at| taken[at].take()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + second * 1_000_000)
    }

    fn finding(resource: Resource, target: &str, severity: Severity, since: i64) -> Finding {
        Finding {
            rule: "test".into(),
            resource,
            target: target.parse().unwrap_or_else(|_| TargetId::parse("t").expect("legal")),
            severity,
            since: at(since),
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
        Causes::default().tie(&mut all, at(0), &|_, _| true);
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
        Causes::default().tie(&mut all, at(0), &|_, _| true);
        assert_eq!(all[0].resource, Resource::RequestQueue);
        assert_eq!(all[0].caused_by, None);
    }

    #[test]
    fn a_machine_that_became_busy_later_is_not_the_cause() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, 8),
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 0),
        ];
        Causes::default().tie(&mut all, at(9), &|_, _| true);
        assert_eq!(all[0].resource, Resource::RequestQueue);
        assert!(all.iter().all(|finding| finding.caused_by.is_none()), "{all:#?}");
        all[1].since = at(-2);
        Causes::default().tie(&mut all, at(9), &|_, _| true);
        assert_eq!(all[0].resource, Resource::HostCpu);
        assert_eq!(all[1].caused_by.as_deref(), Some("host.cpu@bastion"));
    }

    #[test]
    fn what_a_lock_leaves_behind_is_not_put_down_to_a_machine_that_was_busy_all_along() {
        let mut causes = Causes::default();
        let busy = finding(Resource::HostCpu, "bastion", Severity::Critical, -60);
        let queue = finding(Resource::RequestQueue, "edge/app", Severity::Critical, 4);
        let full = finding(Resource::PostgresConnections, "primary", Severity::Critical, 6);
        let lock = finding(Resource::PostgresLocks, "primary", Severity::Critical, 3);
        let mut judge = |second: i64, all: &[&Finding]| {
            let mut all: Vec<_> = all.iter().map(|finding| (*finding).clone()).collect();
            causes.tie(&mut all, at(second), &|_, _| true);
            let told = |finding: &Finding| (finding.resource, finding.caused_by.clone());
            all.iter().map(told).collect::<Vec<_>>()
        };
        let named = judge(10, &[&busy, &queue, &full, &lock]);
        assert_eq!(named[0], (Resource::PostgresLocks, None));
        assert_eq!(named[3], (Resource::HostCpu, None), "being busy comes after what harms");
        let left = judge(20, &[&busy, &queue, &full]);
        assert_eq!(left[0], (Resource::PostgresConnections, None));
        assert_eq!(left[1].1.as_deref(), Some("postgres.connections@primary"));
        let left = judge(22, &[&busy, &queue]);
        assert_eq!(left, [(Resource::RequestQueue, None), (Resource::HostCpu, None)]);
        // A new lock is a new reason.
        let again = finding(Resource::PostgresLocks, "primary", Severity::Critical, 30);
        let queue = finding(Resource::RequestQueue, "edge/app", Severity::Critical, 4);
        let told = judge(31, &[&busy, &queue, &again]);
        assert_eq!(told[0], (Resource::PostgresLocks, None), "{told:?}");
    }

    #[test]
    fn a_second_fault_soon_after_the_first_is_the_new_reason_of_what_lasts() {
        let mut causes = Causes::default();
        let queue = finding(Resource::RequestQueue, "edge/app", Severity::Critical, 4);
        let full = finding(Resource::PostgresConnections, "primary", Severity::Critical, 6);
        causes.tie(&mut vec![queue.clone(), full], at(10), &|_, _| true);
        causes.tie(&mut vec![queue.clone()], at(20), &|_, _| true);
        // It began before the first was known to be over.
        let gone = finding(Resource::TargetAnswer, "cache", Severity::Critical, 18);
        let mut all = vec![queue, gone];
        causes.tie(&mut all, at(21), &|_, _| true);
        assert_eq!(all[0].resource, Resource::TargetAnswer);
        assert_eq!(all[1].caused_by.as_deref(), Some("target.answer@cache"));
    }

    #[test]
    fn a_server_that_is_gone_is_not_put_down_to_a_busy_machine() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, 0),
            finding(Resource::ProxyBackends, "edge/app", Severity::Critical, 5),
        ];
        Causes::default().tie(&mut all, at(6), &|_, _| true);
        assert_eq!((all[0].resource, all[0].caused_by.as_deref()), (Resource::ProxyBackends, None));
    }

    #[test]
    fn what_harms_is_rather_the_cause_than_what_is_only_busy() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, -20),
            finding(Resource::TargetAnswer, "cache", Severity::Critical, 0),
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 2),
        ];
        Causes::default().tie(&mut all, at(6), &|_, _| true);
        assert_eq!(all[0].resource, Resource::TargetAnswer);
        assert_eq!(all[1].caused_by.as_deref(), Some("target.answer@cache"));
    }

    #[test]
    fn jobs_without_a_worker_are_not_put_down_to_a_full_cache() {
        let mut all = vec![
            finding(Resource::CacheMemory, "cache", Severity::Critical, 0),
            finding(Resource::QueueBacklog, "jobs/mail", Severity::Critical, 5),
        ];
        Causes::default().tie(&mut all, at(6), &|_, _| true);
        assert!(all.iter().all(|finding| finding.caused_by.is_none()), "{all:#?}");
    }
}

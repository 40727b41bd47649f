//! Which finding is the cause of which: by what can cause what, where, and which came first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::earlier::{Earlier, Place};
use super::reach::Sort;
use crate::model::{Culprit, Finding, Resource, Severity, TargetId, Timestamp};

/// A cause may become visible this much later than its symptom and still be the cause, for each
/// step it stands ahead of it in `reach.rs`.
const STEP: Duration = Duration::from_secs(3);

/// Trouble that began longer than this before another's is not taken for its cause: it was lived with.
const LIVED_WITH: Duration = Duration::from_secs(900);

/// The machine a target or row is known to run on, by a name of it.
pub(super) type Home<'a> = &'a dyn Fn(&TargetId) -> Option<String>;

/// Whether a finding is a claim about the world, fit to be a cause.
fn is_claim(finding: &Finding) -> bool {
    finding.severity >= Severity::Warning
}

/// Whether it harms somebody by itself, which being busy does not.
const fn harms(resource: Resource) -> bool {
    !matches!(resource, Resource::HostCpu | Resource::PostgresLoad | Resource::PostgresVacuum)
}

/// Whether it is a full file system: that is nobody's symptom, while waits for a disk may well be one.
fn is_fill(finding: &Finding) -> bool {
    let mount = |it: &Culprit| matches!(it, Culprit::Device { name } if name.as_str().starts_with('/'));
    finding.resource == Resource::HostDisk && finding.culprit.as_ref().is_some_and(mount)
}

/// Whether trouble of this sort that began then was lived with when the other began.
pub(super) fn lived_with(cause: Timestamp, symptom: Timestamp) -> bool {
    symptom.since(cause) > LIVED_WITH
}

/// Whether `cause` was there early enough. Only a machine's trouble is never dated back by a server's
/// own word, nor hidden behind another's: when it shows later, it came later.
fn in_time(cause: &Finding, symptom: &Finding) -> bool {
    use Resource as R;
    let machine = matches!(cause.resource, R::HostMemory | R::HostDisk | R::HostCpu | R::HostNetwork);
    let late = cause.since.since(symptom.since);
    !(lived_with(cause.since, symptom.since) || machine && late > STEP)
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
    pub(super) fn tie(&mut self, findings: &mut Vec<Finding>, now: Timestamp, home: Home<'_>) {
        let there = onsets(findings);
        for blame in self.blamed.values_mut().filter(|blame| !there.contains_key(&blame.cause)) {
            blame.over.get_or_insert(now);
        }
        tie(findings, home, &self.blamed);
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

impl Blame {
    /// Whether this may be the cause of what was put down to another.
    fn allows(&self, cause: &Finding) -> bool {
        let Some(over) = self.over else { return true };
        // An all-clear comes late: what harms and began after the old cause did is a new reason.
        let new = cause.since > over || harms(cause.resource) && cause.since > self.began;
        new || self.cause == cause.reference()
    }
}

/// When each began; of several with one reference, the first in order.
fn onsets(findings: &[Finding]) -> BTreeMap<String, Timestamp> {
    findings.iter().rev().map(|it| (it.reference(), it.since)).collect()
}

fn key(finding: &Finding) -> String {
    format!("{} {}", finding.rule, finding.reference())
}

fn tie(findings: &mut Vec<Finding>, home: Home<'_>, blamed: &BTreeMap<String, Blame>) {
    let depth = |finding: &Finding| Sort::of(finding).depth();
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
    let parent = parents(findings, home, blamed);
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

/// The cause of each. It stands before it in the order given, so there are no circles.
fn parents(findings: &[Finding], home: Home<'_>, blamed: &BTreeMap<String, Blame>) -> Vec<Option<usize>> {
    let homes: Vec<Option<String>> = findings.iter().map(|it| home(&it.target)).collect();
    let mut earlier = Earlier::new(findings);
    let mut out = vec![None; findings.len()];
    for (at, symptom) in findings.iter().enumerate().filter(|(_, it)| is_claim(it)) {
        let blame = if blamed.is_empty() { None } else { blamed.get(&key(symptom)) };
        let may = |cause: &Finding| in_time(cause, symptom) && blame.is_none_or(|it| it.allows(cause));
        let place = Place { target: symptom.target.target_name(), machine: homes[at].as_deref() };
        // The nearest step of the chain: of what can cause it, the one furthest from the root.
        let causes = if is_fill(symptom) { Vec::new() } else { earlier.causes(symptom, place, &may) };
        out[at] = causes.into_iter().max_by_key(|before| {
            let cause = &findings[*before];
            let near = cause.target.same_target(&symptom.target);
            (near, harms(cause.resource), Sort::of(cause).depth(), Reverse(*before))
        });
        earlier.add(at, place);
    }
    out
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
    fn a_full_file_system_is_nobodys_symptom_and_waits_for_a_disk_are() {
        let judged = |name: &str| {
            let disk = finding(Resource::HostDisk, "db1", Severity::Warning, 6);
            let disk = Finding { culprit: Some(Culprit::Device { name: name.into() }), ..disk };
            let mut all = vec![disk, finding(Resource::HostMemory, "db1", Severity::Warning, 5)];
            Causes::default().tie(&mut all, at(7), &|target| Some(target.to_string()));
            all.into_iter().find(|it| it.resource == Resource::HostDisk).and_then(|it| it.caused_by)
        };
        assert_eq!(judged("/var"), None);
        assert_eq!(judged("vda"), Some("host.memory@db1".into()));
    }

    #[test]
    fn a_lock_that_fills_the_connections_and_queues_the_requests_is_one_incident() {
        let mut all = vec![
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 4),
            finding(Resource::PostgresConnections, "primary", Severity::Warning, 6),
            finding(Resource::PostgresLocks, "primary", Severity::Warning, 5),
            finding(Resource::HostDisk, "db9", Severity::Warning, -9000),
        ];
        Causes::default().tie(&mut all, at(0), &|_| Some(String::new()));
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
        Causes::default().tie(&mut all, at(0), &|_| Some(String::new()));
        assert_eq!(all[0].resource, Resource::RequestQueue);
        assert_eq!(all[0].caused_by, None);
    }

    #[test]
    fn a_machine_that_became_busy_later_is_not_the_cause() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, 8),
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 0),
        ];
        Causes::default().tie(&mut all, at(9), &|_| Some(String::new()));
        assert_eq!(all[0].resource, Resource::RequestQueue);
        assert!(all.iter().all(|finding| finding.caused_by.is_none()), "{all:#?}");
        all[1].since = at(-2);
        Causes::default().tie(&mut all, at(9), &|_| Some(String::new()));
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
            causes.tie(&mut all, at(second), &|_| Some(String::new()));
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
        causes.tie(&mut vec![queue.clone(), full], at(10), &|_| Some(String::new()));
        causes.tie(&mut vec![queue.clone()], at(20), &|_| Some(String::new()));
        // It began before the first was known to be over.
        let gone = finding(Resource::TargetAnswer, "cache", Severity::Critical, 18);
        let mut all = vec![queue, gone];
        causes.tie(&mut all, at(21), &|_| Some(String::new()));
        assert_eq!(all[0].resource, Resource::TargetAnswer);
        assert_eq!(all[1].caused_by.as_deref(), Some("target.answer@cache"));
    }

    #[test]
    fn a_server_that_is_gone_is_not_put_down_to_a_busy_machine() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, 0),
            finding(Resource::ProxyBackends, "edge/app", Severity::Critical, 5),
        ];
        Causes::default().tie(&mut all, at(6), &|_| Some(String::new()));
        assert_eq!((all[0].resource, all[0].caused_by.as_deref()), (Resource::ProxyBackends, None));
    }

    #[test]
    fn what_harms_is_rather_the_cause_than_what_is_only_busy() {
        let mut all = vec![
            finding(Resource::HostCpu, "bastion", Severity::Critical, -20),
            finding(Resource::TargetAnswer, "cache", Severity::Critical, 0),
            finding(Resource::RequestQueue, "edge/app", Severity::Critical, 2),
        ];
        Causes::default().tie(&mut all, at(6), &|_| Some(String::new()));
        assert_eq!(all[0].resource, Resource::TargetAnswer);
        assert_eq!(all[1].caused_by.as_deref(), Some("target.answer@cache"));
    }

    #[test]
    fn jobs_without_a_worker_are_not_put_down_to_a_full_cache() {
        let mut all = vec![
            finding(Resource::CacheMemory, "cache", Severity::Critical, 0),
            finding(Resource::QueueBacklog, "jobs/mail", Severity::Critical, 5),
        ];
        Causes::default().tie(&mut all, at(6), &|_| Some(String::new()));
        assert!(all.iter().all(|finding| finding.caused_by.is_none()), "{all:#?}");
    }
    #[test]
    fn a_broker_out_of_disk_is_put_down_to_its_machine_and_to_no_cache() {
        let broker = Finding {
            rule: "broker_alarm".into(),
            ..finding(Resource::QueueBacklog, "broker", Severity::Critical, 5)
        };
        let cold = finding(Resource::CacheService, "cache", Severity::Critical, 0);
        let full = finding(Resource::HostDisk, "mq1", Severity::Warning, 0);
        let cause = |all: &[&Finding], together: bool| {
            let mut all: Vec<_> = all.iter().map(|finding| (*finding).clone()).collect();
            let home = |it: &TargetId| Some(if together { String::new() } else { it.to_string() });
            Causes::default().tie(&mut all, at(6), &home);
            all.into_iter().find(|it| it.rule == "broker_alarm").and_then(|it| it.caused_by)
        };
        assert_eq!(cause(&[&cold, &broker], true), None);
        assert_eq!(cause(&[&full, &broker], false), None, "another machine");
        assert_eq!(cause(&[&cold, &full, &broker], true).as_deref(), Some("host.disk@mq1"));
    }
}

//! From a real fault to the verdict and to the all-clear, by the same feed, store and judge as the console.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test says what it expected by failing, and what it timed"
)]

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use warroom::config::{Flags, Known, load};
use warroom::detect::{Judge, Judgement};
use warroom::feed::Live;
use warroom::lab;
use warroom::model::{Culprit, Fact, Finding, Resource, Severity};
use warroom::shell::{clock, world};
use warroom::sources::KINDS;
use warroom::store::Store;

/// A console without a screen.
pub(crate) struct Watcher {
    feed: Live,
    store: Store,
    judge: Judge,
    last: Judgement,
}

impl Watcher {
    pub(crate) fn on(config: &Path) -> Self {
        let flags = Flags { config: Some(config.to_owned()), ..Flags::default() };
        let kinds: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        let known = Known { kinds: &kinds, ..Known::default() };
        let config = load(&flags, &known, &|name| std::env::var(name).ok()).unwrap();
        let (store, judge) = (world::store(&config), world::judge(&config));
        let feed = Live::start(config.targets, clock::now).unwrap();
        Self { feed, store, judge, last: Judgement::default() }
    }

    /// Looks on until `seen`, and returns how long that took.
    pub(crate) async fn until(&mut self, what: &str, seen: impl Fn(&Judgement) -> bool) -> Duration {
        let began = Instant::now();
        loop {
            if let Ok(Some(at)) = timeout(Duration::from_millis(200), self.feed.next()).await
                && let Fact::Reading(reading) = at.it
            {
                self.store.take(at.at, reading);
            }
            self.last = self.judge.judge(&mut self.store, clock::now()).0;
            if seen(&self.last) {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "{what} was not seen; the last verdict: {:?}; findings: {:#?}",
                self.last.verdict.says,
                self.last.findings
            );
        }
    }
}

/// Calm, but for what is true of the machine that the test runs on: others work on it, its disk fills.
/// What is `meant` to be healed counts, as long as it says so.
fn calm_but_for_the_machine(judgement: &Judgement, meant: Option<(Resource, &str)>) -> bool {
    let is_meant = |it: &Finding| {
        meant.is_some_and(|(resource, tells)| it.resource == resource && it.says.contains(tells))
    };
    judgement
        .findings
        .iter()
        .all(|it| (is_machine(it.resource) && !is_meant(it)) || is_the_machines(judgement, it, is_meant))
}

/// What is true of the machine alone.
fn is_machine(resource: Resource) -> bool {
    matches!(resource, Resource::HostCpu | Resource::HostMemory | Resource::HostDisk | Resource::HostNetwork)
}

/// Put down to the machine that the test runs on, and not to what is meant: others work on it.
fn is_the_machines(judgement: &Judgement, finding: &Finding, is_meant: impl Fn(&Finding) -> bool) -> bool {
    finding.caused_by.as_ref().is_some_and(|by| {
        let mut causes = judgement.findings.iter().filter(|it| is_machine(it.resource) && !is_meant(it));
        causes.any(|cause| cause.reference() == *by)
    })
}

fn calm(judgement: &Judgement) -> bool {
    calm_but_for_the_machine(judgement, None)
}

/// The finding on this resource, unless something else than a machine that others use is behind it.
fn root(judgement: &Judgement, resource: Resource) -> Option<&Finding> {
    judgement.findings.iter().find(|finding| {
        finding.resource == resource
            && (finding.caused_by.is_none() || is_the_machines(judgement, finding, |_| false))
    })
}

#[tokio::test]
async fn each_fault_is_named_by_its_resource_and_cleared_when_it_is_healed() {
    let folder = lab::Folder::temporary("incidents").unwrap();
    let lab = super::lab::whole(&folder);
    let mut watcher = Watcher::on(&lab.config());
    watcher.until("a healthy lab", calm).await;
    for (fault, resource, target, tells) in [
        ("lock-pileup", Resource::PostgresLocks, "primary", "idle in transaction"),
        ("slow-queries", Resource::PostgresSlowQueries, "primary", "has run"),
        ("connection-storm", Resource::PostgresConnections, "primary", "connections taken"),
        ("cache-fill", Resource::CacheMemory, "cache", "full"),
        ("slow-app", Resource::RequestQueue, "edge", "an answer takes"),
        ("backend-down", Resource::ProxyBackends, "edge", "is down"),
        ("queue-clog", Resource::QueueBacklog, "jobs", "no worker is alive"),
        ("cpu-burn", Resource::HostCpu, "bastion", "lab-cpu-burn"),
        ("freeze-postgres", Resource::TargetAnswer, "primary", "nothing came back"),
        ("refuse-redis", Resource::TargetAnswer, "cache", "nobody listens"),
        ("garbage-redis", Resource::TargetAnswer, "cache", "is it a Redis?"),
        ("vanish-haproxy", Resource::TargetAnswer, "edge", "nobody listens"),
    ] {
        lab::cause(lab.dir(), fault).unwrap();
        let named = watcher
            .until(fault, |judgement| {
                root(judgement, resource).is_some_and(|finding| {
                    finding.target.target().as_str() == target
                        && finding.severity >= Severity::Warning
                        && finding.says.contains(tells)
                })
            })
            .await;
        let says = watcher.last.verdict.says.clone();
        lab::heal(lab.dir()).unwrap();
        let clear = |judgement: &Judgement| calm_but_for_the_machine(judgement, Some((resource, tells)));
        let cleared = watcher.until(&format!("the all-clear after {fault}"), clear).await;
        eprintln!(
            "{fault}: named after {:.1} s as {says:?}; all clear after {:.1} s",
            named.as_secs_f64(),
            cleared.as_secs_f64()
        );
    }
}

#[tokio::test]
async fn a_pile_up_is_told_as_one_incident_with_the_holder_as_its_culprit() {
    let folder = lab::Folder::temporary("pile-up").unwrap();
    let lab = super::lab::whole(&folder);
    let mut watcher = Watcher::on(&lab.config());
    watcher.until("a healthy lab", calm).await;
    lab::cause(lab.dir(), "lock-pileup").unwrap();
    watcher
        .until("the pile-up as the first finding, with what follows from it", |judgement| {
            let Some(first) = judgement.findings.first() else { return false };
            let holder = matches!(&first.culprit, Some(Culprit::Backend { application_name, waiters, .. })
                if application_name.as_str() == "web.3" && *waiters >= 5);
            let follows = judgement
                .findings
                .iter()
                .any(|it| it.resource == Resource::RequestQueue && it.caused_by.is_some());
            first.resource == Resource::PostgresLocks
                && first.severity == Severity::Critical
                && first.remedy.as_ref().is_some_and(|remedy| remedy.intent.is_some())
                && holder
                && follows
        })
        .await;
    lab::heal(lab.dir()).unwrap();
    watcher.until("the all-clear", calm).await;
}

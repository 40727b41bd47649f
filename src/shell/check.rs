//! Looks a few times, judges as the console does, and tells what a script wants to know.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout};

use super::world;
use crate::config::{Config, TargetSpec};
use crate::detect::Judgement;
use crate::feed::Clock;
use crate::model::{
    At, Finding, Mark, Millis, PollError, PollErrorKind, Reading, ResourceState, Sample, Severity, TargetId,
    Timestamp, Verdict,
};
use crate::sources::{KINDS, Source};
use crate::store::{Freshness, Store};

/// What `check --json` prints. Fields are only ever added.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Version of this form.
    pub schema: u32,
    /// When the last look ended.
    pub at: Timestamp,
    /// The environment's name.
    pub environment: String,
    /// The first finding, or that all is well.
    pub verdict: Verdict,
    /// Root cause first.
    pub findings: Vec<Finding>,
    /// Every resource of every target.
    pub resources: Vec<ResourceState>,
    /// How old the answers of all targets are, by rank.
    pub freshness: Freshness,
    /// Every target.
    pub targets: Vec<TargetReport>,
}

/// One target in the report.
#[derive(Debug, Serialize)]
pub struct TargetReport {
    /// Its id.
    pub id: TargetId,
    /// Its kind.
    pub kind: String,
    /// `up`, `stale` or `down`.
    pub state: &'static str,
    /// Why it is down.
    pub error: Option<PollError>,
    /// Age of its last good answer.
    pub age_ms: Option<u64>,
    /// How long its last poll took.
    pub took_ms: Millis,
    /// Its last good answer; the form depends on the kind.
    pub sample: Option<serde_json::Value>,
}

impl Report {
    /// 2 critical, 3 something cannot be judged, 1 warning, 0 all is well.
    pub fn exit_code(&self) -> u8 {
        let any = |severity| {
            self.findings.iter().any(|finding| finding.severity == severity)
                || self.resources.iter().any(|state| state.severity == severity)
        };
        if any(Severity::Critical) {
            2
        } else if any(Severity::Unknown) || self.verdict.severity == Severity::Unknown {
            3
        } else {
            u8::from(any(Severity::Warning))
        }
    }
}

/// Polls every target `samples` times, `interval` apart, and judges after each.
pub async fn check(
    config: &Config,
    marks: Vec<At<Mark>>,
    samples: u32,
    interval: Duration,
    clock: Clock,
) -> Report {
    let mut store = world::store(config);
    let mut judge = world::judge(config).brief();
    for mark in marks {
        store.mark(mark);
    }
    let mut askers: Vec<_> = config.targets.iter().map(Asker::new).collect();
    let began = Instant::now();
    let mut judgement = Judgement::default();
    for round in 0..samples.max(1) {
        sleep_until(began + interval * round).await;
        for (at, reading) in join_all(askers.iter_mut().map(|it| it.ask(clock))).await.into_iter().flatten() {
            store.take(at, reading);
        }
        judgement = judge.judge(&mut store, clock()).0;
    }
    let at = clock();
    Report {
        schema: 1,
        at,
        environment: config.environment.name.clone(),
        verdict: judgement.verdict,
        findings: judgement.findings,
        resources: judgement.resources,
        freshness: Freshness::of(store.targets().iter().map(|target| target.age(at))),
        targets: targets(&store, at),
    }
}

/// One target and what asks it.
pub(super) struct Asker<'a> {
    spec: &'a TargetSpec,
    source: Result<Box<dyn Source>, String>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(spec: &'a TargetSpec) -> Self {
        let source = match (&spec.broken, KINDS.iter().find(|kind| kind.name == spec.kind)) {
            (Some(why), _) => Err(why.clone()),
            (None, Some(kind)) => (kind.build)(spec),
            (None, None) => Err(format!("there is no kind {:?}", spec.kind)),
        };
        Self { spec, source }
    }

    pub(super) async fn ask(&mut self, clock: Clock) -> Vec<(Timestamp, Reading)> {
        let began = Instant::now();
        let error = match &mut self.source {
            Ok(source) => {
                if let Ok(readings) = timeout(self.spec.timeout, source.poll()).await {
                    return readings.into_iter().map(|reading| (clock(), reading)).collect();
                }
                PollError::silent(self.spec.timeout)
            }
            Err(why) => PollError::new(PollErrorKind::Config, why),
        };
        let took = Millis::from(began.elapsed());
        vec![(clock(), Reading { target: self.spec.id.clone(), took, sample: Err(error) })]
    }
}

fn targets(store: &Store, now: Timestamp) -> Vec<TargetReport> {
    store
        .targets()
        .iter()
        .map(|target| TargetReport {
            id: target.info.id.clone(),
            kind: target.info.kind.clone(),
            state: target.state(now).word(),
            error: target.error.as_ref().map(|error| error.it.clone()),
            age_ms: target.age(now).map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            took_ms: target.took,
            sample: target.sample.as_deref().and_then(|sample| plain(&sample.it)),
        })
        .collect()
}

/// The sample itself, without the name of its variant: the kind tells what it is.
fn plain(sample: &Sample) -> Option<serde_json::Value> {
    match sample {
        Sample::Host(it) => serde_json::to_value(it),
        Sample::Database(it) => serde_json::to_value(it),
        Sample::Cache(it) => serde_json::to_value(it),
        Sample::Queue(it) => serde_json::to_value(it),
        Sample::Proxy(it) => serde_json::to_value(it),
        Sample::App(it) => serde_json::to_value(it),
        Sample::Pooler(it) => serde_json::to_value(it),
        Sample::Fleet(it) => serde_json::to_value(it),
    }
    .ok()
}

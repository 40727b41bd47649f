//! Rules `idle_workers`, `slow_job` and `stuck_workers`: workers are alive, and yet jobs wait: because none
//! of them takes any, because all of them are held by jobs that take long, or because none finishes what it has.

use std::time::Duration;

use super::queue_backlog::jobs;
use super::{Assessment, View};
use crate::model::words::span;
use crate::model::{Culprit, Queue, QueueSample, Resource, SafeText, Severity, TargetId};
use crate::store::QueueRates;

/// A job that has waited for less is no sign of anything, seconds.
const WAITED: f64 = 30.0;
/// A job worked on for longer is a long one, seconds.
const LONG: f64 = 60.0;
/// Without a finished job for this long, something holds the workers.
const STUCK: Duration = Duration::from_secs(60);

/// How the workers of every queue stand.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut out = Vec::new();
    for (target, sample) in view.store.queues(view.now) {
        let rates = target.queue_window();
        for queue in &sample.queues {
            let rate = rates.and_then(|rows| rows.get(queue.name.as_str()));
            let id = target.info.id.row(queue.name.as_str());
            out.extend(idle(&id, sample, queue, rate));
            out.extend(slow(&id, queue));
            out.extend(stuck(&id, queue, rate));
        }
    }
    out
}

/// Jobs wait, workers are there, nothing is under way.
fn idle(
    id: &TargetId,
    sample: &QueueSample,
    queue: &Queue,
    rates: Option<&QueueRates>,
) -> Option<Assessment> {
    let it = Assessment::new("idle_workers", Resource::QueueBacklog, id.clone()).hold(Duration::from_secs(5));
    let workers = queue.workers.filter(|workers| *workers > 0)?;
    let under_way = queue.in_flight.or_else(|| queue.busy.map(u64::from))?;
    let waited = queue.oldest.seconds().unwrap_or(0.0);
    let done = rates.and_then(|rates| rates.service).is_some_and(|service| service > 0.0);
    if queue.depth == 0 || under_way > 0 || done || waited < WAITED || queue.paused == Some(true) {
        return Some(it.says("jobs are taken"));
    }
    let it = it.at_least(Severity::Warning).proven((waited - WAITED).max(0.0));
    let waiting = jobs(queue.depth);
    let elsewhere = sample
        .queues
        .iter()
        .filter(|other| other.name != queue.name)
        .max_by_key(|other| other.in_flight.unwrap_or(0))
        .filter(|_| queue.busy.unwrap_or(0) >= workers);
    Some(match elsewhere {
        Some(other) => it
            .says(format!(
                "{waiting} waiting for {}: its workers are all at work on {}",
                span(waited),
                other.name
            ))
            .culprit(Culprit::Queue { name: other.name.clone(), depth: other.depth }),
        None => it
            .says(format!(
                "{workers} {} alive and none takes a job: {waiting} waiting, the oldest for {}",
                if workers == 1 { "worker is" } else { "workers are" },
                span(waited)
            ))
            .culprit(Culprit::Queue { name: queue.name.clone(), depth: queue.depth }),
    })
}

/// Every worker is taken, and at least one of them by a job that takes long.
fn slow(id: &TargetId, queue: &Queue) -> Option<Assessment> {
    let it = Assessment::new("slow_job", Resource::QueueBacklog, id.clone());
    let job = queue.longest.as_ref()?;
    let running = job.running?;
    let taken = queue.busy.map(u64::from).or(queue.in_flight).unwrap_or(0);
    let full = queue.workers.is_some_and(|workers| workers > 0 && taken >= u64::from(workers));
    let waited = queue.oldest.seconds().unwrap_or(0.0);
    if !full || running < LONG || queue.depth == 0 || waited < WAITED {
        return Some(it.says(format!("the longest job has run for {}", span(running))));
    }
    let on = on(&job.worker);
    let workers = queue.workers.unwrap_or(0);
    let all = if workers == 1 { "the only worker is".into() } else { format!("all {workers} workers are") };
    let says = format!(
        "{} has run for {}{on} and {all} taken: {} waiting behind it",
        job.name,
        span(running),
        jobs(queue.depth)
    );
    Some(it.at_least(Severity::Warning).proven(running - LONG).says(says).culprit(Culprit::Job {
        name: job.name.clone(),
        queue: queue.name.clone(),
        worker: job.worker.clone(),
    }))
}

/// Jobs are held, others wait behind them, and none is finished for long; where the job that takes long is
/// told, that is said instead.
fn stuck(id: &TargetId, queue: &Queue, rates: Option<&QueueRates>) -> Option<Assessment> {
    let it = Assessment::new("stuck_workers", Resource::QueueBacklog, id.clone()).hold(STUCK);
    let held = queue.in_flight.filter(|_| queue.longest.is_none())?;
    queue.processed?;
    let service = rates?.service?;
    let waited = queue.oldest.seconds().unwrap_or(0.0);
    if held == 0 || queue.depth == 0 || service > 0.0 || waited < WAITED || queue.workers == Some(0) {
        return Some(it.says("jobs are finished"));
    }
    let who = queue.workers.map_or_else(
        || "the workers hold".into(),
        |workers| {
            if workers == 1 { "1 worker holds".into() } else { format!("{workers} workers hold") }
        },
    );
    let these = if held == 1 { "1 job".into() } else { format!("{held} jobs") };
    let says =
        format!("{who} {these} and finished none for over a minute: {} waiting behind", jobs(queue.depth));
    let culprit = Culprit::Queue { name: queue.name.clone(), depth: queue.depth };
    Some(it.at_least(Severity::Warning).says(says).culprit(culprit))
}

/// ` on web1:17`, where it is told who has a job.
pub(super) fn on(worker: &SafeText) -> String {
    if worker.is_empty() { String::new() } else { format!(" on {worker}") }
}

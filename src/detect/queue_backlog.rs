//! Rules `backlog`, `overrun` and `no_worker`: jobs that wait too long, will do so soon, or wait for
//! nobody. In seconds of the oldest wait.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{self, per_second, span};
use crate::model::{
    Culprit, Intent, PauseReach, Queue, QueueAge, QueueChange, Remedy, Resource, Severity, TargetId,
    pause_reach,
};
use crate::store::{QueueRates, TargetInfo};

/// How long more must come in than goes out before it is said.
const OVERRUN: Duration = Duration::from_secs(15);
/// Waiting jobs from which more coming in than going out is worth a word.
const MANY: u64 = 50;
/// A limit that will be passed within this many seconds is worth a word now.
const SOON: f64 = 900.0;

/// How every queue stands, a row each.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut out = Vec::new();
    for (target, sample) in view.store.queues(view.now) {
        for queue in &sample.queues {
            let rates = target.queue_window().and_then(|rows| rows.get(queue.name.as_str()));
            let id = target.info.id.row(queue.name.as_str());
            let mut waits = backlog(view, &id, queue, rates);
            if queue.paused == Some(true) && waits.kept > Severity::Ok {
                waits.remedy = resume(&target.info, queue);
            }
            out.push(waits);
            out.push(no_worker(&id, queue));
            out.extend(overrun(view, &id, queue, rates));
        }
    }
    out
}

fn backlog(view: &View<'_>, id: &TargetId, queue: &Queue, rates: Option<&QueueRates>) -> Assessment {
    let it = Assessment::new("backlog", Resource::QueueBacklog, id.clone());
    let oldest = match &queue.oldest {
        QueueAge::Unknown(_) => None,
        other => Some(other.seconds().unwrap_or(0.0)),
    };
    let it = match oldest {
        Some(seconds) => it.measured(seconds, view.limits(Resource::QueueBacklog, id)).proven(seconds),
        None => it,
    };
    let busy = queue.busy.zip(queue.workers.filter(|workers| *workers > 0));
    it.used(
        busy.map(|(busy, workers)| f64::from(busy) / f64::from(workers)),
        Some(queue.depth as f64),
        rates.and_then(|rates| rates.died.or(rates.failures)),
    )
    .says(told(queue, rates))
    .culprit(Culprit::Queue { name: queue.name.clone(), depth: queue.depth })
}

/// Jobs that wait because somebody paused their queue: take them again, where the library can be told so.
fn resume(target: &TargetInfo, queue: &Queue) -> Option<Remedy> {
    let (queue, says) = match pause_reach(&target.kind).ok()? {
        PauseReach::One => (Some(queue.name.to_string()), "resume the queue"),
        PauseReach::All => (None, "resume the queues"),
    };
    let intent = Intent::PauseQueue { target: target.id.clone(), queue, to: QueueChange::Resume };
    Some(Remedy { intent: Some(intent), says: says.into() })
}

fn told(queue: &Queue, rates: Option<&QueueRates>) -> String {
    if queue.depth == 0 {
        return "nothing waits".into();
    }
    let age = match &queue.oldest {
        QueueAge::Exact(seconds) => format!(", the oldest for {}", span(*seconds)),
        QueueAge::AtLeast(seconds) => format!(", the oldest for at least {}", span(*seconds)),
        QueueAge::Unknown(_) => ", for how long is not known".into(),
        QueueAge::Empty => String::new(),
    };
    let pace = match rates {
        _ if queue.paused == Some(true) => "; held back by an operator".into(),
        Some(rates) => course(rates),
        None => String::new(),
    };
    format!("{} waiting{age}{pace}", jobs(queue.depth))
}

/// Arrival against service, and where that leads.
fn course(rates: &QueueRates) -> String {
    let pace = match rates.arrival.zip(rates.service) {
        Some((arrival, service)) => format!("; {}/s in, {}/s out", per_second(arrival), per_second(service)),
        None if rates.growth > 0.0 => format!("; grows by {:.1}/s", rates.growth),
        None => String::new(),
    };
    match rates.drain {
        Some(seconds) => format!("{pace}; empty in {}", span(seconds)),
        None if rates.growth > 0.0 => format!("{pace}: never empty at this pace"),
        None => pace,
    }
}

/// Jobs are put in faster than they are taken out: how long until they wait too long.
fn overrun(view: &View<'_>, id: &TargetId, queue: &Queue, rates: Option<&QueueRates>) -> Option<Assessment> {
    let it = Assessment::new("overrun", Resource::QueueBacklog, id.clone()).hold(OVERRUN);
    let (arrival, service) = rates.and_then(|rates| rates.arrival.zip(rates.service))?;
    let growth = arrival - service;
    let limit = view.limits(Resource::QueueBacklog, id).warning;
    // A tenth more than is done, and enough of it to be no accident of a second.
    if service <= 0.0 || growth < arrival / 10.0 || queue.depth < MANY || queue.paused == Some(true) {
        return Some(it.says("keeps up"));
    }
    let wait = queue.depth as f64 / service;
    let left = (limit * service - queue.depth as f64) / growth;
    let pace = format!("{}/s in, {}/s out", per_second(arrival), per_second(service));
    let it = it.culprit(Culprit::Queue { name: queue.name.clone(), depth: queue.depth });
    Some(if left <= 0.0 {
        it.at_least(Severity::Warning).says(format!("{pace}: a job put in now waits {}", span(wait)))
    } else if left < SOON {
        let says = format!("{pace}: in {} jobs will wait for {}", span(left), span(limit));
        it.at_least(Severity::Warning).says(says)
    } else {
        it.says(pace)
    })
}

fn no_worker(id: &TargetId, queue: &Queue) -> Assessment {
    let it = Assessment::new("no_worker", Resource::QueueBacklog, id.clone()).hold(Duration::from_secs(3));
    match queue.workers {
        Some(0) if queue.depth > 0 && queue.paused != Some(true) => it
            .at_least(Severity::Critical)
            .level()
            .proven(queue.oldest.seconds().unwrap_or(0.0))
            .says(format!("{} waiting and no worker is alive{}", jobs(queue.depth), silent(queue)))
            .culprit(Culprit::Queue { name: queue.name.clone(), depth: queue.depth })
            .remedy(Remedy::advice(format!("start the workers of {}", queue.name))),
        Some(0) => it.says("no worker, nothing to do"),
        Some(1) => it.says("1 worker"),
        Some(workers) => it.says(format!("{workers} workers")),
        None => it.says("workers not told"),
    }
}

/// Workers that stopped speaking without a farewell.
fn silent(queue: &Queue) -> String {
    match queue.stale_workers {
        None | Some(0) => String::new(),
        Some(gone) => format!("; {gone} went silent without saying goodbye"),
    }
}

pub(super) fn jobs(count: u64) -> String {
    if count == 1 { "1 job is".into() } else { format!("{} jobs are", words::count(count)) }
}

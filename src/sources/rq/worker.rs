//! RQ's workers: who is alive, and whom they serve.

use std::collections::HashMap;

use redis::{Pipeline, Value};

use super::super::heads;
use super::super::resp;
use crate::model::{Queue, Timestamp};

/// A worker that has not spoken for longer is gone: RQ lets an idle one be silent for eight minutes.
const SILENT: f64 = 500.0;

/// Asks for one worker's hash; `key` is what `rq:workers` lists.
pub(super) fn ask(pipeline: &mut Pipeline, key: &str) {
    pipeline.cmd("HMGET").arg(key).arg(&[
        "state",
        "last_heartbeat",
        "successful_job_count",
        "failed_job_count",
        "queues",
    ]);
}

/// One worker as its hash tells.
pub(super) struct Worker {
    busy: bool,
    alive: bool,
    succeeded: u64,
    failed: u64,
    queues: Vec<String>,
}

/// A worker; `None` when its hash has expired: it died without saying so.
pub(super) fn worker(value: &Value, now: Option<Timestamp>) -> Option<Worker> {
    let [state, heartbeat, succeeded, failed, queues] = resp::list(value) else { return None };
    let queues = resp::text(queues)?;
    let heartbeat = resp::text(heartbeat).and_then(|text| heads::from_text(&text));
    let silent = now.zip(heartbeat).map(|(now, heartbeat)| now.seconds_since(heartbeat));
    Some(Worker {
        busy: resp::text(state).as_deref() == Some("busy"),
        alive: silent.is_none_or(|silent| silent < SILENT),
        succeeded: resp::count(succeeded).unwrap_or(0),
        failed: resp::count(failed).unwrap_or(0),
        queues: queues.split(',').map(|name| name.trim().to_owned()).collect(),
    })
}

/// Adds to each queue the workers that serve it. Jobs done are counted by worker: they belong to a
/// queue only where all its workers serve nothing else.
pub(super) fn add(queues: &mut [Queue], workers: &[Worker]) {
    let mut by_queue: HashMap<&str, Vec<&Worker>> = HashMap::new();
    for worker in workers {
        for name in &worker.queues {
            by_queue.entry(name).or_default().push(worker);
        }
    }
    for queue in queues {
        let serving = by_queue.get(queue.name.as_str()).map_or(&[][..], Vec::as_slice);
        let number = |keep: &dyn Fn(&Worker) -> bool| {
            u32::try_from(serving.iter().filter(|worker| keep(worker)).count()).ok()
        };
        queue.workers = number(&|worker| worker.alive);
        queue.busy = number(&|worker| worker.alive && worker.busy);
        queue.stale_workers = number(&|worker| !worker.alive);
        if !serving.is_empty() && serving.iter().all(|worker| worker.queues.len() == 1) {
            queue.failed = Some(serving.iter().map(|worker| worker.failed).sum());
            queue.processed = Some(serving.iter().map(|worker| worker.succeeded + worker.failed).sum());
        }
    }
}

/// How many of these are alive.
pub(super) fn alive(workers: &[Worker]) -> Option<u32> {
    u32::try_from(workers.iter().filter(|worker| worker.alive).count()).ok()
}

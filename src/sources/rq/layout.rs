//! Where RQ keeps what, and how its answers read.

use std::collections::HashMap;

use redis::{Pipeline, Value};

use super::super::heads;
use super::super::resp;
use crate::model::{Queue, SafeText, Timestamp};

/// The rule that lets a user read all of it.
pub(super) const RULE: &str = "+time +exists +smembers +hmget +llen +lindex +zcard +zcount %R~rq:*";

/// A worker that has not spoken for longer is gone: RQ lets an idle one be silent for eight minutes.
const SILENT: f64 = 500.0;

/// Questions that show whether the rights suffice.
pub(super) fn rights() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.cmd("TIME");
    pipeline.cmd("SMEMBERS").arg("rq:queues");
    pipeline.cmd("LLEN").arg("rq:queue:default");
    pipeline.cmd("LINDEX").arg("rq:queue:default").arg(0);
    pipeline.cmd("ZCARD").arg("rq:wip:default");
    pipeline.cmd("ZCOUNT").arg("rq:wip:default").arg("-inf").arg(0);
    pipeline.cmd("EXISTS").arg("rq:suspended");
    pipeline.cmd("HMGET").arg("rq:worker:none").arg("state");
    pipeline
}

/// Asks what is registered: queues and workers.
pub(super) fn ask_names(pipeline: &mut Pipeline) {
    pipeline.cmd("TIME");
    pipeline.cmd("SMEMBERS").arg("rq:queues");
    pipeline.cmd("SMEMBERS").arg("rq:workers");
    pipeline.cmd("EXISTS").arg("rq:suspended");
}

/// The name of a queue, from the key that `rq:queues` lists.
pub(super) fn queue_name(key: &str) -> &str {
    key.strip_prefix("rq:queue:").unwrap_or(key)
}

/// Asks for one worker's hash; `key` is what `rq:workers` lists.
pub(super) fn ask_worker(pipeline: &mut Pipeline, key: &str) {
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

/// Commands that [`ask_queue`] writes.
pub(super) const PER_QUEUE: usize = 8;

/// Asks for one queue; `now` counts what is overdue, and on the very first poll is not known.
pub(super) fn ask_queue(pipeline: &mut Pipeline, name: &str, now: Option<Timestamp>) {
    let now = now.map_or_else(|| "-inf".to_owned(), |now| now.as_seconds().to_string());
    pipeline.cmd("LLEN").arg(format!("rq:queue:{name}"));
    pipeline.cmd("LINDEX").arg(format!("rq:queue:{name}")).arg(0);
    pipeline.cmd("ZCARD").arg(format!("rq:wip:{name}"));
    pipeline.cmd("LLEN").arg(format!("rq:queue:{name}:intermediate"));
    pipeline.cmd("ZCARD").arg(format!("rq:scheduled:{name}"));
    pipeline.cmd("ZCARD").arg(format!("rq:failed:{name}"));
    pipeline.cmd("ZCOUNT").arg(format!("rq:wip:{name}")).arg("-inf").arg(&now);
    pipeline.cmd("ZCOUNT").arg(format!("rq:scheduled:{name}")).arg("-inf").arg(&now);
}

/// The queue, and the id of the job at its head; `None` when its key is no list.
pub(super) fn queue(name: &str, values: &[Value], suspended: bool) -> Option<(Queue, Option<String>)> {
    let [depth, head, running, intermediate, scheduled, failed, abandoned, overdue] = values else {
        return None;
    };
    let queue = Queue {
        name: SafeText::new(name),
        depth: resp::count(depth)?,
        in_flight: resp::count(running).zip(resp::count(intermediate)).map(|(a, b)| a + b),
        orphaned: resp::count(abandoned),
        scheduled: resp::count(scheduled),
        overdue: resp::count(overdue),
        dead: resp::count(failed),
        paused: Some(suspended),
        ..Queue::default()
    };
    Some((queue, resp::text(head)))
}

/// Adds to each queue the workers that serve it. Jobs done are counted by worker: they belong to a
/// queue only where all its workers serve nothing else.
pub(super) fn add_workers(queues: &mut [Queue], workers: &[Worker]) {
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

/// When a job was put in, from `HMGET rq:job:ID enqueued_at created_at`.
pub(super) fn enqueued(value: &Value) -> Option<Timestamp> {
    resp::list(value).iter().filter_map(resp::text).find_map(|text| heads::from_text(&text))
}

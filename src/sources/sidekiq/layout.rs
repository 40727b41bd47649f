//! Where Sidekiq keeps what, and how its answers read.

use std::collections::HashMap;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::heads;
use super::super::resp;
use crate::model::{Queue, SafeText, SharedCounts, Timestamp};

/// The rule that lets a user read all of it.
pub(super) const RULE: &str =
    "+time +get +smembers +sismember +hmget +hvals +llen +lindex +zcard +zcount %R~*";

/// A process that has not beaten for longer is gone; it beats every ten seconds.
const SILENT: f64 = 60.0;

/// Commands that [`ask_all`] writes.
pub(super) const FOR_ALL: usize = 9;
/// Commands that [`ask_process`] writes.
pub(super) const PER_PROCESS: usize = 2;
/// Commands that [`ask_queue`] writes.
pub(super) const PER_QUEUE: usize = 3;

/// Asks for the names and for what all queues share.
pub(super) fn ask_all(pipeline: &mut Pipeline, now: Option<Timestamp>) {
    let now = now.map_or_else(|| "-inf".to_owned(), |now| now.as_seconds().to_string());
    pipeline.cmd("TIME");
    pipeline.cmd("SMEMBERS").arg("queues");
    pipeline.cmd("SMEMBERS").arg("processes");
    pipeline.cmd("GET").arg("stat:processed");
    pipeline.cmd("GET").arg("stat:failed");
    pipeline.cmd("ZCARD").arg("schedule");
    pipeline.cmd("ZCARD").arg("retry");
    pipeline.cmd("ZCARD").arg("dead");
    pipeline.cmd("ZCOUNT").arg("schedule").arg("-inf").arg(now);
}

/// Asks for one process.
pub(super) fn ask_process(pipeline: &mut Pipeline, identity: &str) {
    pipeline.cmd("HMGET").arg(identity).arg(&["info", "beat", "quiet"]);
    pipeline.cmd("HVALS").arg(format!("{identity}:work"));
}

/// Asks for one queue.
pub(super) fn ask_queue(pipeline: &mut Pipeline, name: &str) {
    pipeline.cmd("LLEN").arg(format!("queue:{name}"));
    pipeline.cmd("LINDEX").arg(format!("queue:{name}")).arg(-1);
    pipeline.cmd("SISMEMBER").arg("paused").arg(name);
}

/// What all queues share.
pub(super) fn shared(values: &[Value]) -> SharedCounts {
    let [_, _, _, processed, failed, schedule, retry, dead, overdue] = values else {
        return SharedCounts::default();
    };
    SharedCounts {
        // Absent until the first job is done.
        processed: resp::count(processed).or(Some(0)),
        failed: resp::count(failed).or(Some(0)),
        scheduled: resp::count(schedule),
        overdue: resp::count(overdue),
        retry: resp::count(retry),
        dead: resp::count(dead),
        ..SharedCounts::default()
    }
}

/// One process: its threads, the queues it serves and what they work on.
pub(super) struct Process {
    alive: bool,
    threads: u32,
    queues: Vec<String>,
    running: Vec<String>,
}

/// A process; `None` when its hash has expired: it died without saying so.
pub(super) fn process(values: &[Value], now: Option<Timestamp>) -> Option<Process> {
    let [hash, work] = values else { return None };
    let [info, beat, quiet] = resp::list(hash) else { return None };
    let info: Json = serde_json::from_slice(resp::bytes(info)?).ok()?;
    let beat = resp::text(beat).and_then(|text| heads::from_text(&text));
    let silent = now.zip(beat).map(|(now, beat)| now.seconds_since(beat));
    let names = |value: &Json| value.as_str().map(str::to_owned);
    let running = resp::list(work).iter().filter_map(|job| {
        let job: Json = serde_json::from_slice(resp::bytes(job)?).ok()?;
        names(job.get("queue")?)
    });
    // A quiet process finishes what it has and takes nothing more.
    let is_quiet = resp::text(quiet).as_deref() == Some("true");
    Some(Process {
        alive: !is_quiet && silent.is_none_or(|silent| silent < SILENT),
        threads: info
            .get("concurrency")
            .and_then(Json::as_u64)
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(0),
        queues: info
            .get("queues")
            .and_then(Json::as_array)
            .map(|queues| queues.iter().filter_map(names).collect())
            .unwrap_or_default(),
        running: running.collect(),
    })
}

/// Threads of the processes that take jobs.
pub(super) fn threads(processes: &[Process]) -> u32 {
    processes.iter().filter(|process| process.alive).map(|process| process.threads).sum()
}

/// The queue, and when its oldest job was put in; `None` when its key is no list.
pub(super) fn queue(name: &str, values: &[Value]) -> Option<(Queue, Option<Timestamp>)> {
    let [depth, oldest, paused] = values else { return None };
    let queue = Queue {
        name: SafeText::new(name),
        depth: resp::count(depth)?,
        paused: resp::count(paused).map(|n| n == 1),
        ..Queue::default()
    };
    Some((queue, resp::bytes(oldest).and_then(heads::carried)))
}

/// Adds to each queue the threads that serve it and the jobs under way.
pub(super) fn add_workers(queues: &mut [Queue], processes: &[Process]) {
    let mut running: HashMap<&str, u64> = HashMap::new();
    for name in processes.iter().flat_map(|process| &process.running) {
        *running.entry(name).or_default() += 1;
    }
    for queue in queues {
        let name = queue.name.as_str();
        let serving = |alive: bool| {
            let ours =
                processes.iter().filter(move |it| it.alive == alive && it.queues.iter().any(|q| q == name));
            ours.map(|process| process.threads).sum::<u32>()
        };
        queue.workers = Some(serving(true));
        queue.stale_workers = Some(serving(false));
        let busy = running.get(name).copied().unwrap_or(0);
        queue.in_flight = Some(busy);
        queue.busy = u32::try_from(busy).ok();
    }
}

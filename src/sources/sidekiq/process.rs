//! Sidekiq's processes: their threads, whom they serve and what they work on.

use std::collections::HashMap;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::heads;
use super::super::resp;
use crate::model::{NotedJob, Queue, SafeText, Timestamp};

/// A process that has not beaten for longer is gone; it beats every ten seconds.
const SILENT: f64 = 60.0;

/// Commands that [`ask`] writes.
pub(super) const PER_PROCESS: usize = 3;

/// Asks for one process.
pub(super) fn ask(script: &mut Pipeline, identity: &str) {
    script.cmd("HMGET").arg(identity).arg(&["info", "beat", "quiet"]);
    script.cmd("HVALS").arg(format!("{identity}:work"));
    // Its name up to version 6.4.
    script.cmd("HVALS").arg(format!("{identity}:workers"));
}

/// One process: its threads, the queues it serves and what they work on.
pub(super) struct Process {
    alive: bool,
    threads: u32,
    queues: Vec<String>,
    running: Vec<Running>,
}

/// A job under way.
struct Running {
    queue: String,
    job: NotedJob,
}

/// A process; `None` when its hash has expired: it died without saying so.
pub(super) fn process(identity: &str, values: &[Value], now: Option<Timestamp>) -> Option<Process> {
    let [hash, work, older] = values else { return None };
    let [info, beat, quiet] = resp::list(hash) else { return None };
    let info: Json = serde_json::from_slice(resp::bytes(info)?).ok()?;
    let beat = resp::text(beat).and_then(|text| heads::from_text(&text));
    let silent = now.zip(beat).map(|(now, beat)| now.seconds_since(beat));
    let names = |value: &Json| value.as_str().map(str::to_owned);
    let running = [work, older].into_iter().flat_map(resp::list).filter_map(|job| {
        let job: Json = serde_json::from_slice(resp::bytes(job)?).ok()?;
        let begun = job.get("run_at").and_then(|at| heads::from_text(&at.to_string()));
        let noted = NotedJob {
            name: SafeText::new(&class(job.get("payload")?)),
            worker: SafeText::new(identity),
            running: now.zip(begun).map(|(now, begun)| now.seconds_since(begun).max(0.0)),
            tries: None,
        };
        Some(Running { queue: names(job.get("queue")?)?, job: noted })
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
    processes.iter().filter(|it| it.alive).map(|it| it.threads).fold(0, u32::saturating_add)
}

/// Adds to each queue the threads that serve it and the jobs under way.
pub(super) fn add(queues: &mut [Queue], processes: &[Process]) {
    let mut running: HashMap<&str, u64> = HashMap::new();
    let mut longest: HashMap<&str, &NotedJob> = HashMap::new();
    for it in processes.iter().flat_map(|process| &process.running) {
        *running.entry(&it.queue).or_default() += 1;
        let known = longest.entry(&it.queue).or_insert(&it.job);
        if it.job.running > known.running {
            *known = &it.job;
        }
    }
    for queue in queues {
        let name = queue.name.as_str();
        let serving = |alive: bool| {
            let ours =
                processes.iter().filter(move |it| it.alive == alive && it.queues.iter().any(|q| q == name));
            ours.map(|process| process.threads).fold(0, u32::saturating_add)
        };
        queue.workers = Some(serving(true));
        queue.stale_workers = Some(serving(false));
        let busy = running.get(name).copied().unwrap_or(0);
        queue.in_flight = Some(busy);
        queue.busy = u32::try_from(busy).ok();
        queue.longest = longest.get(name).map(|job| (*job).clone());
    }
}

/// The class of a job: an object up to version 6, text that holds one since; Active Job wraps its own in another.
fn class(payload: &Json) -> String {
    let inner = payload.as_str().and_then(|text| serde_json::from_str(text).ok());
    let payload: &Json = inner.as_ref().unwrap_or(payload);
    let name = payload.get("wrapped").or_else(|| payload.get("class")).and_then(Json::as_str);
    name.unwrap_or("a job").to_owned()
}

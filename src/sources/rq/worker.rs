//! RQ's workers: who is alive, and whom they serve.

use std::collections::{BTreeSet, HashMap};

use redis::{Pipeline, Value};

use super::super::clients::Clients;
use super::super::heads::{self, ServerClock};
use super::super::resp;
use super::retries::{self, Retries};
use crate::model::{NotedJob, Queue, SafeText, Timestamp};

/// A worker that has not spoken for longer is gone: RQ lets an idle one be silent for eight minutes.
const SILENT: f64 = 500.0;
/// One at work speaks every half minute, and its word holds for a minute longer.
const SILENT_AT_WORK: f64 = 90.0;
/// Without a connection of its name, one at work that missed a word is gone.
const MISSED: f64 = 35.0;
/// Jobs under way whose beginning is asked for.
const JOBS: usize = 64;
/// How a worker without a name waits for a job.
const WAITS: [&str; 5] = ["blmove", "brpoplpush", "blpop", "brpop", "lmove"];

/// Asks for one worker's hash; `key` is what `rq:workers` lists.
pub(super) fn ask(pipeline: &mut Pipeline, key: &str) {
    pipeline.cmd("HMGET").arg(key).arg(&[
        "state",
        "last_heartbeat",
        "successful_job_count",
        "failed_job_count",
        "queues",
        "ip_address",
        "current_job",
    ]);
}

/// One worker as its hash tells.
pub(super) struct Worker {
    name: String,
    /// The host it connects from, where its connection bears its name.
    host: Option<String>,
    job: Option<String>,
    /// Seconds since it spoke.
    silent: Option<f64>,
    busy: bool,
    alive: bool,
    succeeded: u64,
    failed: u64,
    queues: Vec<String>,
}

/// A worker; `None` when its hash has expired: it died without saying so.
pub(super) fn worker(key: &str, value: &Value, now: Option<Timestamp>) -> Option<Worker> {
    let [state, heartbeat, succeeded, failed, queues, address, job] = resp::list(value) else { return None };
    let queues = resp::text(queues)?;
    let heartbeat = resp::text(heartbeat).and_then(|text| heads::from_text(&text));
    let silent = now.zip(heartbeat).map(|(now, heartbeat)| now.seconds_since(heartbeat));
    let busy = resp::text(state).as_deref() == Some("busy");
    let limit = if busy { SILENT_AT_WORK } else { SILENT };
    let address = resp::text(address).filter(|address| !address.is_empty() && address != "unknown");
    Some(Worker {
        name: key.strip_prefix("rq:worker:").unwrap_or(key).to_owned(),
        host: address.and_then(|address| Some(address.rsplit_once(':')?.0.to_owned())),
        job: resp::text(job).filter(|job| !job.is_empty()),
        silent,
        busy,
        alive: silent.is_none_or(|silent| silent < limit),
        succeeded: resp::count(succeeded).unwrap_or(0),
        failed: resp::count(failed).unwrap_or(0),
        queues: queues.split(',').map(|name| name.trim().to_owned()).collect(),
    })
}

/// Workers whose connections are gone, and those whose are there, by what CLIENT LIST said last.
#[derive(Default)]
pub(super) struct Gone {
    gone: BTreeSet<String>,
    there: BTreeSet<String>,
}

impl Gone {
    /// Marks as gone who registered by a named connection that is no longer there. A worker that had
    /// to connect anew has lost its name: where one from the same host waits namelessly, nobody is
    /// called gone for that. One at work whose connection is there is alive though it says nothing: without a
    /// process for each job (`SimpleWorker`) it cannot speak before the job ends.
    pub(super) fn look(&mut self, workers: &mut [Worker], clients: &Clients) {
        if let Some(list) = clients.list().filter(|_| clients.is_fresh()) {
            self.gone.clear();
            self.there.clear();
            for worker in workers.iter() {
                let Some(host) = &worker.host else { continue };
                let named = list.iter().any(|client| client.name == worker.name);
                let nameless = list.iter().any(|client| {
                    client.name.is_empty() && client.host == *host && WAITS.contains(&client.command.as_str())
                });
                let patient = worker.busy && worker.silent.is_some_and(|silent| silent < MISSED);
                if named {
                    self.there.insert(worker.name.clone());
                } else if !nameless && !patient {
                    self.gone.insert(worker.name.clone());
                }
            }
        }
        for worker in workers {
            worker.alive |= worker.busy && self.there.contains(&worker.name);
            worker.alive &= !self.gone.contains(&worker.name);
        }
    }
}

fn at_work(workers: &[Worker]) -> impl Iterator<Item = (&Worker, &String)> {
    workers.iter().filter_map(|worker| Some((worker, worker.job.as_ref()?))).take(JOBS)
}

/// Asks since when the workers' jobs run.
pub(super) fn ask_jobs(workers: &[Worker], script: &mut Pipeline) {
    for (_, job) in at_work(workers) {
        script.cmd("HMGET").arg(format!("rq:job:{job}")).arg(&retries::FIELDS).arg("started_at");
    }
}

/// Notes on each queue the job that has run for the longest.
pub(super) fn take_jobs(
    workers: &[Worker],
    answers: &[Value],
    clock: &ServerClock,
    retries: &mut Retries,
    queues: &mut [Queue],
) {
    for ((worker, id), answer) in at_work(workers).zip(answers) {
        retries.look(id, answer, 1);
        let [origin, says, _, _, begun] = resp::list(answer) else { continue };
        let Some(origin) = resp::text(origin) else { continue };
        let Some(queue) = queues.iter_mut().find(|queue| queue.name.as_str() == origin) else { continue };
        let begun = resp::text(begun).and_then(|text| heads::from_text(&text));
        let running = begun.and_then(|begun| clock.since(begun));
        if running.is_some() && running > queue.longest.as_ref().and_then(|job| job.running) {
            // The function's name; what it was called with stays unread.
            let says = resp::text(says).unwrap_or_else(|| id.clone());
            let name = SafeText::new(says.split('(').next().unwrap_or_default());
            let worker = SafeText::new(&worker.name);
            queue.longest = Some(NotedJob { name, worker, running, tries: None });
        }
    }
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
            queue.failed = Some(serving.iter().map(|worker| worker.failed).fold(0, u64::saturating_add));
            let done = serving.iter().flat_map(|worker| [worker.succeeded, worker.failed]);
            queue.processed = Some(done.fold(0, u64::saturating_add));
        }
    }
}

/// How many of these are alive.
pub(super) fn alive(workers: &[Worker]) -> Option<u32> {
    u32::try_from(workers.iter().filter(|worker| worker.alive).count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_work_lives_as_long_as_its_connection_however_silent_it_is() {
        let alive = |clients: &str, state: &str| {
            let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
            let fields = [state, "2026-11-21T20:00:00.000000Z", "1", "0", "mail", "10.0.0.3:5512", "j"];
            let now = "2026-11-21T20:03:20Z".parse().ok();
            let told = worker("rq:worker:w1", &Value::Array(fields.map(text).to_vec()), now);
            let mut workers = vec![told.expect("a worker")];
            let mut list = Clients::default();
            list.take(&text(clients));
            Gone::default().look(&mut workers, &list);
            workers[0].alive
        };
        let there = "addr=10.0.0.3:5512 name=w1 cmd=blmove";
        assert!(alive(there, "busy"), "silent for 200 s");
        assert!(!alive("addr=10.0.0.9:1 name= cmd=get", "busy"));
        assert!(alive(there, "idle"));
    }
}

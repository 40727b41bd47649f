//! Where Resque keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::failed_jobs::{self, Failed, LOOKED_AT};
use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{NotedJob, Queue, QueueAge, QueueSample, SafeText, SharedCounts};

/// Workers read of one target.
const WORKERS: usize = 1_000;
/// A worker beats once a minute; three beats missed, and it is gone.
const SILENT: f64 = 180.0;

/// What was last read of all queues together.
#[derive(Default)]
pub(super) struct Resque {
    prefix: String,
    paused: bool,
    shared: SharedCounts,
    registered: Vec<String>,
    workers: Vec<Worker>,
    failed: Failed,
}

/// One worker: whom it serves and what it has.
struct Worker {
    id: String,
    queues: Vec<String>,
    alive: bool,
    /// The queue and class of its job, and how long it has had it, seconds.
    job: Option<(String, String, Option<f64>)>,
}

impl Worker {
    fn serves(&self, queue: &str) -> bool {
        let fits = |pattern: &str| match pattern.split_once('*') {
            Some((before, after)) => {
                queue.len() >= before.len() + after.len()
                    && queue.starts_with(before)
                    && queue.ends_with(after)
            }
            None => pattern == queue,
        };
        let (not, only): (Vec<_>, Vec<_>) = self.queues.iter().partition(|name| name.starts_with('!'));
        only.iter().any(|name| fits(name)) && !not.iter().any(|name| fits(&name[1..]))
    }
}

impl Layout for Resque {
    const RULE: &'static str = "+time +get +smembers +hgetall +llen +lrange +zcard +zcount +zrange %R~*";

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        let prefix = spec.prefix.as_deref().unwrap_or("resque").trim_end_matches(':').to_owned();
        Ok(Self { prefix, ..Self::default() })
    }

    fn ask_all(&self, clock: &ServerClock, _: &BTreeSet<String>, script: &mut Pipeline) {
        let key = |rest: &str| format!("{}:{rest}", self.prefix);
        script.cmd("SMEMBERS").arg(key("queues"));
        script.cmd("SMEMBERS").arg(key("workers"));
        script.cmd("HGETALL").arg(key("workers:heartbeat"));
        script.cmd("GET").arg(key("pause-all-workers"));
        script.cmd("GET").arg(key("stat:processed"));
        script.cmd("GET").arg(key("stat:failed"));
        script.cmd("LLEN").arg(key("failed"));
        script.cmd("ZCARD").arg(key("delayed_queue_schedule"));
        script.cmd("ZCOUNT").arg(key("delayed_queue_schedule")).arg("-inf").arg(clock.score());
        script.cmd("ZRANGE").arg(key("delayed_queue_schedule")).arg(0).arg(0).arg("WITHSCORES");
        for id in &self.registered {
            script.cmd("GET").arg(key(&format!("worker:{id}")));
        }
        if self.failed.wants("") {
            script.cmd("LRANGE").arg(key("failed")).arg(-LOOKED_AT).arg(-1);
        }
    }

    fn take_all(&mut self, answers: &[Value], _: &BTreeSet<String>, watch: &Watch) -> Vec<String> {
        let [queues, registered, beats, paused, processed, failed, dead, scheduled, due, next, jobs @ ..] =
            answers
        else {
            return Vec::new();
        };
        self.paused = resp::text(paused).is_some_and(|it| it.trim().eq_ignore_ascii_case("true"));
        let (jobs, newest) = jobs.split_at_checked(self.registered.len()).unwrap_or_default();
        self.failed.begin();
        let died = resp::count(dead);
        let mut dying = self.failed.count("", died);
        if let [newest] = newest {
            dying = self.failed.take("", died.unwrap_or(0), resp::list(newest).iter().filter_map(failed_job));
        }
        self.shared = SharedCounts {
            dying,
            processed: resp::count(processed).or(Some(0)),
            failed: resp::count(failed).or(Some(0)),
            dead: died,
            scheduled: resp::count(scheduled),
            overdue: resp::count(due).filter(|_| watch.clock.now().is_some()),
            overdue_for: watch.clock.overdue(next, 1.0),
            ..SharedCounts::default()
        };
        let beats = resp::pairs(beats);
        let ids = self.registered.iter().zip(jobs);
        self.workers = ids
            .map(|(id, job)| {
                let beat = beats.iter().find(|(of, _)| of == id).and_then(|(_, at)| heads::from_text(at));
                let silent = beat.and_then(|beat| watch.clock.since(beat));
                Worker {
                    id: id.clone(),
                    queues: id
                        .splitn(3, ':')
                        .nth(2)
                        .unwrap_or_default()
                        .split(',')
                        .map(str::to_owned)
                        .collect(),
                    alive: silent.is_none_or(|silent| silent < SILENT),
                    job: job_of(job, watch),
                }
            })
            .collect();
        self.registered = resp::texts(registered);
        self.registered.sort();
        self.registered.truncate(WORKERS);
        resp::texts(queues)
    }

    fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
        script.cmd("LLEN").arg(format!("{}:queue:{name}", self.prefix));
        script.cmd("LRANGE").arg(format!("{}:queue:{name}", self.prefix)).arg(0).arg(1);
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [depth, head] = answers else { return Err("the server did not answer") };
        let depth = resp::count(depth).ok_or("its key queue:… is no list")?;
        let age = match resp::list(head) {
            _ if depth == 0 => QueueAge::Empty,
            [first, second] if first == second => {
                QueueAge::Unknown("jobs that look alike and carry no time".into())
            }
            [first, ..] => {
                let job = resp::bytes(first).unwrap_or_default();
                let seen = watch.residency.seen(name, job);
                put_in(job).map_or(QueueAge::AtLeast(seen.as_secs_f64()), |since| watch.clock.age(since))
            }
            [] => QueueAge::Empty,
        };
        let serving =
            |alive: bool| self.workers.iter().filter(move |it| it.alive == alive && it.serves(name));
        let busy = self.workers.iter().filter(|it| it.job.as_ref().is_some_and(|(queue, ..)| queue == name));
        let number = |count: usize| u32::try_from(count).ok();
        let noted = |worker: &Worker| {
            let (_, class, running) = worker.job.as_ref()?;
            Some(NotedJob {
                name: SafeText::new(class),
                worker: SafeText::new(&worker.id),
                running: *running,
                tries: None,
            })
        };
        let queue = Queue {
            name: SafeText::new(name),
            depth,
            in_flight: Some(busy.clone().count() as u64),
            orphaned: Some(busy.clone().filter(|it| !it.alive).count() as u64),
            workers: number(serving(true).count()),
            stale_workers: number(serving(false).count()),
            busy: number(serving(true).filter(|it| it.job.is_some()).count()),
            paused: Some(self.paused),
            longest: busy
                .filter_map(noted)
                .max_by(|a, b| a.running.unwrap_or(0.0).total_cmp(&b.running.unwrap_or(0.0))),
            ..Queue::default()
        };
        Ok((queue, Head::Age(age)))
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.workers = u32::try_from(self.workers.iter().filter(|it| it.alive).count()).ok();
        sample.shared = std::mem::take(&mut self.shared);
    }
}

/// The queue, the class and the age of the job a worker has.
fn job_of(value: &Value, watch: &Watch) -> Option<(String, String, Option<f64>)> {
    let job: Json = serde_json::from_slice(resp::bytes(value)?).ok()?;
    let queue = job.get("queue")?.as_str()?.to_owned();
    let class = job.get("payload").map(class).unwrap_or_default();
    let begun = job.get("run_at").and_then(Json::as_str).and_then(heads::from_text);
    Some((queue, class, begun.and_then(|begun| watch.clock.since(begun))))
}

/// The class of a failed job and of its error.
fn failed_job(entry: &Value) -> Option<(String, String)> {
    let entry: Json = serde_json::from_slice(resp::bytes(entry)?).ok()?;
    let error = entry.get("exception").and_then(Json::as_str).map(failed_jobs::class).unwrap_or_default();
    Some((failed_jobs::name(&class(entry.get("payload")?))?, error))
}

/// The class of a job; Active Job wraps its own in another.
fn class(payload: &Json) -> String {
    let wrapped = payload.pointer("/args/0/job_class").and_then(Json::as_str);
    wrapped.or_else(|| payload.get("class")?.as_str()).unwrap_or_default().to_owned()
}

/// When a job was put in: Resque does not say, Active Job does.
fn put_in(job: &[u8]) -> Option<crate::model::Timestamp> {
    let parsed: Json = serde_json::from_slice(job).ok()?;
    let told = parsed.pointer("/args/0/enqueued_at").and_then(Json::as_str).and_then(heads::from_text);
    told.or_else(|| heads::carried(job))
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Resque>("resque");
    }
}

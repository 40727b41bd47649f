//! Where BullMQ keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::BoxFuture;
use super::super::clients::Client;
use super::super::failed_jobs::{self, Failed, LOOKED_AT as FAILED};
use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp::{self, Resp};
use crate::config::TargetSpec;
use crate::model::{Missing, NotedJob, Queue, QueueAge, QueueSample, SafeText, Timestamp, bullmq_worker};

/// Jobs under way that are looked at in each queue: the ones begun first.
const LOOKED_AT: isize = 3;
/// Delayed jobs are scored by their time in milliseconds, shifted to make room for an order among equals.
const SHIFT: i64 = 4_096;

/// Where the queues are, and the jobs of this poll that are to be looked at.
pub(super) struct BullMq {
    prefix: String,
    /// Place of a queue in the sample, its name, and a job under way.
    active: Vec<(usize, String, String)>,
    /// Places of queues in whose list jobs of a higher priority stand before older ones.
    overtaken: Vec<usize>,
    seen: usize,
    failed: Failed,
    /// Place of a queue, its name, how many failed, and the newest of them.
    dead: Vec<(usize, String, u64, Vec<String>)>,
    database: i64,
}

impl BullMq {
    fn key(&self, queue: &str, rest: &str) -> String {
        format!("{}:{queue}:{rest}", self.prefix)
    }
}

impl Layout for BullMq {
    const RULE: &'static str =
        "+time +scan +get +exists +hmget +llen +lindex +lrange +zcard +zcount +zrange +client|list %R~*";

    const SIGNS: usize = 5;

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        let prefix = spec.prefix.as_deref().unwrap_or("bull").trim_end_matches(':').to_owned();
        Ok(Self {
            prefix,
            active: Vec::new(),
            overtaken: Vec::new(),
            seen: 0,
            failed: Failed::default(),
            dead: Vec::new(),
            database: 0,
        })
    }

    fn pattern(&self) -> Option<String> {
        Some(format!("{}:*:meta", resp::literal(&self.prefix)))
    }

    fn wants_clients(&self) -> bool {
        true
    }

    fn take_all(&mut self, _: &[Value], keys: &BTreeSet<String>, _: &Watch) -> Vec<String> {
        (self.seen, self.active, self.overtaken, self.dead) = (0, Vec::new(), Vec::new(), Vec::new());
        self.failed.begin();
        let name = |key: &String| {
            let rest = key.strip_prefix(self.prefix.as_str())?.strip_prefix(':')?;
            Some(rest.strip_suffix(":meta")?.to_owned())
        };
        keys.iter().filter_map(name).collect()
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        let key = |rest: &str| self.key(name, rest);
        script.cmd("LLEN").arg(key("wait"));
        script.cmd("ZCARD").arg(key("prioritized"));
        script.cmd("GET").arg(key("id"));
        if waits {
            script.cmd("LINDEX").arg(key("wait")).arg(-1);
            script.cmd("ZRANGE").arg(key("prioritized")).arg(0).arg(0);
        }
    }

    fn presses(&self, name: &str) -> bool {
        self.failed.wants(name)
    }

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let key = |rest: &str| self.key(name, rest);
        let due = clock.now().map_or_else(
            || "-inf".to_owned(),
            |now| (now.as_micros() / 1_000).saturating_mul(SHIFT).to_string(),
        );
        self.ask_signs(name, true, script);
        // Up to version 5 a queue that is held back keeps its jobs in a list of another name.
        script.cmd("LLEN").arg(key("paused"));
        script.cmd("LINDEX").arg(key("paused")).arg(-1);
        script.cmd("ZCARD").arg(key("priority"));
        script.cmd("ZCARD").arg(key("delayed"));
        script.cmd("ZCOUNT").arg(key("delayed")).arg("-inf").arg(due);
        script.cmd("ZRANGE").arg(key("delayed")).arg(0).arg(0).arg("WITHSCORES");
        script.cmd("ZCARD").arg(key("failed"));
        script.cmd("LLEN").arg(key("active"));
        script.cmd("LRANGE").arg(key("active")).arg(-LOOKED_AT).arg(-1);
        script.cmd("HMGET").arg(key("meta")).arg("paused").arg("version");
        if self.failed.wants(name) {
            script.cmd("ZRANGE").arg(key("failed")).arg(-FAILED).arg(-1);
        }
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [
            wait,
            prioritized,
            added,
            head,
            first,
            kept_back,
            kept_head,
            before,
            delayed,
            due,
            next,
            failed,
            active,
            oldest,
            meta,
            newest @ ..,
        ] = answers
        else {
            return Err("the server did not answer");
        };
        // Version 4 wakes its workers with an entry that is no job.
        let marker = |value: &Value| resp::text(value).is_some_and(|id| id.starts_with("0:"));
        let markers = u64::from(marker(head)) + u64::from(marker(kept_head));
        let depth = resp::count(wait).ok_or("its list wait is no list")?
            + resp::count(kept_back).unwrap_or(0)
            + resp::count(prioritized).unwrap_or(0);
        for job in resp::texts(oldest) {
            self.active.push((self.seen, name.to_owned(), job));
        }
        if resp::count(before).unwrap_or(0) > 0 {
            self.overtaken.push(self.seen);
        }
        let dead = resp::count(failed);
        if let [newest] = newest {
            self.dead.push((self.seen, name.to_owned(), dead.unwrap_or(0), resp::texts(newest)));
        }
        self.seen += 1;
        let mut heads: Vec<String> =
            [head, kept_head].into_iter().filter(|it| !marker(it)).filter_map(resp::text).collect();
        heads.extend(resp::texts(first));
        heads.dedup();
        let known = watch.clock.now().is_some();
        let queue = Queue {
            name: SafeText::new(name),
            depth: depth.saturating_sub(markers),
            in_flight: resp::count(active),
            scheduled: resp::count(delayed),
            overdue: resp::count(due).filter(|_| known),
            #[expect(clippy::cast_precision_loss, reason = "a small constant")]
            overdue_for: watch.clock.overdue(next, 1e3 * SHIFT as f64),
            dead,
            dying: self.failed.count(name, dead),
            added: resp::count(added).or(Some(0)),
            workers: workers(&self.prefix, name, self.database, watch),
            paused: Some(resp::list(meta).first().and_then(resp::text).as_deref() == Some("1")),
            ..Queue::default()
        };
        Ok((queue, Head::Jobs(heads)))
    }

    fn ask_job(&self, queue: &str, job: &str, script: &mut Pipeline) {
        script.cmd("HMGET").arg(self.key(queue, job)).arg(&["timestamp", "opts", "processedOn"]);
    }

    /// When it could first be taken, or was last tried: a job put in for later has not waited before.
    fn job_since(&self, answer: &Value) -> Option<Timestamp> {
        let [put, options, tried] = resp::list(answer) else { return None };
        let time = |value: &Value| resp::text(value).and_then(|text| heads::from_text(&text));
        let options: Option<Json> = resp::bytes(options).and_then(|text| serde_json::from_slice(text).ok());
        let delay = options.and_then(|it| it.get("delay").and_then(Json::as_i64)).unwrap_or(0);
        let put = time(put)?.as_micros().saturating_add(delay.max(0).saturating_mul(1_000));
        let ready = Timestamp::from_micros(put);
        Some(time(tried).map_or(ready, |tried| tried.max(ready)))
    }

    fn ask_more(&mut self, _: &mut QueueSample, script: &mut Pipeline) {
        for (_, queue, job) in &self.active {
            script.cmd("EXISTS").arg(self.key(queue, &format!("{job}:lock")));
            script.cmd("HMGET").arg(self.key(queue, job)).arg(&[
                "name",
                "processedOn",
                "finishedOn",
                "stc",
                "atm",
                "attemptsMade",
            ]);
        }
        for (_, queue, _, jobs) in &self.dead {
            for job in jobs {
                script.cmd("HMGET").arg(self.key(queue, job)).arg(&["name", "stacktrace"]);
            }
        }
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        let active = std::mem::take(&mut self.active);
        let (answers, dead) = answers.split_at_checked(2 * active.len()).unwrap_or_default();
        for ((at, _, id), answers) in active.iter().zip(answers.chunks(2)) {
            let (Some(queue), [lock, hash]) = (sample.queues.get_mut(*at), answers) else { continue };
            let [name, begun, ended, stalled, tries, older] = resp::list(hash) else { continue };
            let begun = resp::text(begun).and_then(|text| heads::from_text(&text));
            // A job that ended between the two questions is under way no more.
            let (Some(begun), None) = (begun, resp::text(ended)) else { continue };
            if resp::count(lock) == Some(0) {
                queue.orphaned = Some(queue.orphaned.unwrap_or(0) + 1);
            }
            let stalls = resp::count(stalled).unwrap_or(0);
            let tries = resp::count(tries).or(resp::count(older)).unwrap_or(0);
            let job = NotedJob {
                name: SafeText::new(&resp::text(name).unwrap_or_else(|| id.clone())),
                running: watch.clock.since(begun),
                tries: Some(tries + stalls),
                ..NotedJob::default()
            };
            if tries + stalls > queue.returning.as_ref().and_then(|it| it.tries).unwrap_or(1) {
                queue.returning = Some(job.clone());
            }
            if job.running > queue.longest.as_ref().and_then(|it| it.running) {
                queue.longest = Some(job);
            }
        }
        let mut dead = dead.iter();
        for (at, name, count, jobs) in std::mem::take(&mut self.dead) {
            let told = self.failed.take(&name, count, dead.by_ref().take(jobs.len()).filter_map(failed_job));
            if let Some(queue) = sample.queues.get_mut(at) {
                queue.dying = told;
            }
        }
        for at in &self.overtaken {
            if let Some(queue) = sample.queues.get_mut(*at)
                && let QueueAge::Exact(age) = queue.oldest
            {
                queue.oldest = QueueAge::AtLeast(age);
            }
        }
        for queue in &mut sample.queues {
            queue.orphaned = queue.orphaned.or(Some(0));
        }
    }

    fn listen<'a>(&'a mut self, connection: &'a Resp) -> BoxFuture<'a, ()> {
        self.database = connection.database();
        Box::pin(std::future::ready(()))
    }

    fn finish(&mut self, watch: &Watch, sample: &mut QueueSample) {
        if watch.clients.list().is_none() {
            let why = "CLIENT LIST is refused; mend: ACL SETUSER <user> +client|list";
            sample.missing.push(Missing::new("workers", why));
        }
    }
}

/// The name of a failed job and the class of its error, which stands at the head of its last stack trace.
fn failed_job(answer: &Value) -> Option<(String, String)> {
    let [name, traces] = resp::list(answer) else { return None };
    let traces: Option<Vec<String>> = resp::bytes(traces).and_then(|text| serde_json::from_slice(text).ok());
    let error = traces.and_then(|all| all.last().map(|trace| failed_jobs::class(trace))).unwrap_or_default();
    Some((failed_jobs::name(&resp::text(name)?)?, error))
}

/// Workers of a queue: each names the connection on which it waits.
fn workers(prefix: &str, queue: &str, database: i64, watch: &Watch) -> Option<u32> {
    let waits =
        |it: &&Client| it.database.is_none_or(|it| it == database) && bullmq_worker(prefix, queue, &it.name);
    let count = watch.clients.list()?.iter().filter(waits).count();
    u32::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::BullMq>("bullmq");
    }
}

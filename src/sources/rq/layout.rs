//! Where RQ keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};

use super::super::failed_jobs::{self, Failed, LOOKED_AT};
use super::super::heads::{self, ServerClock};
use super::super::put_off;
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use super::retries::Retries;
use super::worker::{self, Gone, Worker};
use crate::config::TargetSpec;
use crate::model::{Queue, QueueSample, SafeText, Timestamp};

/// Workers read of one target.
const WORKERS: usize = 1_000;

/// What was last read of all queues together.
#[derive(Default)]
pub(super) struct Rq {
    suspended: bool,
    /// Keys of the workers registered.
    registered: Vec<String>,
    workers: Vec<Worker>,
    gone: Gone,
    failed: Failed,
    retries: Retries,
    seen: usize,
    /// Place of a queue, its name, how many failed, and the newest of them.
    dead: Vec<(usize, String, u64, Vec<String>)>,
}

impl Layout for Rq {
    const RULE: &'static str =
        "+time +exists +smembers +hmget +llen +lindex +zcard +zcount +zrange +client|list %R~rq:*";

    const SIGNS: usize = 2;

    fn of(_: &TargetSpec) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn wants_clients(&self) -> bool {
        true
    }

    fn ask_all(&self, _: &ServerClock, _: &BTreeSet<String>, script: &mut Pipeline) {
        script.cmd("SMEMBERS").arg("rq:queues");
        script.cmd("SMEMBERS").arg("rq:workers");
        script.cmd("EXISTS").arg("rq:suspended");
        for key in &self.registered {
            worker::ask(script, key);
        }
    }

    fn take_all(&mut self, answers: &[Value], _: &BTreeSet<String>, watch: &Watch) -> Vec<String> {
        let [queues, registered, suspended, workers @ ..] = answers else { return Vec::new() };
        self.suspended = resp::count(suspended) == Some(1);
        (self.seen, self.dead) = (0, Vec::new());
        self.failed.begin();
        self.retries.begin();
        let asked = self.registered.iter().zip(workers);
        let told = asked.filter_map(|(key, value)| worker::worker(key, value, watch.clock.now()));
        self.workers = told.collect();
        self.gone.look(&mut self.workers, &watch.clients);
        self.registered = resp::texts(registered);
        self.registered.sort();
        self.registered.truncate(WORKERS);
        let name = |key: &String| key.strip_prefix("rq:queue:").unwrap_or(key).to_owned();
        resp::texts(queues).iter().map(name).collect()
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        script.cmd("LLEN").arg(format!("rq:queue:{name}"));
        if waits {
            script.cmd("LINDEX").arg(format!("rq:queue:{name}")).arg(0);
        }
    }

    fn presses(&self, name: &str) -> bool {
        self.failed.wants(name)
    }

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let now = clock.score();
        self.ask_signs(name, true, script);
        script.cmd("ZCARD").arg(format!("rq:wip:{name}"));
        script.cmd("LLEN").arg(format!("rq:queue:{name}:intermediate"));
        script.cmd("ZCARD").arg(format!("rq:scheduled:{name}"));
        script.cmd("ZCARD").arg(format!("rq:failed:{name}"));
        script.cmd("ZCOUNT").arg(format!("rq:wip:{name}")).arg("-inf").arg(&now);
        script.cmd("ZCOUNT").arg(format!("rq:scheduled:{name}")).arg("-inf").arg(&now);
        script.cmd("ZRANGE").arg(format!("rq:scheduled:{name}")).arg(0).arg(0).arg("WITHSCORES");
        if self.failed.wants(name) {
            script.cmd("ZRANGE").arg(format!("rq:failed:{name}")).arg(-LOOKED_AT).arg(-1);
        }
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [depth, head, running, intermediate, scheduled, failed, abandoned, overdue, next, newest @ ..] =
            answers
        else {
            return Err("the server did not answer");
        };
        let dead = resp::count(failed);
        if let [newest] = newest {
            self.dead.push((self.seen, name.to_owned(), dead.unwrap_or(0), resp::texts(newest)));
        }
        self.seen += 1;
        if let [next, due, ..] = resp::list(next)
            && put_off::is_soon(resp::text(due).and_then(|due| heads::from_text(&due)), &watch.clock)
            && let Some(next) = resp::text(next)
        {
            self.retries.next(next);
        }
        let queue = Queue {
            name: SafeText::new(name),
            depth: resp::count(depth).ok_or("its key rq:queue:… is no list")?,
            in_flight: resp::count(running).zip(resp::count(intermediate)).map(|(a, b)| a + b),
            orphaned: resp::count(abandoned).filter(|_| watch.clock.now().is_some()),
            scheduled: resp::count(scheduled),
            overdue: resp::count(overdue).filter(|_| watch.clock.now().is_some()),
            overdue_for: watch.clock.overdue(next, 1.0),
            dead,
            dying: self.failed.count(name, dead),
            paused: Some(self.suspended),
            ..Queue::default()
        };
        Ok((queue, Head::Jobs(resp::text(head).into_iter().collect())))
    }

    fn ask_job(&self, _: &str, job: &str, script: &mut Pipeline) {
        script.cmd("HMGET").arg(format!("rq:job:{job}")).arg("enqueued_at").arg("created_at");
    }

    fn job_since(&self, answer: &Value) -> Option<Timestamp> {
        resp::list(answer).iter().filter_map(resp::text).find_map(|text| heads::from_text(&text))
    }

    fn ask_more(&mut self, _: &mut QueueSample, script: &mut Pipeline) {
        for job in self.dead.iter().flat_map(|(.., jobs)| jobs) {
            script.cmd("HMGET").arg(format!("rq:job:{job}")).arg("description");
        }
        self.retries.ask(script);
        worker::ask_jobs(&self.workers, script);
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        let dead = self.dead.iter().map(|(.., jobs)| jobs.len()).sum();
        let (mut dead, answers) = answers.split_at_checked(dead).unwrap_or_default();
        for (at, name, count, jobs) in std::mem::take(&mut self.dead) {
            let (these, rest) = dead.split_at_checked(jobs.len()).unwrap_or_default();
            dead = rest;
            let told = self.failed.take(&name, count, these.iter().filter_map(failed_job));
            if let Some(queue) = sample.queues.get_mut(at) {
                queue.dying = told;
            }
        }
        let (retried, at_work) = answers.split_at_checked(self.retries.asks()).unwrap_or_default();
        self.retries.take(retried);
        worker::take_jobs(&self.workers, at_work, &watch.clock, &mut self.retries, &mut sample.queues);
        self.retries.tell(&mut sample.queues);
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.workers = worker::alive(&self.workers);
        worker::add(&mut sample.queues, &self.workers);
    }

    fn rights(&self, script: &mut Pipeline) {
        worker::ask(script, "rq:worker:none");
    }
}

/// The function of a failed job. Its error is kept packed, and not unpacked here.
fn failed_job(answer: &Value) -> Option<(String, String)> {
    let described = resp::text(resp::list(answer).first()?)?;
    Some((failed_jobs::name(described.split('(').next()?)?, String::new()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Rq>("rq");
    }
}

//! Where RQ keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};

use super::super::heads::{self, ServerClock};
use super::super::queue_poll::{Head, Layout, Watch};
use super::super::resp;
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
}

impl Layout for Rq {
    const RULE: &'static str =
        "+time +exists +smembers +hmget +llen +lindex +zcard +zcount +zrange +client|list %R~rq:*";

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

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let now = clock.score();
        script.cmd("LLEN").arg(format!("rq:queue:{name}"));
        script.cmd("LINDEX").arg(format!("rq:queue:{name}")).arg(0);
        script.cmd("ZCARD").arg(format!("rq:wip:{name}"));
        script.cmd("LLEN").arg(format!("rq:queue:{name}:intermediate"));
        script.cmd("ZCARD").arg(format!("rq:scheduled:{name}"));
        script.cmd("ZCARD").arg(format!("rq:failed:{name}"));
        script.cmd("ZCOUNT").arg(format!("rq:wip:{name}")).arg("-inf").arg(&now);
        script.cmd("ZCOUNT").arg(format!("rq:scheduled:{name}")).arg("-inf").arg(&now);
        script.cmd("ZRANGE").arg(format!("rq:scheduled:{name}")).arg(0).arg(0).arg("WITHSCORES");
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [depth, head, running, intermediate, scheduled, failed, abandoned, overdue, next] = answers
        else {
            return Err("the server did not answer");
        };
        let queue = Queue {
            name: SafeText::new(name),
            depth: resp::count(depth).ok_or("its key rq:queue:… is no list")?,
            in_flight: resp::count(running).zip(resp::count(intermediate)).map(|(a, b)| a + b),
            orphaned: resp::count(abandoned).filter(|_| watch.clock.now().is_some()),
            scheduled: resp::count(scheduled),
            overdue: resp::count(overdue).filter(|_| watch.clock.now().is_some()),
            overdue_for: watch.clock.overdue(next, 1.0),
            dead: resp::count(failed),
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
        worker::ask_jobs(&self.workers, script);
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        worker::take_jobs(&self.workers, answers, &watch.clock, &mut sample.queues);
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.workers = worker::alive(&self.workers);
        worker::add(&mut sample.queues, &self.workers);
    }

    fn rights(&self, script: &mut Pipeline) {
        worker::ask(script, "rq:worker:none");
    }
}

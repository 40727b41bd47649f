//! Where Sidekiq keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::failed_jobs::{self, Failed, LOOKED_AT};
use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use super::process::{self, Process};
use super::retries::Retries;
use crate::config::TargetSpec;
use crate::model::{Queue, QueueAge, QueueSample, SafeText, SharedCounts};

/// Processes read of one target.
const PROCESSES: usize = 500;

/// What was last read of all queues together.
#[derive(Default)]
pub(super) struct Sidekiq {
    shared: SharedCounts,
    registered: Vec<String>,
    processes: Vec<Process>,
    failed: Failed,
    retries: Retries,
    /// Queues held back, as its Pro edition keeps them.
    paused: Option<BTreeSet<String>>,
}

impl Layout for Sidekiq {
    const RULE: &'static str = "+time +get +smembers +hmget +hvals +llen +lindex +zcard +zcount +zrange %R~*";

    const SIGNS: usize = 2;

    fn of(_: &TargetSpec) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn ask_all(&self, clock: &ServerClock, _: &BTreeSet<String>, script: &mut Pipeline) {
        script.cmd("SMEMBERS").arg("queues");
        script.cmd("SMEMBERS").arg("processes");
        script.cmd("SMEMBERS").arg("paused");
        script.cmd("GET").arg("stat:processed");
        script.cmd("GET").arg("stat:failed");
        script.cmd("ZCARD").arg("schedule");
        script.cmd("ZCARD").arg("retry");
        script.cmd("ZCARD").arg("dead");
        for set in ["schedule", "retry"] {
            script.cmd("ZCOUNT").arg(set).arg("-inf").arg(clock.score());
            script.cmd("ZRANGE").arg(set).arg(0).arg(0).arg("WITHSCORES");
        }
        self.retries.ask(script);
        for identity in &self.registered {
            process::ask(script, identity);
        }
        if self.failed.wants("") {
            script.cmd("ZRANGE").arg("dead").arg(-LOOKED_AT).arg(-1);
        }
    }

    fn take_all(&mut self, answers: &[Value], _: &BTreeSet<String>, watch: &Watch) -> Vec<String> {
        let [queues, registered, paused, processed, failed, schedule, retry, dead, rest @ ..] = answers
        else {
            return Vec::new();
        };
        let [due, first, retry_due, retry_first, hashes @ ..] = rest else { return Vec::new() };
        self.paused = Some(resp::texts(paused).into_iter().collect());
        let clock = &watch.clock;
        let known = |value: &Value| resp::count(value).filter(|_| clock.now().is_some());
        let hashes = self.retries.take(resp::count(retry), hashes, clock.now());
        let (hashes, newest) =
            hashes.split_at_checked(process::PER_PROCESS * self.registered.len()).unwrap_or_default();
        self.failed.begin();
        let died = resp::count(dead);
        let mut dying = self.failed.count("", died);
        if let [newest] = newest {
            dying = self.failed.take("", died.unwrap_or(0), resp::list(newest).iter().filter_map(failed_job));
        }
        let late = [first, retry_first].into_iter().filter_map(|first| clock.overdue(first, 1.0));
        self.shared = SharedCounts {
            // Absent until the first job is done.
            processed: resp::count(processed).or(Some(0)),
            failed: resp::count(failed).or(Some(0)),
            scheduled: resp::count(schedule),
            // One poller wakes both.
            overdue: known(due).zip(known(retry_due)).map(|(a, b)| a + b),
            overdue_for: late.reduce(f64::max),
            retry: resp::count(retry),
            dead: died,
            dying,
            ..SharedCounts::default()
        };
        self.processes = self
            .registered
            .iter()
            .zip(hashes.chunks(process::PER_PROCESS))
            .filter_map(|(identity, values)| process::process(identity, values, watch.clock.now()))
            .collect();
        self.registered = resp::texts(registered);
        self.registered.sort();
        self.registered.truncate(PROCESSES);
        resp::texts(queues)
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        script.cmd("LLEN").arg(format!("queue:{name}"));
        if waits {
            script.cmd("LINDEX").arg(format!("queue:{name}")).arg(-1);
        }
    }

    fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
        self.ask_signs(name, true, script);
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [depth, oldest] = answers else { return Err("the server did not answer") };
        let queue = Queue {
            name: SafeText::new(name),
            depth: resp::count(depth).ok_or("its key queue:… is no list")?,
            paused: self.paused.as_ref().map(|paused| paused.contains(name)),
            ..Queue::default()
        };
        let age = match resp::bytes(oldest).and_then(heads::carried) {
            _ if queue.depth == 0 => QueueAge::Empty,
            Some(since) => watch.clock.age(since),
            None => QueueAge::Unknown("the oldest job carries no time".into()),
        };
        Ok((queue, Head::Age(age)))
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.workers = Some(process::threads(&self.processes));
        sample.shared = std::mem::take(&mut self.shared);
        process::add(&mut sample.queues, &self.processes);
        self.retries.tell(&mut sample.queues);
    }

    fn rights(&self, script: &mut Pipeline) {
        process::ask(script, "none");
    }
}

/// The class of a dead job and of its error; Active Job wraps its own in another.
fn failed_job(entry: &Value) -> Option<(String, String)> {
    let job: Json = serde_json::from_slice(resp::bytes(entry)?).ok()?;
    let text = |key: &str| job.get(key).and_then(Json::as_str);
    let error = text("error_class").map(failed_jobs::class).unwrap_or_default();
    Some((failed_jobs::name(text("wrapped").or_else(|| text("class"))?)?, error))
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Sidekiq>("sidekiq");
    }
}

//! Which of Sidekiq's jobs fail and are tried again: each carries how often, in the set it waits in.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Pipeline, Value};
use serde_json::Value as Json;
use tokio::time::Instant;

use super::super::failed_jobs;
use super::super::heads;
use super::super::resp;
use crate::model::{NotedJob, Queue, SafeText, Timestamp};

/// Jobs looked at from either end of the set: those due next, and those put off for the longest because they
/// failed most often.
const EACH: isize = 8;
/// How often they are looked at: a job may be as large as its arguments.
const EVERY: Duration = Duration::from_secs(5);
/// A job that failed longer ago waits for days, and is no trouble now.
const LATELY: f64 = 600.0;

/// What the last look told.
#[derive(Default)]
pub(super) struct Retries {
    /// Whether the next poll looks.
    wanted: bool,
    looked: Option<Instant>,
    /// By queue, the job that was handed out most often.
    worst: HashMap<String, NotedJob>,
}

impl Retries {
    /// Asks, when it is time to.
    pub(super) fn ask(&self, script: &mut Pipeline) {
        if self.wanted {
            script.cmd("ZRANGE").arg("retry").arg(0).arg(EACH - 1);
            script.cmd("ZRANGE").arg("retry").arg(-EACH).arg(-1);
        }
    }

    /// Reads the answers to that off the front of these and hands back the rest; `count` jobs are to be tried again.
    pub(super) fn take<'a>(
        &mut self,
        count: Option<u64>,
        answers: &'a [Value],
        now: Option<Timestamp>,
    ) -> &'a [Value] {
        let (ends, rest) = answers.split_at_checked(if self.wanted { 2 } else { 0 }).unwrap_or_default();
        if self.wanted {
            self.looked = Some(Instant::now());
            self.worst.clear();
        }
        for (queue, job) in ends.iter().flat_map(resp::list).filter_map(|entry| returning(entry, now)) {
            let known = self.worst.entry(queue).or_default();
            if job.tries > known.tries {
                *known = job;
            }
        }
        let waiting = count.is_some_and(|count| count > 0);
        if !waiting {
            self.worst.clear();
        }
        self.wanted = waiting && self.looked.is_none_or(|at| at.elapsed() >= EVERY);
        rest
    }

    /// Notes it on each queue.
    pub(super) fn tell(&self, queues: &mut [Queue]) {
        for queue in queues {
            let worst = self.worst.get(queue.name.as_str());
            if worst.and_then(|job| job.tries) > queue.returning.as_ref().and_then(|job| job.tries) {
                queue.returning = worst.cloned();
            }
        }
    }
}

/// The queue of a job that failed lately, and how often it was handed out. It was `retry_count` times tried
/// *again*; Active Job wraps its own class in another.
fn returning(entry: &Value, now: Option<Timestamp>) -> Option<(String, NotedJob)> {
    let job: Json = serde_json::from_slice(resp::bytes(entry)?).ok()?;
    let failed = job.get("retried_at").or_else(|| job.get("failed_at"))?;
    let failed = heads::from_text(&failed.to_string())?;
    if now.is_none_or(|now| now.seconds_since(failed) > LATELY) {
        return None;
    }
    let text = |key: &str| job.get(key).and_then(Json::as_str);
    let name = failed_jobs::name(text("wrapped").or_else(|| text("class"))?)?;
    let tries = job.get("retry_count")?.as_u64()? + 1;
    let noted = NotedJob { name: SafeText::new(&name), tries: Some(tries), ..NotedJob::default() };
    Some((text("queue")?.to_owned(), noted))
}

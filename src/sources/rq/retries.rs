//! Which of RQ's jobs fail and are tried again. The hash of a job tells how many tries are left rather than how
//! many there were, so that those seen to be used up are counted.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::failed_jobs;
use super::super::resp;
use crate::model::{NotedJob, Queue, SafeText};

/// Jobs put off that are looked at in one poll, and how long such a job is not looked at again.
const AT_ONCE: usize = 8;
const REST: Duration = Duration::from_secs(3);
/// As long a job that was seen to come back is told after it was last seen.
const TOLD: Duration = Duration::from_secs(60);
/// Jobs kept in mind, and for how long.
const KEPT: usize = 1_000;
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// What the hash of a job is asked for.
pub(super) const FIELDS: [&str; 4] = ["origin", "description", "retries_left", "number_of_retries"];

/// What is known of jobs that may come back.
#[derive(Default)]
pub(super) struct Retries {
    seen: HashMap<String, Seen>,
    asked: Vec<String>,
}

struct Seen {
    queue: String,
    name: String,
    /// The most tries that were left of it.
    most: u64,
    /// How often it was handed out, as far as was seen.
    tries: u64,
    at: Instant,
}

impl Retries {
    /// Begins a poll.
    pub(super) fn begin(&mut self) {
        self.asked.clear();
        self.seen.retain(|_, seen| seen.at.elapsed() < KEPT_FOR);
    }

    /// Notes the job that is due next in a queue: it may be one that is tried again.
    pub(super) fn next(&mut self, job: String) {
        let rests = self.seen.get(&job).is_some_and(|seen| seen.at.elapsed() < REST);
        if !rests && self.asked.len() < AT_ONCE {
            self.asked.push(job);
        }
    }

    /// Asks for the jobs noted.
    pub(super) fn ask(&self, script: &mut Pipeline) {
        for job in &self.asked {
            script.cmd("HMGET").arg(format!("rq:job:{job}")).arg(&FIELDS);
        }
    }

    /// How many answers that has.
    pub(super) const fn asks(&self) -> usize {
        self.asked.len()
    }

    /// Reads them.
    pub(super) fn take(&mut self, answers: &[Value]) {
        for (job, answer) in std::mem::take(&mut self.asked).iter().zip(answers) {
            self.look(job, answer, 0);
        }
    }

    /// Reads what the hash of a job tells; `under_way` is 1 while it is handed out once more.
    pub(super) fn look(&mut self, job: &str, answer: &Value, under_way: u64) {
        let [origin, description, left, counted, ..] = resp::list(answer) else { return };
        let (Some(queue), Some(says)) = (resp::text(origin), resp::text(description)) else { return };
        let (left, counted) = (resp::count(left), resp::count(counted));
        let before = self.seen.get(job);
        let most = left.unwrap_or(0).max(before.map_or(0, |seen| seen.most));
        let failures = counted.unwrap_or(0).max(left.map_or(0, |left| most - left));
        let name = says.split('(').next().and_then(failed_jobs::name).unwrap_or_else(|| job.to_owned());
        if self.seen.len() < KEPT || before.is_some() {
            let tries = failures + under_way;
            self.seen.insert(job.to_owned(), Seen { queue, name, most, tries, at: Instant::now() });
        }
    }

    /// Notes on each queue the job that came back most often.
    pub(super) fn tell(&self, queues: &mut [Queue]) {
        for seen in self.seen.values().filter(|seen| seen.tries > 1 && seen.at.elapsed() < TOLD) {
            let Some(queue) = queues.iter_mut().find(|queue| queue.name.as_str() == seen.queue) else {
                continue;
            };
            if Some(seen.tries) > queue.returning.as_ref().and_then(|job| job.tries) {
                let name = SafeText::new(&seen.name);
                queue.returning = Some(NotedJob { name, tries: Some(seen.tries), ..NotedJob::default() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(left: &str, counted: Option<&str>) -> Value {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let counted = counted.map_or(Value::Nil, text);
        Value::Array(vec![text("mail"), text("app.send('a@b.c')"), text(left), counted])
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_whose_tries_run_out_is_told_as_often_as_it_was_seen_to_fail() {
        let mut retries = Retries::default();
        let told = |retries: &mut Retries, answer: &Value, under_way| {
            retries.look("j", answer, under_way);
            let mut queues = [Queue { name: "mail".into(), ..Queue::default() }];
            retries.tell(&mut queues);
            let [queue] = queues;
            queue.returning.map(|job| (job.name.to_string(), job.tries))
        };
        assert_eq!(told(&mut retries, &hash("9", None), 0), None);
        assert_eq!(told(&mut retries, &hash("6", None), 0), Some(("app.send".into(), Some(3))));
        assert_eq!(told(&mut retries, &hash("6", None), 1), Some(("app.send".into(), Some(4))));
        assert_eq!(told(&mut retries, &hash("6", Some("7")), 0), Some(("app.send".into(), Some(7))));
        tokio::time::advance(TOLD).await;
        let mut queues = [Queue { name: "mail".into(), ..Queue::default() }];
        retries.tell(&mut queues);
        assert_eq!(queues[0].returning, None, "not seen for a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_just_seen_is_left_alone_for_a_while() {
        let mut retries = Retries::default();
        retries.begin();
        retries.next("j".into());
        assert_eq!(retries.asks(), 1);
        retries.take(&[hash("3", None)]);
        retries.begin();
        retries.next("j".into());
        assert_eq!(retries.asks(), 0);
        tokio::time::advance(REST).await;
        retries.next("j".into());
        assert_eq!(retries.asks(), 1);
    }
}

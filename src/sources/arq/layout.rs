//! Where arq keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};

use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{Missing, NotedJob, Queue, QueueAge, QueueSample, SafeText};

/// The queue of who sets no name.
const USUAL: &str = "arq:queue";
/// What a worker leaves beside its queue from time to time.
const HEALTH: &str = ":health-check";
/// Due jobs looked at to tell which of them are under way.
const LOOKED_AT: usize = 100;
/// Jobs, the next ones first, whose tries are looked at.
const TRIES_OF: isize = 8;

/// A queue of this poll: its place in the sample, its due jobs and when they were due.
struct Due {
    at: usize,
    jobs: Vec<(String, Option<String>)>,
    /// The next ones, due or not: one that failed may be put off.
    next: Vec<String>,
}

/// The due jobs of this poll, whose state the second questions tell.
#[derive(Default)]
pub(super) struct Arq {
    due: Vec<Due>,
    seen: usize,
}

impl Layout for Arq {
    const RULE: &'static str = "+time +scan +get +exists +zcard +zcount +zrange +zrangebyscore %R~*";

    fn of(_: &TargetSpec) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn pattern(&self) -> Option<String> {
        Some(format!("*{HEALTH}"))
    }

    fn forgets(&self) -> bool {
        false
    }

    fn take_all(&mut self, _: &[Value], keys: &BTreeSet<String>, _: &Watch) -> Vec<String> {
        (self.due, self.seen) = (Vec::new(), 0);
        let found = keys.iter().filter_map(|key| key.strip_suffix(HEALTH)).map(str::to_owned);
        found.chain([USUAL.to_owned()]).collect()
    }

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let now = clock.score_millis();
        script.cmd("ZCARD").arg(name);
        script.cmd("ZCOUNT").arg(name).arg("-inf").arg(&now);
        script.cmd("ZRANGEBYSCORE").arg(name).arg("-inf").arg(&now).arg("WITHSCORES");
        script.arg("LIMIT").arg(0).arg(LOOKED_AT);
        script.cmd("ZRANGE").arg(name).arg(0).arg(TRIES_OF - 1);
    }

    fn queue(&mut self, name: &str, answers: &[Value], _: &mut Watch) -> Result<(Queue, Head), &'static str> {
        let [all, due, first, next] = answers else { return Err("the server did not answer") };
        let (all, depth) = resp::count(all).zip(resp::count(due)).ok_or("the key is no sorted set")?;
        let jobs = resp::list(first)
            .chunks(2)
            .filter_map(|pair| Some((resp::text(pair.first()?)?, resp::text(pair.get(1)?))));
        self.due.push(Due { at: self.seen, jobs: jobs.collect(), next: resp::texts(next) });
        self.seen += 1;
        let scheduled = Some(all.saturating_sub(depth));
        let queue = Queue { name: SafeText::new(name), depth, scheduled, ..Queue::default() };
        Ok((queue, Head::Age(QueueAge::Empty)))
    }

    fn ask_more(&mut self, _: &mut QueueSample, script: &mut Pipeline) {
        for (job, _) in self.due.iter().flat_map(|due| &due.jobs) {
            script.cmd("EXISTS").arg(format!("arq:in-progress:{job}"));
        }
        for job in self.due.iter().flat_map(|due| &due.next) {
            script.cmd("GET").arg(format!("arq:retry:{job}"));
        }
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        let under_way = self.due.iter().map(|due| due.jobs.len()).sum();
        let (answers, tries) = answers.split_at_checked(under_way).unwrap_or_default();
        let (mut answers, mut tries) = (answers.iter(), tries.iter());
        for due in std::mem::take(&mut self.due) {
            let Some(queue) = sample.queues.get_mut(due.at) else { continue };
            let (mut running, mut waits) = (0, None);
            let looked = due.jobs.len();
            // What a job is stands in a pickle: it goes by its id. It is counted when it is begun.
            let begun = due.next.iter().zip(tries.by_ref());
            let returning = begun
                .filter_map(|(job, tries)| Some((job, resp::count(tries)?)))
                .filter(|(_, tries)| *tries > 1)
                .max_by_key(|(_, tries)| *tries);
            queue.returning = returning.map(|(job, tries)| NotedJob {
                name: SafeText::new(job),
                tries: Some(tries),
                ..NotedJob::default()
            });
            for (_, since) in due.jobs {
                if answers.next().and_then(resp::count) == Some(1) {
                    running += 1;
                } else if waits.is_none() {
                    waits = since.and_then(|since| heads::from_text(&since));
                }
            }
            queue.depth = queue.depth.saturating_sub(running);
            queue.in_flight = Some(running);
            queue.oldest = match waits {
                _ if queue.depth == 0 => QueueAge::Empty,
                Some(since) => watch.clock.age(since),
                None => QueueAge::Unknown("the first hundred due jobs are all under way".into()),
            };
            if running > 0 && running == looked as u64 && looked == LOOKED_AT {
                let why = "more than a hundred jobs are under way; the rest of them is counted as waiting";
                sample.missing.push(Missing::new(&format!("in flight of {}", queue.name), why));
            }
        }
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.missing.push(Missing::new("workers", "arq keeps no register of its workers"));
    }

    fn rights(&self, script: &mut Pipeline) {
        script.cmd("EXISTS").arg("arq:in-progress:none");
        script.cmd("GET").arg("arq:retry:none");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Arq>("arq");
    }
}

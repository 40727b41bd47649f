//! Where asynq keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};

use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{Queue, QueueSample, SafeText, Timestamp};

/// Servers that said they are there, by their last word's own term.
#[derive(Default)]
pub(super) struct Asynq {
    servers: Option<u32>,
}

/// A key of a queue; the braces keep all of them on one node of a cluster.
fn key(queue: &str, rest: &str) -> String {
    format!("asynq:{{{queue}}}:{rest}")
}

impl Layout for Asynq {
    const RULE: &'static str =
        "+time +get +exists +smembers +hget +llen +lindex +zcard +zcount +zrange %R~asynq:*";

    const SIGNS: usize = 3;

    fn of(_: &TargetSpec) -> Result<Self, String> {
        Ok(Self::default())
    }

    fn ask_all(&self, clock: &ServerClock, _: &BTreeSet<String>, script: &mut Pipeline) {
        script.cmd("SMEMBERS").arg("asynq:queues");
        script.cmd("ZCOUNT").arg("asynq:servers").arg(clock.score().replace("-inf", "+inf")).arg("+inf");
    }

    fn take_all(&mut self, answers: &[Value], _: &BTreeSet<String>, watch: &Watch) -> Vec<String> {
        let [queues, servers] = answers else { return Vec::new() };
        self.servers = resp::count(servers)
            .and_then(|count| u32::try_from(count).ok())
            .filter(|_| watch.clock.now().is_some());
        resp::texts(queues)
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        script.cmd("LLEN").arg(key(name, "pending"));
        script.cmd("GET").arg(key(name, "processed"));
        if waits {
            script.cmd("LINDEX").arg(key(name, "pending")).arg(-1);
        }
    }

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let now = clock.score();
        self.ask_signs(name, true, script);
        script.cmd("LLEN").arg(key(name, "active"));
        script.cmd("ZCOUNT").arg(key(name, "lease")).arg("-inf").arg(&now);
        script.cmd("ZCARD").arg(key(name, "scheduled"));
        script.cmd("ZCARD").arg(key(name, "retry"));
        script.cmd("ZCARD").arg(key(name, "archived"));
        for set in ["scheduled", "retry"] {
            script.cmd("ZCOUNT").arg(key(name, set)).arg("-inf").arg(&now);
            script.cmd("ZRANGE").arg(key(name, set)).arg(0).arg(0).arg("WITHSCORES");
        }
        script.cmd("GET").arg(key(name, "failed"));
        script.cmd("EXISTS").arg(key(name, "paused"));
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [
            pending,
            processed,
            head,
            active,
            lost,
            scheduled,
            retry,
            archived,
            due,
            first,
            retry_due,
            retry_first,
            failed,
            paused,
        ] = answers
        else {
            return Err("the server did not answer");
        };
        let clock = &watch.clock;
        let known = |value: &Value| resp::count(value).filter(|_| clock.now().is_some());
        let late = [first, retry_first].into_iter().filter_map(|first| clock.overdue(first, 1.0));
        let queue = Queue {
            name: SafeText::new(name),
            depth: resp::count(pending).ok_or("its key pending is no list")?,
            in_flight: resp::count(active),
            orphaned: known(lost),
            scheduled: resp::count(scheduled),
            overdue: known(due).zip(known(retry_due)).map(|(a, b)| a + b),
            overdue_for: late.reduce(f64::max),
            retry: resp::count(retry),
            dead: resp::count(archived),
            // Absent until the first task is done.
            processed: resp::count(processed).or(Some(0)),
            failed: resp::count(failed).or(Some(0)),
            // Which queues a server serves is not told, but nobody serves all of them.
            workers: self.servers.filter(|servers| *servers == 0),
            paused: resp::count(paused).map(|there| there > 0),
            ..Queue::default()
        };
        Ok((queue, Head::Jobs(resp::text(head).into_iter().collect())))
    }

    fn ask_job(&self, queue: &str, job: &str, script: &mut Pipeline) {
        script.cmd("HGET").arg(key(queue, &format!("t:{job}"))).arg("pending_since");
    }

    fn job_since(&self, answer: &Value) -> Option<Timestamp> {
        heads::from_text(&resp::text(answer)?)
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.workers = self.servers;
        if let [only] = sample.queues.as_mut_slice() {
            only.workers = self.servers;
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Asynq>("asynq");
    }
}

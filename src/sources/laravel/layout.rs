//! Where Laravel keeps what, and how its answers read.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{Missing, NotedJob, Queue, QueueAge, QueueSample, SafeText};

/// What stands before the name of a queue, behind the application's own prefix.
const QUEUES: &str = "queues:";
/// Keys beside a queue's list.
const BESIDE: [&str; 3] = [":notify", ":reserved", ":delayed"];

/// Where each queue is: the application's prefix is found, or configured.
#[derive(Default)]
pub(super) struct Laravel {
    prefix: Option<String>,
    /// The list of each queue that was found.
    lists: BTreeMap<String, String>,
}

impl Laravel {
    fn list(&self, name: &str) -> String {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        self.lists.get(name).cloned().unwrap_or_else(|| format!("{prefix}{QUEUES}{name}"))
    }
}

impl Layout for Laravel {
    const RULE: &'static str = "+time +scan +llen +lindex +zcard +zcount +zrange %R~*";

    const SIGNS: usize = 3;

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { prefix: spec.prefix.clone(), ..Self::default() })
    }

    fn pattern(&self) -> Option<String> {
        let prefix = self.prefix.as_deref().map_or_else(|| "*".to_owned(), resp::literal);
        Some(format!("{prefix}{QUEUES}*"))
    }

    fn forgets(&self) -> bool {
        false
    }

    fn take_all(&mut self, _: &[Value], keys: &BTreeSet<String>, _: &Watch) -> Vec<String> {
        self.lists.clear();
        for key in keys {
            let list = BESIDE.iter().find_map(|end| key.strip_suffix(end)).unwrap_or(key);
            let Some(at) = list.find(QUEUES) else { continue };
            let name = &list[at + QUEUES.len()..];
            // Two applications may each have a queue of this name.
            let taken = self.lists.get(name).is_some_and(|known| known != list);
            self.lists.insert(if taken { list } else { name }.to_owned(), list.to_owned());
        }
        self.lists.keys().cloned().collect()
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        let list = self.list(name);
        script.cmd("LLEN").arg(&list);
        script.cmd("ZCARD").arg(format!("{list}:reserved"));
        if waits {
            script.cmd("LINDEX").arg(&list).arg(0);
        }
    }

    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline) {
        let (list, now) = (self.list(name), clock.score());
        self.ask_signs(name, true, script);
        script.cmd("ZCARD").arg(format!("{list}:delayed"));
        script.cmd("ZCOUNT").arg(format!("{list}:delayed")).arg("-inf").arg(&now);
        script.cmd("ZRANGE").arg(format!("{list}:delayed")).arg(0).arg(0).arg("WITHSCORES");
        script.cmd("ZCOUNT").arg(format!("{list}:reserved")).arg("-inf").arg(&now);
        script.cmd("ZRANGE").arg(format!("{list}:reserved")).arg(0).arg(0);
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [waiting, reserved, head, delayed, due, next, late, first] = answers else {
            return Err("the server did not answer");
        };
        let depth = resp::count(waiting).ok_or("its key is no list")?;
        let known = |value: &Value| resp::count(value).filter(|_| watch.clock.now().is_some());
        let payload = resp::bytes(head);
        let age = match payload.and_then(heads::carried) {
            _ if depth == 0 => QueueAge::Empty,
            Some(since) => watch.clock.age(since),
            // Each payload holds an id of its own, so that the same text is the same job.
            None => {
                let seen = watch.residency.seen(name, payload.unwrap_or_default());
                QueueAge::AtLeast(seen.as_secs_f64())
            }
        };
        let queue = Queue {
            name: SafeText::new(name),
            depth,
            in_flight: resp::count(reserved),
            orphaned: known(late),
            scheduled: resp::count(delayed),
            overdue: known(due),
            overdue_for: watch.clock.overdue(next, 1.0),
            // The oldest that waits, the next that is put off, perhaps to be tried again, and one under way.
            returning: [Some(head), resp::list(next).first(), resp::list(first).first()]
                .into_iter()
                .filter_map(|job| resp::bytes(job?))
                .filter_map(returning)
                .max_by_key(|job| job.tries),
            ..Queue::default()
        };
        Ok((queue, Head::Age(age)))
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.missing.push(Missing::new("workers", "Laravel keeps no register of its workers"));
        sample.missing.push(Missing::new("dead", "Laravel keeps failed jobs in its SQL database"));
    }
}

/// A job that has been handed out before, by what its payload counts.
fn returning(payload: &[u8]) -> Option<NotedJob> {
    let payload: Json = serde_json::from_slice(payload).ok()?;
    let tries = payload.get("attempts")?.as_u64().filter(|tries| *tries > 1)?;
    let name = payload.get("displayName").or_else(|| payload.get("job")).and_then(Json::as_str)?;
    Some(NotedJob { name: SafeText::new(name), tries: Some(tries), ..NotedJob::default() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Laravel>("laravel");
    }
}

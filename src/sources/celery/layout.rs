//! Where kombu keeps what, and how its answers read.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::BoxFuture;
use super::super::failed_jobs;
use super::super::heads::{self, ServerClock};
use super::super::put_off::{self, PutOff};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp::{self, Resp};
use super::beats::Beats;
use crate::config::TargetSpec;
use crate::model::{Queue, QueueAge, QueueSample, SafeText, SharedCounts, Timestamp};

/// After this long a message that was taken and not acknowledged is handed out again.
const VISIBILITY: f64 = 3_600.0;
/// Priority steps other than 0 have lists of their own; LLEN of the first alone would lie.
const STEPS: [&str; 4] = ["", "\u{6}\u{16}3", "\u{6}\u{16}6", "\u{6}\u{16}9"];
/// What joins the parts of a binding's members.
const JOINT: &str = "\u{6}\u{16}";

/// What was last read of all queues together.
#[derive(Default)]
pub(super) struct Celery {
    prefix: String,
    database: i64,
    shared: SharedCounts,
    beats: Beats,
    put_off: PutOff,
}

impl Celery {
    /// The list of one priority.
    fn list(&self, name: &str, step: &str) -> String {
        format!("{}{name}{step}", self.prefix)
    }

    /// Whether nobody is connected who could be a worker: each of them waits for jobs on a connection, and all
    /// but the most taciturn listen for commands on another.
    fn nobody(&self, watch: &Watch) -> bool {
        let Some(clients) = watch.clients.list() else { return false };
        let ours = clients.iter().filter(|it| it.database.is_none_or(|it| it == self.database));
        let listeners = ours.clone().filter(|it| it.listens).count();
        listeners <= usize::from(self.beats.listens()) && !ours.into_iter().any(|it| it.command == "brpop")
    }
}

impl Layout for Celery {
    const RULE: &'static str =
        "+time +scan +smembers +llen +lindex +hlen +hscan +zcount +client|list +psubscribe %R~* allchannels";

    const SIGNS: usize = 2 * STEPS.len();

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { prefix: spec.prefix.clone().unwrap_or_default(), ..Self::default() })
    }

    fn pattern(&self) -> Option<String> {
        Some(format!("{}_kombu.binding*", resp::literal(&self.prefix)))
    }

    fn keeps(&self, key: &str) -> bool {
        is_binding(key)
    }

    fn wants_clients(&self) -> bool {
        true
    }

    fn ask_all(&self, clock: &ServerClock, bindings: &BTreeSet<String>, script: &mut Pipeline) {
        let late = clock
            .now()
            .map_or_else(|| "-inf".to_owned(), |now| now.minus_seconds(VISIBILITY).as_seconds().to_string());
        script.cmd("HLEN").arg(format!("{}unacked", self.prefix));
        script.cmd("ZCOUNT").arg(format!("{}unacked_index", self.prefix)).arg("-inf").arg(late);
        for key in bindings {
            script.cmd("SMEMBERS").arg(key);
        }
    }

    fn take_all(&mut self, answers: &[Value], _: &BTreeSet<String>, _: &Watch) -> Vec<String> {
        let [unacked, late, bindings @ ..] = answers else { return Vec::new() };
        // Messages taken and not acknowledged, those put off for later included.
        self.put_off.begin();
        self.put_off.count("", resp::count(unacked));
        self.shared = SharedCounts {
            in_flight: resp::count(unacked),
            orphaned: resp::count(late),
            ..SharedCounts::default()
        };
        bindings.iter().flat_map(bound).collect()
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        for step in STEPS {
            script.cmd("LLEN").arg(self.list(name, step));
        }
        // Put in at the left, taken at the right: the last is the oldest.
        for step in STEPS.iter().filter(|_| waits) {
            script.cmd("LINDEX").arg(self.list(name, step)).arg(-1);
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
        let mut depth = 0;
        let (mut oldest, mut longest, mut all_told) = (None::<Timestamp>, Duration::ZERO, true);
        let (lengths, lasts) = answers.split_at_checked(STEPS.len()).ok_or("the server did not answer")?;
        for (step, (length, head)) in STEPS.iter().zip(lengths.iter().zip(lasts)) {
            depth += resp::count(length).ok_or("the key is no list")?;
            let Some(message) = resp::bytes(head) else { continue };
            // A message carries no time of its own; a tracing library may have added one.
            if let Some(since) = heads::carried(message) {
                oldest = Some(oldest.map_or(since, |known| known.min(since)));
            } else {
                all_told = false;
                longest = longest.max(watch.residency.seen(&format!("{name}{step}"), message));
            }
        }
        let told = oldest.map(|since| watch.clock.age(since));
        let age = match told {
            _ if depth == 0 => QueueAge::Empty,
            Some(age) if all_told => age,
            told => {
                let told = told.and_then(|age| age.seconds()).unwrap_or(0.0);
                QueueAge::AtLeast(told.max(longest.as_secs_f64()))
            }
        };
        Ok((Queue { name: SafeText::new(name), depth, ..Queue::default() }, Head::Age(age)))
    }

    fn ask_more(&mut self, _: &mut QueueSample, script: &mut Pipeline) {
        for _ in self.put_off.wanted() {
            let key = format!("{}unacked", self.prefix);
            script.cmd("HSCAN").arg(key).arg(0).arg("COUNT").arg(put_off::LOOKED_AT);
        }
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        if let (Some(answer), [_]) = (answers.first(), self.put_off.wanted()) {
            let seen = put_off::values(answer).filter_map(|message| retried(message, &watch.clock));
            let seen: Vec<_> = seen.collect();
            for queue in &sample.queues {
                let ours = seen.iter().filter(|(of, ..)| *of == queue.name.as_str());
                self.put_off.take(queue.name.as_str(), ours.map(|(_, task, tries)| (task.clone(), *tries)));
            }
            // One hash for all queues: that it was looked at is kept under no name.
            self.put_off.take("", std::iter::empty());
        }
        self.put_off.tell(&mut sample.queues);
    }

    fn listen<'a>(&'a mut self, connection: &'a Resp) -> BoxFuture<'a, ()> {
        self.database = connection.database();
        Box::pin(self.beats.listen(connection))
    }

    fn finish(&mut self, watch: &Watch, sample: &mut QueueSample) {
        sample.shared = std::mem::take(&mut self.shared);
        let (alive, processed) = match self.beats.workers() {
            Ok(told) => told,
            Err(_) if self.nobody(watch) => (0, None),
            Err(missing) => {
                sample.missing.push(missing);
                return;
            }
        };
        sample.workers = Some(alive);
        sample.shared.processed = processed;
        if alive == 0 {
            // They are handed out again when their time is over, and not before another worker looks.
            sample.shared.orphaned = sample.shared.in_flight;
        }
        if alive == 0 || sample.queues.len() == 1 {
            // Which queues a worker serves is not told, but nobody serves all of them.
            sample.queues.iter_mut().for_each(|queue| queue.workers = Some(alive));
        }
    }

    fn rights(&self, script: &mut Pipeline) {
        script.cmd("SMEMBERS").arg(format!("{}_kombu.binding.celery", self.prefix));
        script.cmd("HSCAN").arg(format!("{}unacked", self.prefix)).arg(0).arg("COUNT").arg(1);
    }
}

/// The queue and the task of a message that a worker holds, and how often it was handed out before.
fn retried(entry: &[u8], clock: &ServerClock) -> Option<(String, String, u64)> {
    let entry: Json = serde_json::from_slice(entry).ok()?;
    let headers = entry.get(0)?.get("headers")?;
    let due = headers.get("eta").and_then(Json::as_str).and_then(heads::from_text);
    let tries = headers.get("retries")?.as_u64().filter(|_| put_off::is_soon(due, clock))?;
    let queue = entry.get(2)?.as_str()?.to_owned();
    Some((queue, failed_jobs::name(headers.get("task")?.as_str()?)?, tries))
}

/// The queues that a binding's members name.
fn bound(value: &Value) -> Vec<String> {
    let internal = |name: &str| {
        name.ends_with(".pidbox")
            || name.starts_with("celeryev")
            || name.contains("reply.")
            || name.is_empty()
    };
    resp::texts(value)
        .iter()
        .filter_map(|member| member.rsplit(JOINT).next())
        .filter(|name| !internal(name))
        .map(str::to_owned)
        .collect()
}

/// Whether a binding can lead to a queue of jobs.
fn is_binding(key: &str) -> bool {
    !key.ends_with(".pidbox") && !key.contains("celeryev") && !key.contains("reply.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_names_its_queue_and_the_broker_s_own_are_left_out() {
        let members = ["mail\u{6}\u{16}\u{6}\u{16}mail", "\u{6}\u{16}\u{6}\u{16}celery@h.celery.pidbox", "x"];
        let value =
            Value::Array(members.iter().map(|it| Value::BulkString(it.as_bytes().to_vec())).collect());
        assert_eq!(bound(&value), ["mail", "x"]);
        assert!(!is_binding("_kombu.binding.celeryev"));
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Celery>("celery");
    }
}

//! Where Dramatiq keeps what, and how its answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};
use serde_json::Value as Json;

use super::super::failed_jobs;
use super::super::heads::{self, ServerClock};
use super::super::put_off::{self, PutOff};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{Missing, Queue, QueueSample, SafeText, Timestamp};

/// Who has not beaten for longer is gone; Dramatiq itself says so after a minute.
const SILENT: f64 = 60.0;

/// Where the queues are, and whether anybody beats at all.
pub(super) struct Dramatiq {
    prefix: String,
    beating: Option<u64>,
    put_off: PutOff,
}

impl Dramatiq {
    fn key(&self, queue: &str, rest: &str) -> String {
        format!("{}:{queue}{rest}", self.prefix)
    }
}

impl Layout for Dramatiq {
    const RULE: &'static str = "+time +scan +hget +hlen +hscan +llen +lindex +zcard +zcount %R~*";

    const SIGNS: usize = 3;

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        let prefix = spec.prefix.as_deref().unwrap_or("dramatiq").trim_end_matches(':').to_owned();
        Ok(Self { prefix, beating: None, put_off: PutOff::default() })
    }

    fn pattern(&self) -> Option<String> {
        Some(format!("{}:*", resp::literal(&self.prefix)))
    }

    fn keeps(&self, key: &str) -> bool {
        key.strip_suffix(".msgs").or_else(|| key.strip_suffix(".XQ")).is_some()
    }

    fn forgets(&self) -> bool {
        false
    }

    fn ask_all(&self, clock: &ServerClock, _: &BTreeSet<String>, script: &mut Pipeline) {
        let since = clock
            .now()
            .map_or_else(|| "-inf".into(), |now| (now.minus_seconds(SILENT).as_micros() / 1_000).to_string());
        script.cmd("ZCOUNT").arg(format!("{}:__heartbeats__", self.prefix)).arg(since).arg("+inf");
    }

    fn take_all(&mut self, answers: &[Value], keys: &BTreeSet<String>, watch: &Watch) -> Vec<String> {
        self.put_off.begin();
        self.beating = answers.first().and_then(resp::count).filter(|_| watch.clock.now().is_some());
        let name = |key: &String| {
            let rest = key.strip_prefix(self.prefix.as_str())?.strip_prefix(':')?;
            let name = rest.trim_end_matches(".msgs").trim_end_matches(".DQ").trim_end_matches(".XQ");
            Some(name.to_owned()).filter(|name| !name.starts_with("__"))
        };
        keys.iter().filter_map(name).collect()
    }

    fn ask_signs(&self, name: &str, waits: bool, script: &mut Pipeline) {
        script.cmd("LLEN").arg(self.key(name, ""));
        script.cmd("HLEN").arg(self.key(name, ".msgs"));
        if waits {
            script.cmd("LINDEX").arg(self.key(name, "")).arg(0);
        }
    }

    fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
        self.ask_signs(name, true, script);
        script.cmd("HLEN").arg(self.key(name, ".DQ.msgs"));
        script.cmd("ZCARD").arg(self.key(name, ".XQ"));
    }

    fn queue(&mut self, name: &str, answers: &[Value], _: &mut Watch) -> Result<(Queue, Head), &'static str> {
        let [waiting, messages, head, delayed, dead] = answers else {
            return Err("the server did not answer");
        };
        let depth = resp::count(waiting).ok_or("its key is no list")?;
        self.put_off.count(name, resp::count(delayed));
        let queue = Queue {
            name: SafeText::new(name),
            depth,
            // A message leaves the list when it is taken, and the hash when it is done.
            in_flight: resp::count(messages).map(|all| all.saturating_sub(depth)),
            scheduled: resp::count(delayed),
            dead: resp::count(dead),
            // Who only puts in beats too: that somebody beats does not show that somebody works.
            workers: self.beating.filter(|beating| *beating == 0).map(|_| 0),
            ..Queue::default()
        };
        Ok((queue, Head::Jobs(resp::text(head).into_iter().collect())))
    }

    fn ask_job(&self, queue: &str, job: &str, script: &mut Pipeline) {
        script.cmd("HGET").arg(self.key(queue, ".msgs")).arg(job);
    }

    /// When it was put in, or was due: one put off has not waited before.
    fn job_since(&self, answer: &Value) -> Option<Timestamp> {
        let message: Json = serde_json::from_slice(resp::bytes(answer)?).ok()?;
        let time = |value: &Json| heads::from_text(&value.to_string());
        let put = time(message.get("message_timestamp")?)?;
        let due = message.get("options").and_then(|options| options.get("eta")).and_then(time);
        Some(due.map_or(put, |due| due.max(put)))
    }

    fn ask_more(&mut self, _: &mut QueueSample, script: &mut Pipeline) {
        for queue in self.put_off.wanted() {
            script.cmd("HSCAN").arg(self.key(queue, ".DQ.msgs")).arg(0).arg("COUNT").arg(put_off::LOOKED_AT);
        }
    }

    fn take_more(&mut self, answers: &[Value], watch: &mut Watch, sample: &mut QueueSample) {
        for (queue, answer) in self.put_off.wanted().to_vec().iter().zip(answers) {
            let seen = put_off::values(answer).filter_map(|message| retried(message, &watch.clock));
            self.put_off.take(queue, seen);
        }
        self.put_off.tell(&mut sample.queues);
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        if self.beating == Some(0) {
            sample.workers = Some(0);
        } else {
            let why = "Dramatiq keeps one list for who works and who only puts in";
            sample.missing.push(Missing::new("workers", why));
        }
        sample.missing.push(Missing::new("rates", "Dramatiq counts neither jobs put in nor jobs done"));
    }

    fn rights(&self, script: &mut Pipeline) {
        script.cmd("SCAN").arg(0).arg("COUNT").arg(1);
        script.cmd("HSCAN").arg(self.key("default", ".DQ.msgs")).arg(0).arg("COUNT").arg(1);
    }
}

/// The actor of a message put off after it failed, and how often it was handed out.
fn retried(message: &[u8], clock: &ServerClock) -> Option<(String, u64)> {
    let message: Json = serde_json::from_slice(message).ok()?;
    let options = message.get("options")?;
    let due = options.get("eta").and_then(|eta| heads::from_text(&eta.to_string()));
    let tries = options.get("retries")?.as_u64().filter(|_| put_off::is_soon(due, clock))?;
    Some((failed_jobs::name(message.get("actor_name")?.as_str()?)?, tries))
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Dramatiq>("dramatiq");
    }
}

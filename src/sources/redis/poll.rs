//! The poll of a cache.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::info::Info;
use super::share::Shares;
use super::slow;
use crate::config::TargetSpec;
use crate::model::{
    CacheSample, Missing, PollError, PollErrorKind, Reading, Sample, SlowCommand, TargetId, Timestamp,
};

/// Every so many polls a batch of keys is looked at for the namespaces' shares.
const SHARE_EVERY: u64 = 5;
/// Keys of such a batch: a quarter of a millisecond of the server's time.
const SHARE_KEYS: u32 = 500;
/// How long a slow command is news.
const NEWS: Duration = Duration::from_secs(10);

/// Asks one cache server.
pub(super) struct RedisSource {
    id: TargetId,
    connection: Resp,
    polls: u64,
    /// The connection on which the refusals below were met.
    refused_on: u64,
    refused: Vec<(Ask, Missing)>,
    /// The number the next slow-log entry has at least; `None` before the first look.
    next_slow: Option<u64>,
    /// Slow commands that are still news, newest first, with when they were first seen here.
    slow: Vec<(SlowCommand, Instant)>,
    run_id: String,
    cursor: Vec<u8>,
    shares: Shares,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Info,
    /// The server's clock, where INFO does not tell it; needed only for the first look at the slow log.
    Time,
    SlowLog,
    Scan,
}

impl RedisSource {
    /// A source for this target, not connected yet.
    ///
    /// # Errors
    /// A sentence when the URL is not one of a Redis.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            polls: 0,
            refused_on: 0,
            refused: Vec::new(),
            next_slow: None,
            slow: Vec::new(),
            run_id: String::new(),
            cursor: b"0".to_vec(),
            shares: Shares::new(spec.namespaces.clone()),
        })
    }

    async fn sample(&mut self) -> Result<CacheSample, PollError> {
        let asked = self.questions();
        self.polls += 1;
        let mut pipeline = redis::pipe();
        for ask in &asked {
            self.write(*ask, &mut pipeline);
        }
        let answers = self.connection.ask(&pipeline).await?;
        if self.refused_on != self.connection.opened() {
            self.refused_on = self.connection.opened();
            self.refused.clear();
        }
        let mut sample = CacheSample::default();
        let mut clock = None;
        for (ask, value) in asked.into_iter().zip(&answers.values) {
            if let Some((code, words)) = resp::refusal(value) {
                self.refuse(ask, &code, &words)?;
                continue;
            }
            match ask {
                Ask::Info => {
                    let text = resp::text(value).unwrap_or_default();
                    let info = Info::parse(&text);
                    if !info.is_sound() {
                        return Err(PollError::new(PollErrorKind::Garbage, "the answer to INFO is not one"));
                    }
                    sample = info.sample();
                    clock = info.clock().or(clock);
                }
                Ask::Time => clock = time(value),
                Ask::SlowLog => sample.slow = self.recent_slow(value, &sample, clock),
                Ask::Scan => self.take_keys(value),
            }
        }
        sample.sentinel = self.connection.sentinel();
        sample.ping_ms = Some(answers.ping.as_secs_f64() * 1e3);
        sample.namespaces = self.shares.samples();
        sample.missing = self.refused.iter().map(|(_, missing)| missing.clone()).collect();
        Ok(sample)
    }

    fn questions(&self) -> Vec<Ask> {
        let mut asked = vec![Ask::Info, Ask::SlowLog];
        if self.next_slow.is_none() && !self.refused.iter().any(|(refused, _)| *refused == Ask::SlowLog) {
            asked.insert(0, Ask::Time);
        }
        if self.shares.is_wanted() && self.polls.is_multiple_of(SHARE_EVERY) {
            asked.push(Ask::Scan);
        }
        asked.retain(|ask| !self.refused.iter().any(|(refused, _)| refused == ask));
        asked
    }

    fn write(&self, ask: Ask, pipeline: &mut Pipeline) {
        match ask {
            Ask::Info => pipeline.cmd("INFO").arg("all"),
            Ask::Time => pipeline.cmd("TIME"),
            Ask::SlowLog => pipeline.cmd("SLOWLOG").arg("GET").arg(32),
            Ask::Scan => pipeline.cmd("SCAN").arg(&self.cursor).arg("COUNT").arg(SHARE_KEYS),
        };
    }

    /// Remembers a refusal, so that it is not asked again on this connection.
    fn refuse(&mut self, ask: Ask, code: &str, words: &str) -> Result<(), PollError> {
        let (what, rule) = match ask {
            // Without INFO there is nothing to show.
            Ask::Info => {
                let kind = if code == "NOPERM" { PollErrorKind::Rights } else { PollErrorKind::Unsupported };
                let says = format!("INFO was refused ({code} {words}); it needs: ACL SETUSER <user> +info");
                return Err(PollError::new(kind, &says));
            }
            // INFO tells the same, but for the oldest.
            Ask::Time => return Ok(()),
            Ask::SlowLog => ("slow log", "ACL SETUSER <user> +slowlog|get"),
            Ask::Scan => ("shares of the namespaces", "ACL SETUSER <user> +scan"),
        };
        let why = match code {
            "NOPERM" => format!("refused ({code} {words}); mend: {rule}"),
            // A service that withholds a command renames it away; there is no rule that brings it back.
            _ => format!("the server does not offer it ({code} {words})"),
        };
        self.refused.push((ask, Missing::new(what, &why)));
        Ok(())
    }

    /// The entries of the last moments, newest first.
    fn recent_slow(
        &mut self,
        value: &Value,
        sample: &CacheSample,
        clock: Option<Timestamp>,
    ) -> Vec<SlowCommand> {
        if self.run_id != sample.run_id.as_str() {
            sample.run_id.as_str().clone_into(&mut self.run_id);
            self.next_slow = None;
            self.shares.forget();
            self.slow.clear();
        }
        let entries: Vec<_> = resp::list(value).iter().filter_map(slow::entry).collect();
        let expected = self.next_slow;
        let next = entries.iter().map(|entry| entry.id.saturating_add(1)).max();
        self.next_slow = next.max(expected).or(Some(0));
        let is_new = |entry: &SlowCommand| match (expected, clock) {
            (Some(expected), _) => entry.id >= expected,
            (None, Some(clock)) => clock.seconds_since(entry.at) <= NEWS.as_secs_f64(),
            (None, None) => false,
        };
        let now = Instant::now();
        let fresh = entries.into_iter().filter(is_new).map(|entry| (entry, now));
        let kept = self.slow.drain(..).filter(|(_, seen)| now.duration_since(*seen) < NEWS);
        self.slow = fresh.chain(kept).take(128).collect();
        self.slow.iter().map(|(entry, _)| entry.clone()).collect()
    }

    fn take_keys(&mut self, value: &Value) {
        let [cursor, keys] = resp::list(value) else { return };
        if let Some(cursor) = resp::bytes(cursor) {
            self.cursor = cursor.to_vec();
        }
        self.shares.add(resp::list(keys).iter().filter_map(resp::bytes));
    }
}

/// The answer to TIME: seconds and microseconds.
fn time(value: &Value) -> Option<Timestamp> {
    let [seconds, micros] = resp::list(value) else { return None };
    let micros = resp::whole(seconds)?.checked_mul(1_000_000)?.checked_add(resp::whole(micros)?)?;
    Some(Timestamp::from_micros(micros))
}

impl Source for RedisSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Cache(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}

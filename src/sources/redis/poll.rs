//! The poll of a cache.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::resp::{self, Resp};
use super::guests::{BETWEEN, GLANCES, Guests};
use super::info::Info;
use super::keyspace::Keyspace;
use super::slow;
use crate::config::TargetSpec;
use crate::model::{CacheSample, Missing, PollError, PollErrorKind, SlowCommand, TargetId, Timestamp};

/// How long a slow command is news.
const NEWS: Duration = Duration::from_secs(10);

/// Asks one cache server.
pub(super) struct RedisSource {
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
    keyspace: Keyspace,
    guests: Guests,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    Info,
    /// The server's clock, where INFO does not tell it; needed only for the first look at the slow log.
    Time,
    SlowLog,
    Scan,
    Inside,
    Clients,
}

impl RedisSource {
    /// A source for this target, not connected yet.
    ///
    /// # Errors
    /// A sentence when the URL is not one of a Redis.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            connection: Resp::new(spec)?,
            polls: 0,
            refused_on: 0,
            refused: Vec::new(),
            next_slow: None,
            slow: Vec::new(),
            run_id: String::new(),
            keyspace: Keyspace::new(spec.namespaces.clone()),
            guests: Guests::default(),
        })
    }

    /// The same user at another address, as a row of the same target.
    ///
    /// # Errors
    /// A sentence when there is no way there.
    pub(super) fn at(
        &self,
        row: TargetId,
        host: &str,
        port: u16,
        patience: Duration,
    ) -> Result<Self, String> {
        let spec = TargetSpec::new(row, "redis");
        let connection = self.connection.at(host, port, patience)?;
        Ok(Self { connection, ..Self::new(&spec)? })
    }

    /// The connection it asks on.
    pub(super) const fn connection(&mut self) -> &mut Resp {
        &mut self.connection
    }

    /// One look.
    ///
    /// # Errors
    /// As for [`Resp::ask`], or INFO is refused.
    pub(super) async fn sample(&mut self) -> Result<CacheSample, PollError> {
        let asked = self.questions();
        self.polls += 1;
        let mut pipeline = redis::pipe();
        for ask in &asked {
            self.write(*ask, &mut pipeline);
        }
        // Several answers each: they come last.
        self.keyspace.drop_asked();
        if !self.is_refused(Ask::Inside) {
            self.keyspace.ask_inside(&mut pipeline);
        }
        let answers = self.connection.ask(&pipeline).await?;
        if self.refused_on != self.connection.opened() {
            self.refused_on = self.connection.opened();
            self.refused.clear();
        }
        let mut sample = CacheSample::default();
        let (mut clock, mut keys, single) = (None, 0, asked.len());
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
                    let database = self.connection.database();
                    keys = info.keys(Some(database)).0;
                    sample.key_sizes = info.key_sizes(database);
                    self.is_another(&sample);
                    self.keyspace.without_own(&mut sample);
                    self.guests.weigh(&sample);
                    self.keyspace.search(&sample.key_sizes);
                }
                Ask::Time => clock = time(value),
                Ask::SlowLog => sample.slow = self.recent_slow(value, clock),
                Ask::Scan => self.keyspace.take_names(value, keys),
                Ask::Clients => self.guests.take(value),
                Ask::Inside => {}
            }
        }
        sample.sentinel = self.connection.sentinel();
        sample.address = sample.sentinel.as_ref().map(|it| it.address.clone());
        sample.ping_ms = Some(answers.ping.as_secs_f64() * 1e3);
        let inside = answers.values.get(single..).unwrap_or_default();
        if let Some((code, words)) = self.keyspace.take_inside(inside) {
            self.refuse(Ask::Inside, &code, &words)?;
        }
        self.keyspace.tell(&mut sample);
        self.glance().await;
        sample.client_list = self.guests.told();
        sample.missing = self.refused.iter().map(|(_, missing)| missing.clone()).collect();
        Ok(sample)
    }

    /// Looks a few times more who is connected, while somebody comes and goes faster than we poll.
    async fn glance(&mut self) {
        if !self.guests.is_worth_glances() || self.is_refused(Ask::Clients) {
            return;
        }
        let mut pipeline = redis::pipe();
        self.write(Ask::Clients, &mut pipeline);
        for _ in 0..GLANCES {
            tokio::time::sleep(BETWEEN).await;
            // What is wrong with the connection, the next poll tells; the right to look it finds out, too.
            let Ok(answers) = self.connection.ask(&pipeline).await else { return };
            let Some(value) = answers.values.first().filter(|it| resp::refusal(it).is_none()) else { return };
            self.guests.take(value);
        }
    }

    fn questions(&self) -> Vec<Ask> {
        let mut asked = vec![Ask::Info, Ask::SlowLog];
        if self.next_slow.is_none() && !self.is_refused(Ask::SlowLog) {
            asked.insert(0, Ask::Time);
        }
        if Keyspace::is_time(self.polls) {
            asked.push(Ask::Scan);
        }
        if self.guests.is_time() {
            asked.push(Ask::Clients);
        }
        asked.retain(|ask| !self.is_refused(*ask));
        asked
    }

    fn is_refused(&self, ask: Ask) -> bool {
        self.refused.iter().any(|(refused, _)| *refused == ask)
    }

    fn write(&self, ask: Ask, pipeline: &mut Pipeline) {
        match ask {
            Ask::Info => {
                pipeline.cmd("INFO").arg("all");
            }
            Ask::Time => {
                pipeline.cmd("TIME");
            }
            Ask::SlowLog => {
                pipeline.cmd("SLOWLOG").arg("GET").arg(32);
            }
            Ask::Scan => self.keyspace.ask_names(pipeline),
            Ask::Clients => {
                pipeline.cmd("CLIENT").arg("LIST");
            }
            Ask::Inside => {}
        }
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
            Ask::Clients => ("who is connected", "ACL SETUSER <user> +client|list"),
            Ask::Inside => {
                ("types, sizes and expiry of keys", "ACL SETUSER <user> +type +pttl +memory|usage")
            }
        };
        let why = match code {
            "NOPERM" => format!("refused ({code} {words}); mend: {rule}"),
            // A service that withholds a command renames it away; there is no rule that brings it back.
            _ => format!("the server does not offer it ({code} {words})"),
        };
        self.refused.push((ask, Missing::new(what, &why)));
        Ok(())
    }

    /// Forgets what was learnt of another server, or of this one before it was started again.
    fn is_another(&mut self, sample: &CacheSample) {
        if self.run_id != sample.run_id.as_str() {
            sample.run_id.as_str().clone_into(&mut self.run_id);
            self.next_slow = None;
            self.keyspace.forget();
            self.guests.forget();
            self.slow.clear();
        }
    }

    /// The entries of the last moments, newest first.
    fn recent_slow(&mut self, value: &Value, clock: Option<Timestamp>) -> Vec<SlowCommand> {
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
}

/// The answer to TIME: seconds and microseconds.
fn time(value: &Value) -> Option<Timestamp> {
    let [seconds, micros] = resp::list(value) else { return None };
    let micros = resp::whole(seconds)?.checked_mul(1_000_000)?.checked_add(resp::whole(micros)?)?;
    Some(Timestamp::from_micros(micros))
}

//! How old the job at the head of a queue is: by the time it carries, else by how long it has been seen there.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::resp;
use crate::model::{QueueAge, Timestamp};

/// Queues read of one target; the rest is told as left out.
pub(super) const QUEUES: usize = 500;

/// Why an age is not known when the clock is refused.
const NO_CLOCK: &str = "TIME is refused, so ages cannot be told; mend: ACL SETUSER <user> +time";

/// The server's clock, carried on between polls by this machine's steady one.
#[derive(Default)]
pub(super) struct ServerClock(Option<(Timestamp, Instant)>);

impl ServerClock {
    /// Takes the answer to TIME.
    pub(super) fn take(&mut self, value: &Value) {
        let [seconds, micros] = resp::list(value) else { return };
        if let (Some(seconds), Some(micros)) = (resp::whole(seconds), resp::whole(micros)) {
            let at = Timestamp::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros));
            self.0 = Some((at, Instant::now()));
        }
    }

    /// The server's time now.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.0.map(|(at, seen)| at.plus(seen.elapsed()))
    }

    /// Now in whole seconds, as the upper end of a range of scores; before the clock is known, none.
    pub(super) fn score(&self) -> String {
        self.now().map_or_else(|| "-inf".to_owned(), |now| now.as_seconds().to_string())
    }

    /// As [`Self::score`], in milliseconds.
    pub(super) fn score_millis(&self) -> String {
        self.now().map_or_else(|| "-inf".to_owned(), |now| (now.as_micros() / 1_000).to_string())
    }

    /// How long ago a job was due, seconds, by the earliest `(member, score)` of a sorted set whose
    /// scores are times, `unit` of them a second; `None` when its time is still to come.
    pub(super) fn overdue(&self, first: &Value, unit: f64) -> Option<f64> {
        let due: f64 = resp::text(resp::list(first).get(1)?)?.parse().ok()?;
        #[expect(clippy::cast_precision_loss, reason = "a time of this century in seconds is exact")]
        let now = self.now()?.as_micros() as f64 / 1e6;
        Some(now - due / unit).filter(|late| *late > 0.0)
    }

    /// Seconds since `at`, never negative.
    pub(super) fn since(&self, at: Timestamp) -> Option<f64> {
        self.now().map(|now| now.seconds_since(at).max(0.0))
    }

    /// The age of something put in at `since`; a clock that runs ahead makes no negative age.
    pub(super) fn age(&self, since: Timestamp) -> QueueAge {
        match self.now() {
            Some(now) => QueueAge::Exact(now.seconds_since(since).max(0.0)),
            None => QueueAge::Unknown(NO_CLOCK.into()),
        }
    }
}

/// Since when each head has been in its place.
#[derive(Default)]
pub(super) struct Residency(HashMap<String, (u64, Instant, bool)>);

impl Residency {
    /// Starts a round; what [`Self::seen`] does not mention before the next one is forgotten.
    pub(super) fn begin(&mut self) {
        self.0.retain(|_, (_, _, fresh)| std::mem::replace(fresh, false));
    }

    /// For how long at least this very job has been at this place.
    pub(super) fn seen(&mut self, place: &str, job: &[u8]) -> Duration {
        let mut hasher = DefaultHasher::new();
        job.hash(&mut hasher);
        let (now, identity) = (Instant::now(), hasher.finish());
        let held = self.0.entry(place.to_owned()).or_insert((identity, now, true));
        if held.0 != identity {
            (held.0, held.1) = (identity, now);
        }
        held.2 = true;
        held.1.elapsed()
    }
}

/// Names under which jobs carry the time they were put in, the surest first.
const CARRIED: [&str; 11] = [
    "enqueued_at",
    "sentry-task-enqueued-time",
    "sent_at",
    "scout_task_start",
    "enqueuedAt",
    "queued_at",
    "pushedAt",
    "message_timestamp",
    "created_at",
    "createdAt",
    "timestamp",
];

/// When a job says it was put in: at the top of its JSON, or among its headers.
pub(super) fn carried(job: &[u8]) -> Option<Timestamp> {
    let job: serde_json::Value = serde_json::from_slice(job).ok()?;
    [Some(&job), job.get("headers")]
        .into_iter()
        .flatten()
        .find_map(|fields| CARRIED.iter().find_map(|name| moment(fields.get(name)?)))
}

/// A moment as queues write it: a number of seconds, or of milli-, micro- or nanoseconds, or RFC 3339 text.
fn moment(value: &serde_json::Value) -> Option<Timestamp> {
    match value {
        serde_json::Value::Number(number) => from_number(number.as_f64()?),
        serde_json::Value::String(text) => from_text(text),
        _ => None,
    }
}

/// As [`moment`], from text.
pub(super) fn from_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    // Python writes a naive UTC time when nobody tells it otherwise.
    text.parse().ok().or_else(|| format!("{}Z", text.replace(' ', "T")).parse().ok())
}

/// The unit follows from the size: these ranges meet nowhere between 1973 and 2286.
fn from_number(number: f64) -> Option<Timestamp> {
    let micros = match number {
        n if !(1e8..1e19).contains(&n) => return None,
        n if n < 1e11 => n * 1e6,
        n if n < 1e14 => n * 1e3,
        n if n < 1e17 => n,
        n => n / 1e3,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
    Some(Timestamp::from_micros(micros as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::{each_torn, each_torn_text};

    #[test]
    fn a_moment_is_understood_in_every_unit_in_use() {
        let expected: Timestamp = "2025-11-21T03:41:34.500Z".parse().expect("a time");
        for text in [
            "1763696494.5",
            "1763696494500",
            "1763696494500000",
            "1763696494500000000",
            "2025-11-21T03:41:34.500000Z",
            "2025-11-21 03:41:34.5",
            "2025-11-21T04:41:34.5+01:00",
        ] {
            assert_eq!(from_text(text), Some(expected), "{text}");
        }
        assert_eq!(from_text("17"), None);
        assert_eq!(from_text("soon"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_changes_starts_anew() {
        let mut residency = Residency::default();
        residency.begin();
        residency.seen("q", b"a");
        tokio::time::advance(Duration::from_secs(5)).await;
        residency.begin();
        assert_eq!(residency.seen("q", b"a"), Duration::from_secs(5));
        residency.begin();
        assert_eq!(residency.seen("q", b"b"), Duration::ZERO);
        residency.begin();
        residency.begin();
        assert!(residency.0.is_empty());
    }

    #[test]
    fn torn_jobs_tell_a_moment_or_none() {
        let job = r#"{"class":"A","headers":{"sent_at":"2025-11-21T03:41:34.5"},"created_at":1763696494.5}"#;
        each_torn(job.as_bytes(), |torn| {
            carried(torn);
        });
        let clock = ServerClock::default();
        for text in ["2025-11-21T04:41:34.5+01:00", "2025-11-21 03:41:34.5", "1763696494500000"] {
            each_torn_text(text, |torn| drop(from_text(torn).map(|since| clock.age(since))));
        }
    }
}

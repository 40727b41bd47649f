//! Jobs put off, looked at now and then: some of them failed and wait to be tried again.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::heads::{QUEUES, ServerClock};
use super::resp;
use crate::model::{NotedJob, Queue, SafeText, Timestamp};

/// Of each queue, about how many are looked at.
pub(super) const LOOKED_AT: usize = 8;
/// Queues looked at in one poll, and how long one is left alone after it.
const AT_ONCE: usize = 8;
const REST: Duration = Duration::from_secs(5);
/// A job that is due later than this is no trouble now, however often it failed; seconds.
const SOON: f64 = 600.0;

/// What the last look at each queue told.
#[derive(Default)]
pub(super) struct PutOff {
    told: HashMap<String, (Instant, Option<NotedJob>)>,
    wanted: Vec<String>,
}

impl PutOff {
    /// Begins a poll.
    pub(super) fn begin(&mut self) {
        self.wanted.clear();
        if self.told.len() > 2 * QUEUES {
            self.told.clear();
        }
    }

    /// Notes how many jobs of a queue are put off.
    pub(super) fn count(&mut self, queue: &str, count: Option<u64>) {
        if count.is_none_or(|count| count == 0) {
            self.told.remove(queue);
        } else if self.wanted.len() < AT_ONCE
            && self.told.get(queue).is_none_or(|(at, _)| at.elapsed() >= REST)
        {
            self.wanted.push(queue.to_owned());
        }
    }

    /// The queues to look at in this poll.
    pub(super) fn wanted(&self) -> &[String] {
        &self.wanted
    }

    /// Takes what was seen of a queue: names, and how often each was handed out.
    pub(super) fn take(&mut self, queue: &str, seen: impl Iterator<Item = (String, u64)>) {
        let worst = seen.filter(|(_, tries)| *tries > 1).max_by_key(|(_, tries)| *tries);
        let worst = worst.map(|(name, tries)| NotedJob {
            name: SafeText::new(&name),
            tries: Some(tries),
            ..NotedJob::default()
        });
        self.told.insert(queue.to_owned(), (Instant::now(), worst));
    }

    /// Notes it on the queues.
    pub(super) fn tell(&self, queues: &mut [Queue]) {
        for queue in queues {
            let Some((_, Some(job))) = self.told.get(queue.name.as_str()) else { continue };
            if job.tries > queue.returning.as_ref().and_then(|it| it.tries) {
                queue.returning = Some(job.clone());
            }
        }
    }
}

/// Whether a job is due before long; one without a time is.
pub(super) fn is_soon(due: Option<Timestamp>, clock: &ServerClock) -> bool {
    due.zip(clock.now()).is_none_or(|(due, now)| due.seconds_since(now) < SOON)
}

/// The values of one HSCAN.
pub(super) fn values(answer: &Value) -> impl Iterator<Item = &[u8]> {
    let pairs = resp::list(answer).get(1).map(resp::list).unwrap_or_default();
    pairs.chunks(2).filter_map(|pair| resp::bytes(pair.get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_handed_out_most_often_is_told_until_nothing_is_put_off() {
        let mut put_off = PutOff::default();
        let told = |put_off: &PutOff| {
            let mut queues = [Queue { name: "mail".into(), ..Queue::default() }];
            put_off.tell(&mut queues);
            queues[0].returning.as_ref().and_then(|job| job.tries)
        };
        put_off.begin();
        put_off.count("mail", Some(3));
        assert_eq!(put_off.wanted(), ["mail"]);
        put_off.take("mail", [("a".to_owned(), 1), ("b".to_owned(), 7), ("c".to_owned(), 2)].into_iter());
        assert_eq!(told(&put_off), Some(7));
        put_off.begin();
        put_off.count("mail", Some(3));
        assert!(put_off.wanted().is_empty(), "just looked");
        tokio::time::advance(REST).await;
        put_off.count("mail", Some(3));
        assert_eq!(put_off.wanted(), ["mail"]);
        put_off.count("mail", Some(0));
        assert_eq!(told(&put_off), None);
    }
}

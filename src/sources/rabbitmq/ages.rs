//! How long the oldest message has waited at least, by counting. Pure.
//!
//! Of the `r` messages that wait, one is at least as old as the `r`-th newest that was ever put in, whatever
//! order they were taken in. When that one was put in is known from the counter's course.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// The counters of a queue and of its senders are told at different times, up to this far apart.
const LAG: Duration = Duration::from_secs(6);
/// Points kept of a counter's course; older ones are thinned out.
const POINTS: usize = 64;

/// What was seen of each queue.
#[derive(Default)]
pub(super) struct Ages(HashMap<String, Course>);

#[derive(Default)]
struct Course {
    /// How many had been put in, at times; only where that grew.
    added: VecDeque<(Instant, u64)>,
    /// How many waited, over the last seconds.
    ready: VecDeque<(Instant, u64)>,
    fresh: bool,
}

impl Ages {
    /// Starts a round; a queue that is not met before the next one is forgotten.
    pub(super) fn begin(&mut self) {
        self.0.retain(|_, course| std::mem::replace(&mut course.fresh, false));
    }

    /// Seconds that the oldest of `ready` waiting messages has waited at least.
    ///
    /// `added` counts the messages ever put in; `None` where nobody counts them.
    pub(super) fn at_least(&mut self, queue: &str, at: Instant, added: Option<u64>, ready: u64) -> f64 {
        let course = self.0.entry(queue.to_owned()).or_default();
        course.fresh = true;
        course.take(at, added, ready);
        course.oldest(at).unwrap_or(0.0)
    }
}

impl Course {
    fn take(&mut self, at: Instant, added: Option<u64>, ready: u64) {
        self.ready.push_back((at, ready));
        // The last of those older than the lag stays: it is what the counter has caught up with.
        while self.ready.get(1).is_some_and(|(then, _)| at.duration_since(*then) >= LAG) {
            self.ready.pop_front();
        }
        let Some(added) = added else {
            self.added.clear();
            return;
        };
        match self.added.back() {
            Some((_, before)) if *before == added => return,
            // Counted anew: the server was started again.
            Some((_, before)) if *before > added => {
                self.added.clear();
                self.ready.drain(..self.ready.len() - 1);
            }
            _ => {}
        }
        self.added.push_back((at, added));
        if self.added.len() > POINTS {
            self.thin(at);
        }
    }

    /// Drops the point that is missed least: those that stay lie the closer the younger they are. A point
    /// that is gone makes the bound lower, never wrong.
    fn thin(&mut self, at: Instant) {
        let between = |n: usize| {
            let (before, here, after) =
                (self.added.get(n - 1)?.0, self.added.get(n)?.0, self.added.get(n + 1)?.0);
            let age = at.duration_since(here).as_secs_f64().max(0.001);
            Some((n, after.duration_since(before).as_secs_f64() / age))
        };
        let least = (1..self.added.len() - 1).filter_map(between).min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((n, _)) = least {
            self.added.remove(n);
        }
    }

    fn oldest(&self, at: Instant) -> Option<f64> {
        let (then, before) = self.ready.front()?;
        let (_, now) = self.ready.back()?;
        let waiting = (*before).min(*now);
        if waiting == 0 || at.duration_since(*then) < LAG {
            return None;
        }
        let (_, last) = self.added.back()?;
        let oldest = (last + 1).saturating_sub(waiting);
        let (since, _) = self.added.iter().find(|(_, count)| *count >= oldest)?;
        Some(at.duration_since(*since).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(told: &[(u64, Option<u64>, u64)]) -> Vec<u64> {
        let begin = Instant::now();
        let mut ages = Ages::default();
        let mut out = Vec::new();
        for (second, added, ready) in told {
            ages.begin();
            let at = begin + Duration::from_secs(*second);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
            out.push(ages.at_least("q", at, *added, *ready).round() as u64);
        }
        out
    }

    #[test]
    fn the_newest_that_wait_bound_the_age_of_the_oldest() {
        // 10 a second put in, 5 a second taken. At 40 s there were 200, and 200 still count at 50 s: the
        // oldest is no younger than the 301st of 500, which was there at 35 s.
        let steady: Vec<_> = (0..=10).map(|n| (n * 5, Some(n * 50), n * 25)).collect();
        let ages = course(&steady);
        assert_eq!(ages[..3], [0, 0, 0], "the counters must have met first");
        assert_eq!(ages[10], 15, "{ages:?}");
        // Nothing moves: as old as it has been seen.
        assert_eq!(
            course(&[(0, Some(9), 3), (5, Some(9), 3), (10, Some(9), 3), (60, Some(9), 3)])[2..],
            [10, 60]
        );
    }

    #[test]
    fn nothing_is_made_up() {
        // A burst whose counter comes late, a queue that was drained, a server that was started again.
        assert_eq!(course(&[(0, Some(0), 0), (60, Some(0), 1_000), (65, Some(1_000), 1_000)]), [0, 0, 0]);
        assert_eq!(
            course(&[(0, Some(9), 9), (60, Some(9), 9), (65, Some(9), 0), (70, Some(10), 1)])[2..],
            [0, 0]
        );
        assert_eq!(course(&[(0, Some(900), 9), (60, Some(900), 9), (65, Some(3), 3)])[1..], [60, 0]);
        assert_eq!(course(&[(0, None, 9), (60, None, 9)]), [0, 0], "nobody counts");
    }

    #[test]
    fn a_long_course_stays_short_and_true() {
        let told: Vec<_> = (0..1_000).map(|n| (n * 5, Some(n), 500)).collect();
        let age = course(&told)[999];
        assert!((1_500..=2_500).contains(&age), "{age}: 500 messages, one in five seconds");
    }
}

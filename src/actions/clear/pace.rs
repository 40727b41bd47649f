//! How fast a clear goes: by what it costs the server, and by what another client feels.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::probe::Probe;
use crate::model::Pace;

/// Keys a batch looks at, at least, however slowed down.
const FEWEST_BRAKED: f64 = 10.0;
/// How far a clear is slowed down at most.
const SLOWEST: f64 = 0.1;
/// A usual PING slower than this, or three times slower than before the clear, slows it down.
const SLOW: Duration = Duration::from_millis(2);
/// Batches from which the cost of a key is learnt: a quick one of them, for on a busy machine
/// most have waited for a processor, which costs the server nothing.
const LEARNT_FROM: usize = 16;
/// Rests shorter than this are saved up: the system wakes nobody sooner.
const SHORTEST_REST: f64 = 40e-6;

/// What one pace allows.
struct Limits {
    /// Keys a batch looks at, at least, while nobody complains: what a trip costs besides the keys is
    /// noise, and must not be taken for a reason to make more trips.
    fewest: f64,
    /// Keys a batch looks at, at most: more would only hold others up for longer.
    most: f64,
    /// Server time a batch should take, seconds: all of it is one turn of the server, which others wait for.
    batch: f64,
}

/// A batch's way there and back is rest enough while nobody complains: measured against shorter batches with
/// rests, others wait no longer, and it is over sooner.
const fn limits(pace: Pace) -> Limits {
    match pace {
        Pace::Gentle => Limits { fewest: 140.0, most: 280.0, batch: 140e-6 },
        Pace::Full => Limits { fewest: 400.0, most: 1000.0, batch: 400e-6 },
    }
}

/// Keys a batch, rests between batches.
#[derive(Debug)]
pub(super) struct Course {
    pace: Pace,
    keys: f64,
    /// 1 at full pace, less while others feel it.
    brake: f64,
    /// Seconds of server time a key cost in the last batches.
    costs: VecDeque<f64>,
    /// Rest not yet taken, seconds.
    owed: f64,
    baseline: Duration,
    /// When the last batch was taken in.
    last: Option<Instant>,
    braked: Option<Instant>,
}

impl Course {
    /// Begins slowly; `baseline` is the way there and back, which costs the server nothing.
    pub(super) const fn new(pace: Pace, baseline: Duration) -> Self {
        Self {
            pace,
            keys: 50.0,
            brake: 1.0,
            costs: VecDeque::new(),
            owed: 0.0,
            baseline,
            last: None,
            braked: None,
        }
    }

    /// How many batches fit on the way there and back.
    pub(super) fn trips(&self) -> f64 {
        self.baseline.as_secs_f64() / limits(self.pace).batch
    }

    /// Goes on at this pace.
    pub(super) const fn set(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Keys the next batch looks at.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 10 and 1000")]
    pub(super) const fn keys(&self) -> u32 {
        self.keys as u32
    }

    /// Slowed down because others feel it.
    pub(super) const fn is_braked(&self) -> bool {
        self.brake < 0.9
    }

    /// Learns from a batch of so many keys and what it cost the server; the rest to take before the next.
    pub(super) fn after(&mut self, took: Duration, keys: u32, probe: &Probe, now: Instant) -> Duration {
        let keys = f64::from(keys.max(1));
        let cost = self.learn(took.as_secs_f64() / keys, probe, now);
        let Limits { fewest, most, batch } = limits(self.pace);
        let past = self.last.replace(now).map_or(0.0, |last| now.duration_since(last).as_secs_f64());
        // What came late is made up for by the next two at most: no burst follows a pause.
        let due = cost * keys / self.brake;
        self.owed = (self.owed + due - past).max(-2.0 * due);
        self.keys = ((batch / cost.max(1e-9)).clamp(fewest, most) * self.brake).max(FEWEST_BRAKED);
        let rests = self.is_braked() && self.owed >= SHORTEST_REST;
        if rests { Duration::from_secs_f64(self.owed.min(0.1)) } else { Duration::ZERO }
    }

    /// The cost of a key, seconds; and whether to brake.
    fn learn(&mut self, cost: f64, probe: &Probe, now: Instant) -> f64 {
        if self.costs.len() == LEARNT_FROM {
            self.costs.pop_front();
        }
        self.costs.push_back(cost);
        if self.pace == Pace::Gentle && probe.usual() > (self.baseline * 3).max(SLOW) {
            if self.braked.is_none_or(|at| now.duration_since(at) >= Duration::from_millis(200)) {
                self.braked = Some(now);
                self.brake = (self.brake / 2.0).max(SLOWEST);
            }
        } else {
            self.brake = (self.brake * 1.02).min(1.0);
        }
        let mut sorted: Vec<_> = self.costs.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 4).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_batch_that_waited_for_a_processor_changes_nothing_and_slow_pings_do() {
        let begin = Instant::now();
        let baseline = Duration::from_micros(100);
        let (mut course, probe) = (Course::new(Pace::Gentle, baseline), Probe::default());
        for _ in 0..LEARNT_FROM {
            let keys = course.keys();
            course.after(Duration::from_nanos(750) * keys, keys, &probe, begin);
        }
        let usual = course.keys();
        assert!((185..188).contains(&usual), "140 us at 0.75 us a key: {usual}");
        course.after(Duration::from_millis(30), usual, &probe, begin);
        assert_eq!(course.keys(), usual);

        for _ in 0..2 {
            probe.felt(Duration::from_millis(50));
        }
        for n in 1..=50 {
            let keys = course.keys();
            let now = begin + Duration::from_millis(300) * n;
            course.after(Duration::from_nanos(750) * keys, keys, &probe, now);
        }
        assert!(course.keys() < usual / 4, "others suffer and it goes on: {}", course.keys());
        assert!(course.is_braked());
    }

    #[test]
    fn a_braked_clear_leaves_most_of_the_time_to_others() {
        let (mut course, probe) = (Course::new(Pace::Gentle, Duration::ZERO), Probe::default());
        let (mut busy, mut now) = (Duration::ZERO, Instant::now());
        for _ in 0..2 {
            probe.felt(Duration::from_millis(50));
        }
        let mut begin = now;
        for n in 0..20_000 {
            let keys = course.keys();
            let took = Duration::from_nanos(500) * keys;
            now += took;
            busy += took;
            let rest = course.after(took, keys, &probe, now);
            if !rest.is_zero() {
                // The system wakes everybody a little late.
                now += rest + Duration::from_micros(55);
            }
            if n == 10_000 {
                // By now it is as slow as it can be.
                (begin, busy) = (now, Duration::ZERO);
            }
        }
        let share = busy.as_secs_f64() / now.duration_since(begin).as_secs_f64();
        assert!((share - SLOWEST).abs() < 0.02, "{share}");
    }
}

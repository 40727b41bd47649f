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
    /// Share of the server's time a clear takes.
    duty: f64,
}

const fn limits(pace: Pace) -> Limits {
    match pace {
        Pace::Gentle => Limits { fewest: 50.0, most: 250.0, batch: 80e-6, duty: 0.6 },
        Pace::Full => Limits { fewest: 400.0, most: 1000.0, batch: 400e-6, duty: 1.0 },
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
    braked: Option<Instant>,
}

impl Course {
    /// Begins slowly; `baseline` is the way there and back, which costs the server nothing.
    pub(super) const fn new(pace: Pace, baseline: Duration) -> Self {
        Self { pace, keys: 100.0, brake: 1.0, costs: VecDeque::new(), owed: 0.0, baseline, braked: None }
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

    /// Learns from a batch; the rest to take before the next one.
    pub(super) fn after(&mut self, took: Duration, probe: &Probe, now: Instant) -> Duration {
        let cost = self.learn(took, probe.usual(), now);
        let Limits { fewest, most, batch, duty } = limits(self.pace);
        // What a batch took besides the server's own time was rest for the server.
        self.owed += cost * self.keys / (duty * self.brake) - took.as_secs_f64();
        self.owed = self.owed.max(-1e-3);
        self.keys = ((batch / cost.max(1e-9)).clamp(fewest, most) * self.brake).max(FEWEST_BRAKED);
        if self.owed < SHORTEST_REST { Duration::ZERO } else { Duration::from_secs_f64(self.owed.min(0.1)) }
    }

    /// A rest was taken, and took this long.
    pub(super) fn rested(&mut self, took: Duration) {
        self.owed -= took.as_secs_f64();
    }

    /// The cost of a key, seconds; and whether to brake.
    fn learn(&mut self, took: Duration, usual: Duration, now: Instant) -> f64 {
        if self.costs.len() == LEARNT_FROM {
            self.costs.pop_front();
        }
        self.costs.push_back(took.saturating_sub(self.baseline).as_secs_f64() / self.keys);
        if self.pace == Pace::Gentle && usual > (self.baseline * 3).max(SLOW) {
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
            let took = baseline + Duration::from_nanos(750) * course.keys();
            course.after(took, &probe, begin);
        }
        let usual = course.keys();
        assert!((99..120).contains(&usual), "80 us at 0.75 us a key: {usual}");
        course.after(Duration::from_millis(30), &probe, begin);
        assert_eq!(course.keys(), usual);

        for _ in 0..2 {
            probe.felt(Duration::from_millis(50));
        }
        for n in 1..=50 {
            course.after(Duration::from_micros(180), &probe, begin + Duration::from_millis(300) * n);
        }
        assert!(course.keys() < usual / 4, "others suffer and it goes on: {}", course.keys());
        assert!(course.is_braked());
    }

    #[test]
    fn a_gentle_clear_leaves_time_to_others_and_a_full_one_nothing() {
        for (pace, share) in [(Pace::Gentle, 0.6), (Pace::Full, 1.0)] {
            let (mut course, probe) = (Course::new(pace, Duration::ZERO), Probe::default());
            let (mut busy, mut idle, now) = (Duration::ZERO, Duration::ZERO, Instant::now());
            for _ in 0..1_000 {
                let took = Duration::from_nanos(500) * course.keys();
                let rest = course.after(took, &probe, now);
                // The system wakes everybody a little late.
                let slept = if rest.is_zero() { rest } else { rest + Duration::from_micros(55) };
                course.rested(slept);
                busy += took;
                idle += slept;
            }
            let took = busy.as_secs_f64() / (busy + idle).as_secs_f64();
            assert!((took - share).abs() < 0.02, "{pace:?}: {took}");
        }
    }
}

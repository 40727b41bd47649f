//! How fast a clear goes: by what it costs the server, and by what another client feels.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::lanes::Sent;
use super::probe::Probe;
use crate::model::Pace;

/// Keys a batch looks at, at least, however slowed down.
const FEWEST_BRAKED: f64 = 10.0;
/// Removing a key costs the server as much as looking at so many, what it reads and writes for it included.
const REMOVAL: f64 = 2.0;
/// Share of a batch that is looking, at least, however many removals ride with it.
const LOOKING: f64 = 0.35;
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
    /// Work of a batch, in keys looked at, at least, while nobody complains: what a trip costs besides is
    /// noise, and must not be taken for a reason to make more trips.
    fewest: f64,
    /// Work of a batch at most: more would only hold others up for longer.
    most: f64,
    /// Server time a batch should take, seconds: all of it is one turn of the server, which others wait for.
    batch: f64,
}

/// A way there and back longer than this is worth more keys a turn.
const NEAR: Duration = Duration::from_micros(200);

/// A batch's way there and back is rest enough while nobody complains: rests halve the speed, and others wait
/// hardly less. What they feel is the length of a turn: on a busy machine 15 requests in a thousand took over
/// 0.5 ms without a clear, 23 beside turns of 60 us, 44 beside turns of 100 us, and neither was over sooner.
fn limits(pace: Pace, way: Duration) -> Limits {
    match pace {
        Pace::Gentle if way <= NEAR => Limits { fewest: 60.0, most: 280.0, batch: 50e-6 },
        Pace::Gentle => Limits { fewest: 100.0, most: 280.0, batch: 100e-6 },
        Pace::Full => Limits { fewest: 480.0, most: 1200.0, batch: 400e-6 },
    }
}

/// Keys a batch, rests between batches.
#[derive(Debug)]
pub(super) struct Course {
    pace: Pace,
    /// Of the next batch, in keys looked at.
    work: f64,
    /// 1 at full pace, less while others feel it.
    brake: f64,
    /// Seconds of server time a key looked at cost in the last batches.
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
            work: 50.0,
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
        self.baseline.as_secs_f64() / limits(self.pace, self.baseline).batch
    }

    /// Goes on at this pace.
    pub(super) const fn set(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Keys the next batch looks at, in one turn of the server with so many removals.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 10 and 1200")]
    pub(super) fn keys(&self, doomed: u64) -> u32 {
        (self.work - REMOVAL * doomed as f64).max(self.work * LOOKING).max(FEWEST_BRAKED) as u32
    }

    /// Slowed down because others feel it.
    pub(super) const fn is_braked(&self) -> bool {
        self.brake < 0.9
    }

    /// Learns from a batch and what it cost the server; the rest to take before the next.
    pub(super) fn after(&mut self, took: Duration, sent: &Sent, probe: &Probe, now: Instant) -> Duration {
        let work = f64::from(sent.keys.max(1)) + REMOVAL * sent.doomed as f64;
        let cost = self.learn(took.as_secs_f64() / work, probe, now);
        let Limits { fewest, most, batch } = limits(self.pace, self.baseline);
        let past = self.last.replace(now).map_or(0.0, |last| now.duration_since(last).as_secs_f64());
        // What came late is made up for by the next two at most: no burst follows a pause.
        let due = cost * work / self.brake;
        self.owed = (self.owed + due - past).max(-2.0 * due);
        self.work = ((batch / cost.max(1e-9)).clamp(fewest, most) * self.brake).max(FEWEST_BRAKED);
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

    fn sent(keys: u32, doomed: u64) -> Sent {
        Sent { doomed, lane: Some(0), keys, at: Instant::now() }
    }

    #[test]
    fn a_turn_with_many_removals_is_no_longer_than_one_with_few() {
        let (mut course, probe) = (Course::new(Pace::Gentle, Duration::ZERO), Probe::default());
        for one_of in [None, Some(10), Some(1)] {
            let mut doomed = 0;
            for turn in 0..50 {
                let keys = course.keys(doomed);
                let took = f64::from(keys) * 0.8e-6 + doomed as f64 * 1.6e-6;
                // The first turns learn, and remove what a larger one found.
                assert!(turn < 5 || (35e-6..=65e-6).contains(&took), "{one_of:?}: {took}");
                course.after(Duration::from_secs_f64(took), &sent(keys, doomed), &probe, Instant::now());
                doomed = one_of.map_or(0, |of| u64::from(keys / of));
            }
        }
    }

    #[test]
    fn one_batch_that_waited_for_a_processor_changes_nothing_and_slow_pings_do() {
        let begin = Instant::now();
        let baseline = Duration::from_micros(100);
        let (mut course, probe) = (Course::new(Pace::Gentle, baseline), Probe::default());
        for _ in 0..LEARNT_FROM {
            let keys = course.keys(0);
            course.after(Duration::from_nanos(750) * keys, &sent(keys, 0), &probe, begin);
        }
        let usual = course.keys(0);
        assert!((65..68).contains(&usual), "50 us at 0.75 us a key: {usual}");
        course.after(Duration::from_millis(30), &sent(usual, 0), &probe, begin);
        assert_eq!(course.keys(0), usual);

        for _ in 0..2 {
            probe.felt(Duration::from_millis(50));
        }
        for n in 1..=50 {
            let keys = course.keys(0);
            let now = begin + Duration::from_millis(300) * n;
            course.after(Duration::from_nanos(750) * keys, &sent(keys, 0), &probe, now);
        }
        assert!(course.keys(0) < usual / 4, "others suffer and it goes on: {}", course.keys(0));
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
            let keys = course.keys(0);
            let took = Duration::from_nanos(500) * keys;
            now += took;
            busy += took;
            let rest = course.after(took, &sent(keys, 0), &probe, now);
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

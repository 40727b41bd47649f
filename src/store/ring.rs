//! The recent course of one value: bounded, with gaps kept as gaps.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Timestamp;

/// Points kept of one series: ten minutes at one a second.
const CAPACITY: usize = 600;

/// A bounded series of values by time; `None` is a gap (no answer), never a zero.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    points: VecDeque<(Timestamp, Option<f64>)>,
}

impl Ring {
    /// Adds a point; one that is not newer than the last is dropped.
    pub fn push(&mut self, at: Timestamp, value: Option<f64>) {
        if self.points.back().is_some_and(|(last, _)| *last >= at) {
            return;
        }
        if self.points.len() == CAPACITY {
            self.points.pop_front();
        }
        self.points.push_back((at, value.filter(|value| value.is_finite())));
    }

    /// The newest point.
    #[must_use]
    pub fn last(&self) -> Option<(Timestamp, Option<f64>)> {
        self.points.back().copied()
    }

    /// All points, oldest first.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = (Timestamp, Option<f64>)> + '_ {
        self.points.iter().copied()
    }

    /// Microseconds from one point to the next, on the whole.
    fn spacing(&self) -> i64 {
        let span = self
            .points
            .back()
            .zip(self.points.front())
            .map(|(last, first)| last.0.as_micros() - first.0.as_micros());
        let steps = i64::try_from(self.points.len()).unwrap_or(i64::MAX).saturating_sub(1).max(1);
        span.unwrap_or(0) / steps
    }

    /// The last `columns` steps of `step` up to `now`, oldest first: each the greatest value seen in
    /// its step, or a gap where none was. Steps are aligned to the clock, so columns stay put while time passes.
    #[must_use]
    pub fn columns(&self, now: Timestamp, step: Duration, columns: usize) -> Vec<Option<f64>> {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        let newest = now.as_micros().div_euclid(step);
        let mut out = vec![None; columns];
        let mut is_gap = vec![false; columns];
        for (at, value) in self.points.iter().rev() {
            let back = newest - at.as_micros().div_euclid(step);
            let Ok(back) = usize::try_from(back) else { continue };
            if back >= columns {
                break;
            }
            if let Some(value) = value {
                let slot: &mut Option<f64> = &mut out[columns - 1 - back];
                *slot = Some(slot.map_or(*value, |seen: f64| seen.max(*value)));
            } else {
                is_gap[columns - 1 - back] = true;
            }
        }
        bridge(&mut out, &is_gap, usize::try_from(self.spacing() * 3 / 2 / step).unwrap_or(0));
        out
    }
}

/// Carries a value over at most so many columns in which nobody was due to answer, where polls come more
/// seldom than columns. Where an answer was missed, the gap stays.
fn bridge(columns: &mut [Option<f64>], is_gap: &[bool], most: usize) {
    let mut last: Option<usize> = None;
    for at in 0..columns.len() {
        if is_gap[at] {
            last = None;
        }
        if columns[at].is_none() {
            continue;
        }
        if let Some(before) = last.filter(|before| at - before <= most + 1) {
            let value = columns[before];
            columns[before + 1..at].fill(value);
        }
        last = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_micros(n * 1_000_000)
    }

    #[test]
    fn a_gap_stays_a_gap_and_the_ring_stays_bounded() {
        let mut ring = Ring::default();
        for n in 0..2_000 {
            ring.push(second(n), (n != 1_998).then_some(1.0));
        }
        ring.push(second(5), Some(9.0));
        assert_eq!(ring.points().count(), CAPACITY);
        let tail = ring.columns(second(1_999), Duration::from_secs(1), 3);
        assert_eq!(tail, vec![Some(1.0), None, Some(1.0)]);
        let mut slow = Ring::default();
        for n in [3, 10, 16, 21, 40] {
            slow.push(second(n), (n != 21).then_some(1.0));
        }
        let seen = slow.columns(second(44), Duration::from_secs(5), 9);
        let drawn: Vec<_> = seen.iter().map(Option::is_some).collect();
        assert_eq!(
            drawn,
            [true, true, true, true, false, false, false, false, true],
            "polls of some seconds"
        );
        let ahead = ring.columns(second(2_001), Duration::from_secs(1), 3);
        assert_eq!(ahead, vec![Some(1.0), None, None]);
    }
}

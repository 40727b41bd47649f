//! Times by how often they came: bounded, exact below 64 ms, within some 2 % above. Pure.

use crate::model::Spread;

/// Times told apart one by one, ms; above, each doubling has [`STEPS`] steps.
const EXACT: u32 = 64;
const STEPS: usize = 32;
/// What is longer counts as so long, ms: about an hour.
const LONGEST: u32 = (1 << 22) - 1;

/// How often each time came. Grows to the longest that came, 576 counts at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    steps: Vec<u32>,
    count: u64,
    sum_ms: u64,
    max_ms: u32,
}

impl Counts {
    /// Adds one time, ms.
    pub(super) fn add(&mut self, ms: u32) {
        let ms = ms.min(LONGEST);
        let at = step(ms);
        if self.steps.len() <= at {
            self.steps.resize(at + 1, 0);
        }
        self.steps[at] = self.steps[at].saturating_add(1);
        self.count += 1;
        self.sum_ms += u64::from(ms);
        self.max_ms = self.max_ms.max(ms);
    }

    /// Adds all times of another.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.steps.len() < other.steps.len() {
            self.steps.resize(other.steps.len(), 0);
        }
        for (mine, more) in self.steps.iter_mut().zip(&other.steps) {
            *mine = mine.saturating_add(*more);
        }
        self.count += other.count;
        self.sum_ms += other.sum_ms;
        self.max_ms = self.max_ms.max(other.max_ms);
    }

    /// Mean, 95th percentile and longest; `None` of nothing.
    pub(super) fn spread(&self) -> Option<Spread> {
        if self.count == 0 {
            return None;
        }
        let wanted = self.count - self.count / 20;
        let mut seen = 0;
        let p95 = self.steps.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        Some(Spread {
            count: self.count,
            mean_ms: self.sum_ms as f64 / self.count as f64,
            p95_ms: p95.map_or(self.max_ms, middle).min(self.max_ms).into(),
            max_ms: self.max_ms.into(),
        })
    }
}

fn step(ms: u32) -> usize {
    if ms < EXACT {
        return ms as usize;
    }
    let doubling = ms.ilog2();
    let within = (ms >> (doubling - STEPS.ilog2())) as usize % STEPS;
    EXACT as usize + (doubling - EXACT.ilog2()) as usize * STEPS + within
}

/// The middle of a step, ms.
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than a thousand steps")]
fn middle(step: usize) -> u32 {
    let Some(above) = step.checked_sub(EXACT as usize) else { return step as u32 };
    let width = 1_u32 << (above / STEPS + EXACT.ilog2() as usize - STEPS.ilog2() as usize);
    (STEPS + above % STEPS) as u32 * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_time_lies_near_the_middle_of_its_step(ms in 0u32..=LONGEST) {
            let near = f64::from(middle(step(ms)));
            prop_assert!((near - f64::from(ms)).abs() <= f64::from(ms) / 60.0, "{} for {}", near, ms);
            prop_assert!(step(ms) < 576);
        }
    }

    #[test]
    fn the_tail_is_told_and_the_mean_is_exact() {
        let (mut counts, mut more) = (Counts::default(), Counts::default());
        (0..90).for_each(|_| counts.add(2));
        (0..10).for_each(|_| more.add(900));
        counts.merge(&more);
        let spread = counts.spread().expect("a hundred times");
        assert_eq!((spread.count, spread.max_ms), (100, 900.0));
        assert!((spread.mean_ms - 91.8).abs() < 1e-9);
        assert!((890.0..=900.0).contains(&spread.p95_ms), "{}", spread.p95_ms);
        assert_eq!(Counts::default().spread(), None);
        let mut one = Counts::default();
        one.add(u32::MAX);
        assert!(one.spread().is_some_and(|it| it.p95_ms > 4e6));
    }
}

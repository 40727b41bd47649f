//! The last minutes, moment by moment, for stepping back: bounded by what the moments hold.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::detect::Judgement;
use crate::model::{Sample, Timestamp};
use crate::store::{Store, Target};

/// Moments kept at most.
const FRAMES: usize = 180;
/// Sessions kept over all moments: they are what takes the memory.
const WEIGHT: usize = 8_000;
/// Younger than this, every second is kept; older, one in ten.
const DENSE: Duration = Duration::from_secs(60);

/// One moment.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When.
    pub at: Timestamp,
    /// The targets as they stood; unchanged ones are shared with their neighbours.
    pub targets: Vec<Arc<Target>>,
    /// What was concluded.
    pub judgement: Judgement,
}

/// The moments that can be stepped to.
#[derive(Clone, Debug, Default)]
pub struct History {
    frames: VecDeque<(usize, Frame)>,
    weight: usize,
}

impl History {
    /// Keeps this moment, at most one a second, and thins out old ones.
    pub fn keep(&mut self, now: Timestamp, store: &Store, judgement: &Judgement) {
        if self.frames.back().is_some_and(|(_, last)| now.since(last.at) < Duration::from_millis(900)) {
            return;
        }
        let frame = Frame { at: now, targets: store.targets().to_vec(), judgement: judgement.clone() };
        let weight = weigh(&frame);
        self.weight += weight;
        self.frames.push_back((weight, frame));
        self.thin(now);
        while self.frames.len() > FRAMES || (self.weight > WEIGHT && self.frames.len() > 2) {
            if let Some((weight, _)) = self.frames.pop_front() {
                self.weight -= weight;
            }
        }
    }

    /// Drops moments that have just left the dense part, but for one in ten seconds.
    fn thin(&mut self, now: Timestamp) {
        let edge = self.frames.partition_point(|(_, frame)| now.since(frame.at) > DENSE);
        if edge >= 2 {
            let bucket = |at: Timestamp| at.as_seconds().div_euclid(10);
            if bucket(self.frames[edge - 1].1.at) == bucket(self.frames[edge - 2].1.at)
                && let Some((weight, _)) = self.frames.remove(edge - 1)
            {
                self.weight -= weight;
            }
        }
    }

    /// The moment at or just before `at`.
    pub fn at(&self, at: Timestamp) -> Option<&Frame> {
        let after = self.frames.partition_point(|(_, frame)| frame.at <= at);
        self.frames.get(after.checked_sub(1)?).map(|(_, frame)| frame)
    }

    /// The moment before `at`.
    pub fn before(&self, at: Timestamp) -> Option<&Frame> {
        let here = self.frames.partition_point(|(_, frame)| frame.at < at);
        self.frames.get(here.checked_sub(1)?).map(|(_, frame)| frame)
    }

    /// The moment after `at`.
    pub fn after(&self, at: Timestamp) -> Option<&Frame> {
        let after = self.frames.partition_point(|(_, frame)| frame.at <= at);
        self.frames.get(after).map(|(_, frame)| frame)
    }

    /// The oldest moment kept.
    pub fn oldest(&self) -> Option<&Frame> {
        self.frames.front().map(|(_, frame)| frame)
    }
}

fn weigh(frame: &Frame) -> usize {
    let rows = |target: &Arc<Target>| match target.sample.as_deref().map(|sample| &sample.it) {
        Some(Sample::Database(database)) => database.backends.len(),
        Some(Sample::Pooler(pooler)) => pooler.pools.len() + pooler.links.len() / 4,
        Some(Sample::App(app)) => 8 + app.workers.len() / 4,
        Some(Sample::Queue(queue)) => queue.queues.len(),
        _ => 8,
    };
    frame.targets.iter().map(rows).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_moments_grow_sparse_and_the_number_stays_bounded() {
        let mut history = History::default();
        let at = |s: i64| Timestamp::from_micros(s * 1_000_000);
        for second in 0..3_000 {
            history.keep(at(second), &Store::default(), &Judgement::default());
        }
        assert!(history.frames.len() <= FRAMES);
        assert_eq!(history.before(at(2_999)).map(|f| f.at), Some(at(2_998)));
        assert_eq!(history.after(at(2_998)).map(|f| f.at), Some(at(2_999)));
        let oldest = history.oldest().map(|f| f.at.as_seconds()).unwrap_or_default();
        assert!((1_700..2_500).contains(&oldest), "the oldest moment is {oldest}");
    }
}

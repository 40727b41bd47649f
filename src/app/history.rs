//! The last minutes, moment by moment, for stepping back: bounded by what the moments hold.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::detect::Judgement;
use crate::model::{Resource, ResourceState, Sample, Severity, Timestamp};
use crate::store::{Store, Target};

/// Moments kept at most.
const FRAMES: usize = 180;
/// What all moments may weigh together: about a kilobyte each.
const WEIGHT: usize = 24_000;
/// Neighbours of a moment that stand apart by this part of its age are not close together.
const SPARSE: f64 = 2.5;
/// From so many resources on, those that are well are not kept.
const CROWD: usize = 1_000;
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
        let last = self.frames.back().map(|(_, last)| last);
        // One that was not heard since is shared with the moment before.
        let known = |place: usize, target: &Target| {
            let known = last?.targets.get(place)?;
            (known.heard == target.heard && known.info.id == target.info.id).then(|| Arc::clone(known))
        };
        let each = store.targets().iter().enumerate();
        let targets = each
            .map(|(place, target)| known(place, target).unwrap_or_else(|| Arc::new(target.without_past())))
            .collect();
        let frame = Frame { at: now, targets, judgement: remembered(judgement) };
        let weight = weigh(&frame, last);
        self.weight += weight;
        self.frames.push_back((weight, frame));
        self.thin(now);
        while self.frames.len() > FRAMES {
            self.forget(0);
        }
        while self.weight > WEIGHT && self.frames.len() > 2 {
            self.forget(self.least_missed(now));
        }
    }

    /// The moment whose neighbours stand closest together for its age: what is left grows sparser the
    /// older it is, and reaches as far back as the weight allows. Never the newest.
    fn least_missed(&self, now: Timestamp) -> usize {
        let at = |place: usize| self.frames[place].1.at;
        let missed = |place: usize| at(place + 1).seconds_since(at(place - 1)) / now.seconds_since(at(place));
        let inner = 1..self.frames.len().saturating_sub(1);
        let least = inner.min_by(|a, b| missed(*a).total_cmp(&missed(*b)));
        // When nothing stands close together any more, the oldest goes.
        least.filter(|place| missed(*place) < SPARSE).unwrap_or(0)
    }

    /// Drops one moment; what it shared with the one after it is then held by that one alone.
    fn forget(&mut self, place: usize) {
        let Some((weight, _)) = self.frames.remove(place) else { return };
        self.weight -= weight;
        let before = place.checked_sub(1).and_then(|place| self.frames.get(place)).map(|(_, frame)| frame);
        if let Some((weight, after)) = self.frames.get(place) {
            let (old, new) = (*weight, weigh(after, before));
            self.weight = self.weight - old + new;
            self.frames[place].0 = new;
        }
    }

    /// Drops moments that have just left the dense part, but for one in ten seconds.
    fn thin(&mut self, now: Timestamp) {
        let edge = self.frames.partition_point(|(_, frame)| now.since(frame.at) > DENSE);
        if edge >= 2 {
            let bucket = |at: Timestamp| at.as_seconds().div_euclid(10);
            if bucket(self.frames[edge - 1].1.at) == bucket(self.frames[edge - 2].1.at) {
                self.forget(edge - 1);
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

/// A judgement as a moment keeps it: of a fleet without the thousands that were well, but for the waits.
fn remembered(judgement: &Judgement) -> Judgement {
    if judgement.resources.len() < CROWD {
        return judgement.clone();
    }
    let tells =
        |state: &&ResourceState| state.severity > Severity::Ok || state.resource == Resource::RequestQueue;
    Judgement {
        verdict: judgement.verdict.clone(),
        findings: judgement.findings.clone(),
        resources: judgement.resources.iter().filter(tells).cloned().collect(),
    }
}

/// What a moment holds that the one before it does not, in about a kilobyte.
fn weigh(frame: &Frame, before: Option<&Frame>) -> usize {
    let rows = |target: &Arc<Target>| match target.sample.as_deref().map(|sample| &sample.it) {
        Some(Sample::Database(database)) => database.backends.len(),
        Some(Sample::Pooler(pooler)) => pooler.pools.len() + pooler.links.len() / 4,
        Some(Sample::App(app)) => 8 + app.workers.len() / 4,
        Some(Sample::Queue(queue)) => queue.queues.len(),
        Some(Sample::Host(host)) => {
            3 + (host.listeners.len() + host.unix_listeners.len() + host.disks.len()) / 8
        }
        _ => 8,
    };
    // Targets stand in the same places in all moments but where one was added or forgotten.
    let shared = |place: usize, target: &Arc<Target>| {
        before.and_then(|frame| frame.targets.get(place)).is_some_and(|known| Arc::ptr_eq(known, target))
    };
    let changed = frame.targets.iter().enumerate().filter(|(place, target)| !shared(*place, target));
    let judged = (frame.judgement.resources.len() + frame.judgement.findings.len()) / 4;
    changed.map(|(_, target)| rows(target)).sum::<usize>() + judged
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

//! When to judge and when to draw: at once for a key, once a second for the rest, sooner while the
//! first answers come in, and never more often than an eye or a slow line can follow.

use std::time::Duration;

use tokio::time::Instant;

/// Between two frames that keys ask for.
const KEYS_GAP: Duration = Duration::from_millis(15);
/// Between two frames that facts ask for.
const FACTS_GAP: Duration = Duration::from_millis(100);
/// Between a fact and the judgement on it: what arrives meanwhile is judged with it.
const JUDGE_GAP: Duration = Duration::from_millis(200);
/// Of a thousand targets some answer at any time: judging them all takes at most so small a part of the time.
const JUDGING: u32 = 40;
/// However long judging takes, what came in waits no longer for it.
const JUDGE_GAP_MOST: Duration = Duration::from_secs(1);
/// From the start on, so long every first answer is shown as it comes.
const OPENING: Duration = Duration::from_secs(3);

/// What is due, and when.
#[derive(Debug)]
pub(super) struct Pace {
    opened: Instant,
    drawn: Instant,
    draw_at: Option<Instant>,
    judge_at: Option<Instant>,
    judge_gap: Duration,
}

impl Pace {
    /// Nothing is due at the start.
    pub(super) const fn new(now: Instant) -> Self {
        Self { opened: now, drawn: now, draw_at: None, judge_at: None, judge_gap: JUDGE_GAP }
    }

    /// A key was pressed or its answer came: draw as soon as may be.
    pub(super) fn key(&mut self) {
        self.draw_by(self.drawn + KEYS_GAP);
    }

    /// The verdict changed: draw soon.
    pub(super) fn news(&mut self) {
        self.draw_by(self.drawn + FACTS_GAP);
    }

    /// A fact came in: judge it soon. What it says is drawn with the next second.
    pub(super) fn fact(&mut self, now: Instant) {
        let wait = if self.opening(now) { FACTS_GAP / 4 } else { self.judge_gap };
        if self.judge_at.is_none() {
            self.judge_at = Some(now + wait);
        }
    }

    /// Whether the first answers are still coming in.
    pub(super) fn opening(&self, now: Instant) -> bool {
        now.duration_since(self.opened) < OPENING
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        match (self.draw_at, self.judge_at) {
            (Some(draw), Some(judge)) => Some(draw.min(judge)),
            (draw, judge) => draw.or(judge),
        }
    }

    /// Whether a frame is due.
    pub(super) fn draw_due(&self, now: Instant) -> bool {
        self.draw_at.is_some_and(|at| at <= now)
    }

    /// Whether a judgement is due.
    pub(super) fn judge_due(&self, now: Instant) -> bool {
        self.judge_at.is_some_and(|at| at <= now)
    }

    /// A frame was drawn.
    pub(super) const fn drew(&mut self, now: Instant) {
        self.drawn = now;
        self.draw_at = None;
    }

    /// A frame could not be sent: the next try.
    pub(super) fn stalled(&mut self, now: Instant) {
        self.draw_at = Some(now + FACTS_GAP);
    }

    /// What came in was judged, in so long.
    pub(super) fn judged(&mut self, took: Duration) {
        self.judge_at = None;
        self.judge_gap = (took * JUDGING).clamp(JUDGE_GAP, JUDGE_GAP_MOST);
    }

    fn draw_by(&mut self, at: Instant) {
        self.draw_at = Some(self.draw_at.map_or(at, |due| due.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_at_once_and_facts_are_gathered() {
        let start = Instant::now();
        let late = start + Duration::from_secs(10);
        let mut pace = Pace::new(start);
        pace.drew(late);
        let at = |ms| late + Duration::from_millis(ms);
        pace.fact(at(500));
        pace.fact(at(600));
        assert!(!pace.draw_due(at(999)), "a fact alone is drawn with the second");
        assert!(!pace.judge_due(at(699)) && pace.judge_due(at(700)));
        for (took, wait) in [(1, 200), (15, 600), (500, 1_000)] {
            pace.judged(Duration::from_millis(took));
            pace.fact(at(0));
            assert!(!pace.judge_due(at(wait - 1)) && pace.judge_due(at(wait)), "{took}");
        }
        pace.key();
        assert!(pace.draw_due(at(500)));
        pace.drew(at(500));
        pace.key();
        assert!(!pace.draw_due(at(505)) && pace.draw_due(at(515)));
        pace.drew(at(515));
        pace.news();
        assert!(!pace.draw_due(at(600)) && pace.draw_due(at(615)));
    }
}

//! What is known of one target.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::rates::{self, Kept, Rates};
use crate::model::{At, Millis, PollError, Reading, Sample, TargetId, Timestamp};

/// How far back the steadier rates look.
const WINDOW: Duration = Duration::from_secs(10);

/// What the config says of a target, as far as judging and drawing need it.
#[derive(Clone, Debug)]
pub struct TargetInfo {
    /// Its id.
    pub id: TargetId,
    /// Its kind: `postgres`.
    pub kind: String,
    /// Where it answers, without credentials.
    pub endpoint: String,
    /// Time between polls.
    pub every: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// A statement that runs longer is slow.
    pub slow_after: Duration,
    /// What a machine is for; empty when the config does not say.
    pub group: String,
}

/// Whether a target can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetState {
    /// Not yet asked, or the first answer is still awaited.
    Waiting,
    /// The last poll answered, and not long ago.
    Up,
    /// Nothing was heard for longer than three polls.
    Stale,
    /// The last poll failed.
    Down,
}

impl TargetState {
    /// The word in JSON and on the screen. A target not yet heard of is stale to a script.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Waiting | Self::Stale => "stale",
            Self::Down => "down",
        }
    }
}

/// One target: its last answer, its last failure, its rates.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the config says.
    pub info: TargetInfo,
    /// The last good answer, however old.
    pub sample: Option<Arc<At<Sample>>>,
    /// The failure of the last poll, if it failed.
    pub error: Option<At<PollError>>,
    /// Since when every poll has failed.
    pub failing_since: Option<Timestamp>,
    /// How long the last poll took.
    pub took: Millis,
    /// When the last reading came, good or bad.
    pub heard: Option<Timestamp>,
    /// Rates between the last two answers.
    pub rates: Option<Rates>,
    /// Rates over about the last ten seconds: steadier.
    pub window: Option<Rates>,
    history: VecDeque<Arc<At<Sample>>>,
}

/// No target that fails is left alone for longer than this, its usual interval aside.
const LONGEST_PAUSE: Duration = Duration::from_secs(18);

impl Target {
    /// A target that has not been asked yet.
    #[must_use]
    pub const fn new(info: TargetInfo) -> Self {
        Self {
            info,
            sample: None,
            error: None,
            failing_since: None,
            took: Millis(0.0),
            heard: None,
            rates: None,
            window: None,
            history: VecDeque::new(),
        }
    }

    /// Takes one reading in.
    pub(super) fn take(&mut self, at: Timestamp, reading: Reading) {
        self.took = reading.took;
        self.heard = Some(at);
        match reading.sample {
            Ok(sample) => {
                self.error = None;
                self.failing_since = None;
                let sample = Arc::new(At { at, it: sample });
                self.learn_rates(&sample);
                self.sample = Some(sample);
            }
            Err(error) => {
                self.failing_since.get_or_insert(at);
                self.error = Some(At { at, it: error });
                // Rates across a hole would smear what happened in it over the time since.
                self.history.clear();
                self.rates = None;
                self.window = None;
            }
        }
    }

    fn learn_rates(&mut self, sample: &Arc<At<Sample>>) {
        let at = sample.at;
        let kept = match rates::counters_only(&sample.it) {
            Kept::Nothing => return,
            Kept::Whole => Arc::clone(sample),
            Kept::Part(part) => Arc::new(At { at, it: part }),
        };
        if let Some(last) = self.history.back() {
            if rates::is_the_same_look(&last.it, &kept.it) {
                return;
            }
            self.rates = rates::between(&last.it, &kept.it, at.seconds_since(last.at));
        }
        while self.history.len() > 1 && at.since(self.history[1].at) >= WINDOW {
            self.history.pop_front();
        }
        if let Some(first) = self.history.front() {
            self.window = rates::between(&first.it, &kept.it, at.seconds_since(first.at));
        }
        if self.history.len() >= 64 {
            self.history.pop_front();
        }
        self.history.push_back(kept);
    }

    /// The same without the answers that only rates to come would need: for stepping back in time.
    #[must_use]
    pub fn without_past(&self) -> Self {
        Self {
            info: self.info.clone(),
            sample: self.sample.clone(),
            error: self.error.clone(),
            failing_since: self.failing_since,
            took: self.took,
            heard: self.heard,
            rates: self.rates.clone(),
            window: self.window.clone(),
            history: VecDeque::new(),
        }
    }

    /// Whether it can be believed at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> TargetState {
        let Some(heard) = self.heard else { return TargetState::Waiting };
        let mut limit = self.info.every * 3 + self.info.timeout;
        if self.error.is_some() {
            // One that fails is asked ever less often, and is down all the while.
            limit += (self.info.every * 12).min(LONGEST_PAUSE);
        }
        if now.since(heard) > limit {
            TargetState::Stale
        } else if self.error.is_some() {
            TargetState::Down
        } else {
            TargetState::Up
        }
    }

    /// The sample, if it can be believed at `now`.
    #[must_use]
    pub fn fresh(&self, now: Timestamp) -> Option<&Sample> {
        (self.state(now) == TargetState::Up)
            .then_some(self.sample.as_ref().map(|sample| &sample.it))
            .flatten()
    }

    /// The answers of about the last ten seconds, oldest first, without what rates do not need; none
    /// from before a failure.
    pub fn recent(&self) -> impl Iterator<Item = &Sample> {
        self.history.iter().map(|at| &at.it)
    }

    /// The same, each with when it was read.
    pub fn recent_at(&self) -> impl Iterator<Item = (Timestamp, &Sample)> {
        self.history.iter().map(|at| (at.at, &at.it))
    }

    /// Age of the last good answer at `now`: of the look itself, where somebody in between looked for us
    /// and tells when that was.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let sample = self.sample.as_ref()?;
        let before = match &sample.it {
            Sample::Host(host) => host.read_ago.and_then(|ago| Duration::try_from_secs_f64(ago).ok()),
            _ => None,
        };
        Some(now.since(sample.at).saturating_add(before.unwrap_or_default()))
    }
}

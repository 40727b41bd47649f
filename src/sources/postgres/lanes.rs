//! When each slower question is due: a poll asks the fast one, and few others with it.

use std::time::Duration;

use tokio::time::Instant;

/// Slower questions that one poll asks at most; the first poll of a session asks all of them.
const AT_ONCE: usize = 2;

/// A slower question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Limits, rights, extensions.
    Facts,
    /// Counters of transactions, blocks, log.
    Totals,
    /// Standbys, or the own delay.
    Replication,
    /// What statements cost.
    Statements,
    /// Slots and the log they keep.
    Slots,
    /// Transaction ids, and who holds vacuum back.
    Horizon,
    /// How far long commands are.
    Progress,
    /// What somebody set.
    Settings,
}

impl Lane {
    /// All of them, in the order in which the first poll asks.
    pub(super) const ALL: [Self; 8] = [
        Self::Facts,
        Self::Totals,
        Self::Replication,
        Self::Statements,
        Self::Slots,
        Self::Horizon,
        Self::Progress,
        Self::Settings,
    ];

    /// What it is called where its age or its absence is told.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Facts => "limits and rights",
            Self::Totals => "totals of the databases",
            Self::Replication => "replication",
            Self::Statements => "statement statistics",
            Self::Slots => "replication slots",
            Self::Horizon => "transaction ids",
            Self::Progress => "progress of long commands",
            Self::Settings => "settings",
        }
    }

    const fn every(self) -> Duration {
        Duration::from_secs(match self {
            Self::Totals | Self::Replication => 5,
            Self::Statements | Self::Progress => 15,
            Self::Facts | Self::Slots | Self::Horizon | Self::Settings => 60,
        })
    }

    /// Counters: only the second reading tells something, so it follows the first soon.
    const fn counts(self) -> bool {
        matches!(self, Self::Totals | Self::Statements)
    }
}

/// What is going on at the server, as far as it decides what is worth asking.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Situation {
    /// It is a standby or feeds one.
    pub(super) replicates: bool,
    /// Something runs that tells how far it is.
    pub(super) long_command: bool,
}

/// When each lane was last asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    asked: [Option<Instant>; Lane::ALL.len()],
    answered: [Option<Instant>; Lane::ALL.len()],
    readings: [u32; Lane::ALL.len()],
    begun: bool,
}

impl Lanes {
    /// What this poll asks besides; the most overdue first.
    pub(super) fn due(&mut self, now: Instant, situation: Situation) -> Vec<Lane> {
        let mut due: Vec<(f64, Lane)> = Lane::ALL
            .into_iter()
            .filter_map(|lane| self.overdue(lane, now, situation).map(|by| (by, lane)))
            .collect();
        if self.begun {
            due.sort_by(|a, b| b.0.total_cmp(&a.0));
            due.truncate(AT_ONCE);
        }
        self.begun = true;
        for (_, lane) in &due {
            self.asked[*lane as usize] = Some(now);
        }
        due.into_iter().map(|(_, lane)| lane).collect()
    }

    /// Intervals since it was last asked, if that is one at least.
    fn overdue(&self, lane: Lane, now: Instant, situation: Situation) -> Option<f64> {
        let at = lane as usize;
        let every = match lane {
            Lane::Progress if !situation.long_command => return None,
            Lane::Replication if !situation.replicates => Duration::from_mins(1),
            _ if lane.counts() && self.readings[at] == 1 => Duration::from_millis(900),
            _ => lane.every(),
        };
        let Some(asked) = self.asked[at] else { return Some(f64::MAX) };
        let by = now.duration_since(asked).as_secs_f64() / every.as_secs_f64();
        (by >= 1.0).then_some(by)
    }

    /// A lane was answered.
    pub(super) fn answered(&mut self, lane: Lane, now: Instant) {
        self.answered[lane as usize] = Some(now);
        self.readings[lane as usize] = self.readings[lane as usize].saturating_add(1);
    }

    /// How old each lane's answer is, in seconds.
    pub(super) fn ages(&self, now: Instant) -> impl Iterator<Item = (&'static str, f64)> {
        Lane::ALL.into_iter().filter_map(move |lane| {
            let answered = self.answered[lane as usize]?;
            Some((lane.name(), now.duration_since(answered).as_secs_f64()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(situation: Situation, polls: u64) -> Vec<usize> {
        let mut lanes = Lanes::default();
        let start = Instant::now();
        let poll = |second| {
            let now = start + Duration::from_secs(second);
            let due = lanes.due(now, situation);
            for lane in &due {
                lanes.answered(*lane, now);
            }
            due.len()
        };
        (0..polls).map(poll).collect()
    }

    #[test]
    fn a_poll_each_second_asks_half_a_slower_question_more_on_average_at_most() {
        let busy = Situation { replicates: true, long_command: false };
        for (situation, most) in [(Situation::default(), 0.36), (busy, 0.55)] {
            let asked = run(situation, 600);
            let mean = asked.iter().skip(60).sum::<usize>() as f64 / 540.0;
            assert!((0.2..=most).contains(&mean), "{mean} in {situation:?}");
            assert!(asked.iter().skip(1).all(|asked| *asked <= AT_ONCE), "{asked:?}");
        }
    }

    #[test]
    fn the_second_poll_reads_the_counters_again_so_that_two_polls_tell_rates() {
        let mut lanes = Lanes::default();
        let start = Instant::now();
        let first = lanes.due(start, Situation::default());
        assert_eq!(first.len(), Lane::ALL.len() - 1);
        for lane in first {
            lanes.answered(lane, start);
        }
        let second = lanes.due(start + Duration::from_secs(1), Situation::default());
        assert_eq!(second, [Lane::Totals, Lane::Statements]);
    }

    #[test]
    fn no_lane_starves_however_slow_the_polls_are() {
        let mut lanes = Lanes::default();
        let start = Instant::now();
        let mut seen = [0; Lane::ALL.len()];
        for n in 0..40 {
            let now = start + Duration::from_mins(n);
            for lane in lanes.due(now, Situation { replicates: true, long_command: true }) {
                lanes.answered(lane, now);
                seen[lane as usize] += 1;
            }
        }
        assert!(seen.iter().all(|asked| *asked >= 3), "{seen:?}");
    }
}

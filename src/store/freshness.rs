//! How old the answers of many targets are.

use std::time::Duration;

use serde::Serialize;

/// Ages of answers, by rank: a mean would hide the few that are old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freshness {
    /// Targets with a good answer.
    pub answered: usize,
    /// Targets without one so far.
    pub silent: usize,
    /// Half of the answers are at most so old, ms.
    pub p50_ms: Option<u64>,
    /// 99 of 100 are at most so old, ms.
    pub p99_ms: Option<u64>,
    /// The oldest, ms.
    pub max_ms: Option<u64>,
}

impl Freshness {
    /// Of these ages; `None` is a target without a good answer.
    pub fn of(ages: impl IntoIterator<Item = Option<Duration>>) -> Self {
        let (mut known, mut silent) = (Vec::new(), 0);
        for age in ages {
            match age {
                Some(age) => known.push(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
                None => silent += 1,
            }
        }
        known.sort_unstable();
        let rank = |share: usize| known.get((known.len() * share).div_ceil(100).max(1) - 1).copied();
        Self {
            answered: known.len(),
            silent,
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: known.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_answers_and_silence_is_counted_apart() {
        let ages = (1..=200).map(|ms| Some(Duration::from_millis(ms))).chain([None, None]);
        let told = Freshness::of(ages);
        let wanted =
            Freshness { answered: 200, silent: 2, p50_ms: Some(100), p99_ms: Some(198), max_ms: Some(200) };
        assert_eq!(told, wanted);
        assert_eq!(Freshness::of([None]), Freshness { silent: 1, ..Freshness::default() });
        assert_eq!(Freshness::of([Some(Duration::from_millis(7))]).p99_ms, Some(7));
    }
}

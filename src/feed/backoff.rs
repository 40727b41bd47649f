//! When to ask again.

use std::time::Duration;

/// Longest pause between two tries, however rarely the target is polled otherwise.
const LONGEST: Duration = Duration::from_secs(15);

/// Failures in a row, and the pause that follows from them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    failures: u32,
    seed: u64,
}

impl Backoff {
    /// For a target; the seed only spreads targets that failed together.
    pub(super) fn new(id: &str) -> Self {
        // FNV-1a: no need of anything stronger to keep a hundred targets from knocking at once.
        let seed = id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { failures: 0, seed }
    }

    /// The target answered.
    pub(super) const fn answered(&mut self) {
        self.failures = 0;
    }

    /// The target failed: how long to wait before the next try, from `every` up to ten times that or
    /// fifteen seconds, give or take a fifth.
    pub(super) fn failed(&mut self, every: Duration) -> Duration {
        let doubled = every.saturating_mul(1 << self.failures.min(10));
        let most = (every * 10).min(LONGEST).max(every);
        self.failures = self.failures.saturating_add(1);
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let spread = f64::from(u32::try_from(self.seed >> 40).unwrap_or(0)) / f64::from(1 << 24);
        doubled.min(most).mul_f64(0.8 + 0.4 * spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_retry_is_quick_and_the_pauses_stay_bounded() {
        let every = Duration::from_secs(1);
        let mut backoff = Backoff::new("primary");
        assert!(backoff.failed(every) <= Duration::from_millis(1_200));
        let pauses: Vec<_> = (0..100).map(|_| backoff.failed(every)).collect();
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(12)));
        assert!(pauses[50..].iter().all(|pause| *pause >= Duration::from_secs(8)));
        backoff.answered();
        assert!(backoff.failed(every) <= Duration::from_millis(1_200));
        let slow = Duration::from_secs(60);
        assert!(backoff.failed(slow) >= Duration::from_secs(48), "never asks more often than told to");
    }
}

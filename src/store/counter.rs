//! From two counter readings to a rate: a counter that fell was reset and gives nothing.

/// How far a counter grew; `None` when it fell (restart, reset, overflow).
#[must_use]
pub const fn grown(before: u64, now: u64) -> Option<u64> {
    now.checked_sub(before)
}

/// Growth a second; `None` when the counter fell or no time passed.
#[must_use]
pub fn per_second(before: u64, now: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| grown(before, now).map(|n| n as f64 / seconds)).flatten()
}

/// `part` of `whole`, 0 to 1; `None` of nothing.
#[must_use]
pub fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0 && part >= 0.0).then(|| (part / whole).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_rate_is_ever_negative(before: u64, now: u64, seconds in -10.0..10.0f64) {
            let rate = per_second(before, now, seconds);
            prop_assert!(rate.is_none_or(|rate| rate >= 0.0));
            prop_assert_eq!(rate.is_none(), now < before || seconds <= 0.0);
        }
    }
}

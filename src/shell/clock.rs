//! The only place that reads the time of day.

use std::time::Duration;

use crate::model::Timestamp;

/// Now, by this machine's clock.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    let now = jiff::Timestamp::now();
    Timestamp::from_micros(now.as_microsecond())
}

/// Time from `now` to the next full second; the screen is drawn a little after it.
pub fn to_next_second(now: Timestamp) -> Duration {
    let into = now.as_micros().rem_euclid(1_000_000);
    Duration::from_micros(u64::try_from(1_000_000 - into).unwrap_or(1_000_000))
}

//! Numbers as a person uses them, each form of a greatest width, so that nothing jumps when one grows.

use jiff::tz::TimeZone;

use crate::model::{Timestamp, words};

/// What stands where nothing is known.
pub const UNKNOWN: &str = "?";

/// Milliseconds: `0.8 ms`, `412 ms`, `1.2 s`, `2m14s`. At most six cells.
#[must_use]
pub fn millis(ms: f64) -> String {
    words::millis(ms)
}

/// Seconds: `340 ms`, `4.2 s`, `2m14s`. At most six cells up to a hundred days.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    words::span(seconds)
}

/// A share of one: `84 %`; small ones with a decimal, `0.3 %`. At most five cells up to 9.99.
#[must_use]
pub fn share(share: f64) -> String {
    words::percent(share)
}

/// A count: `38`, `4 210`, `31 k`, `1.2 M`. At most five cells up to 999 G.
#[must_use]
pub fn count(number: f64) -> String {
    let number = number.max(0.0);
    if number < 9_999.5 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10 000")]
        return words::count(number.round() as u64);
    }
    let (mut value, mut unit) = (number / 1e3, "k");
    for next in ["M", "G", "T"] {
        if value < 999.5 {
            break;
        }
        value /= 1e3;
        unit = next;
    }
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Something a second: `0.4/s`, `210/s`, `31 k/s`. At most seven cells.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 9.95 {
        let text = format!("{per_second:.1}/s");
        return if text == "0.0/s" { "<0.1/s".into() } else { text };
    }
    format!("{}/s", count(per_second))
}

/// Bytes: `512 B`, `4.2 GB`. At most six cells.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    words::bytes(bytes)
}

/// A plain number with as many decimals as it needs: `0.25`, `3.1`, `120`.
#[must_use]
pub fn number(number: f64) -> String {
    match number.abs() {
        size if size >= 9.95 || number.fract() == 0.0 => format!("{number:.0}"),
        size if size >= 0.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// A value that may be missing, in one of the forms above.
#[must_use]
pub fn maybe(value: Option<f64>, form: fn(f64) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), form)
}

/// Local time, `14:03:27`.
#[must_use]
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_microsecond(at.as_micros()) {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".into(),
    }
}

/// Local time as [`clock`], with the day before it when that is another day than `now`'s: `Nov 20 14:03:27`.
#[must_use]
pub fn when(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let day =
        |at: Timestamp| jiff::Timestamp::from_microsecond(at.as_micros()).map(|at| at.to_zoned(zone.clone()));
    match (day(at), day(now)) {
        (Ok(then), Ok(today)) if then.date() != today.date() => then.strftime("%b %d %H:%M:%S").to_string(),
        _ => clock(at, zone),
    }
}

/// The zone's short name at that time: `CEST`, `UTC`.
#[must_use]
pub fn zone(at: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map(|at| at.to_zoned(zone.clone()).strftime("%Z").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_read_as_a_person_says_them() {
        assert_eq!(
            [0.0, 0.82, 9.96, 412.4, 1_200.0, 134_000.0].map(millis),
            ["0.0 ms", "0.8 ms", "10 ms", "412 ms", "1.2 s", "2m14s"]
        );
        assert_eq!([0.0, 0.003, 0.0096, 0.84, 1.0].map(share), ["0 %", "0.3 %", "1 %", "84 %", "100 %"]);
        assert_eq!(
            [0.0, 38.0, 4_210.0, 9_999.4, 31_200.0, 1.24e6].map(count),
            ["0", "38", "4 210", "9 999", "31 k", "1.2 M"]
        );
        assert_eq!([0.0, 0.01, 0.42, 210.0, 31e3].map(rate), ["0/s", "<0.1/s", "0.4/s", "210/s", "31 k/s"]);
        assert_eq!([0.25, 3.12, 120.4, 2.0].map(number), ["0.25", "3.1", "120", "2"]);
        assert_eq!(maybe(None, share), "?");
    }

    #[test]
    fn clock_times_are_those_of_the_given_zone() {
        let at = Timestamp::from_micros(1_763_696_494_123_457);
        let berlin = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!((clock(at, &TimeZone::UTC), clock(at, &berlin)), ("03:41:34".into(), "04:41:34".into()));
        let later = Timestamp::from_micros(at.as_micros() + 86_400_000_000);
        assert_eq!(when(at, later, &TimeZone::UTC), "Nov 21 03:41:34");
        assert_eq!(zone(at, &TimeZone::UTC), "UTC");
    }

    proptest! {
        #[test]
        fn no_form_grows_over_its_width(x in 0.0..1e11f64) {
            prop_assert!(count(x).len() <= 5, "{}", count(x));
            prop_assert!(rate(x).len() <= 7, "{}", rate(x));
            prop_assert!(bytes(x * 1000.0).len() <= 6, "{}", bytes(x * 1000.0));
            prop_assert!(millis(x.min(8.6e9)).len() <= 6, "{}", millis(x.min(8.6e9)));
            prop_assert!(share(x / 1e11).len() <= 5);
        }
    }
}

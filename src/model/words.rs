//! Numbers as a person uses them: the one place that rounds for sentences.

/// A span of seconds: `340 ms`, `4.2 s`, `41 s`, `2m14s`, `3h05m`, `2d04h`. Below zero counts as zero.
#[must_use]
pub fn span(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what is said of a span"
    )]
    let whole = seconds.min(1e12) as u64;
    match whole {
        0 if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        0..=9 if seconds < 9.95 => format!("{seconds:.1} s"),
        0..=9 => "10 s".into(),
        10..=59 => format!("{whole} s"),
        60..=3599 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..=86_399 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

/// Milliseconds, with tenths below ten: `0.8 ms`, `412 ms`, `1.2 s`.
#[must_use]
pub fn millis(ms: f64) -> String {
    if ms < 9.95 { format!("{:.1} ms", ms.max(0.0)) } else { span(ms / 1e3) }
}

/// A count with its thousands apart: `4 210`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Bytes in the unit that leaves one to three digits before the point: `512 B`, `4.2 MB`, `31 GB`.
#[must_use]
pub fn bytes(bytes: f64) -> String {
    let (mut value, mut unit) = (if bytes.is_finite() { bytes.max(0.0) } else { 0.0 }, "B");
    for next in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 999.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" || value >= 9.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A share of one: `84 %`; small ones with a decimal, `0.3 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (0.05..0.95).contains(&percent) { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// How often a second, without its unit: `0.4`, `210`.
#[must_use]
pub fn per_second(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".into(),
        rate if rate < 0.05 => "<0.1".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

/// `1 session`, `38 sessions`.
#[must_use]
pub fn many(number: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_what_a_person_can_use() {
        assert_eq!([9.94, 9.97, 10.2].map(span), ["9.9 s", "10 s", "10 s"]);
        let spans = [0.0004, 0.34, 4.21, 41.9, 134.0, 11_100.0, 187_200.0, -1.0, f64::NAN].map(span);
        assert_eq!(spans, ["0 ms", "340 ms", "4.2 s", "41 s", "2m14s", "3h05m", "2d04h", "0 ms", "0 ms"]);
        assert_eq!([0.82, 9.96, 50.6, 1_200.0].map(millis), ["0.8 ms", "10 ms", "51 ms", "1.2 s"]);
        assert_eq!([7, 999, 4210, 1_000_000].map(count), ["7", "999", "4 210", "1 000 000"]);
        assert_eq!([512.0, 2048.0, 4.4e6, 3.3e10].map(bytes), ["512 B", "2.0 kB", "4.2 MB", "31 GB"]);
        assert_eq!([0.0, 0.003, 0.0096, 0.123, 1.0].map(percent), ["0 %", "0.3 %", "1 %", "12 %", "100 %"]);
        assert_eq!([0.0, 0.01, 0.42, 10.2, 210.4].map(per_second), ["0", "<0.1", "0.4", "10", "210"]);
        assert_eq!(many(1, "session", "sessions") + &many(3, "", " x"), "1 session3  x");
    }
}

//! The text that Prometheus scrapes, line by line, nothing copied before it is wanted. Pure.

use std::borrow::Cow;

/// One sample: `name{labels} value`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// The metric.
    pub(super) name: &'a str,
    labels: &'a str,
    /// Its value; may be NaN or infinite, as the text allows.
    pub(super) value: f64,
}

/// One sample, whatever it was written in.
pub(super) trait Metric {
    /// The metric's name.
    fn name(&self) -> &str;
    /// Its value; may be NaN or infinite.
    fn value(&self) -> f64;
    /// A label's value; `None` when it is not there.
    fn label(&self, wanted: &str) -> Option<Cow<'_, str>>;

    /// The value as a counter: whole, and neither negative nor endless.
    fn count(&self) -> Option<u64> {
        whole(self.value(), 1.0)
    }

    /// The value times `factor` as a counter: seconds to microseconds, say.
    fn times(&self, factor: f64) -> Option<u64> {
        whole(self.value(), factor)
    }
}

impl Metric for Line<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn value(&self) -> f64 {
        self.value
    }

    fn label(&self, wanted: &str) -> Option<Cow<'_, str>> {
        let mut rest = self.labels;
        loop {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = quoted(after.trim_start())?;
            if name.trim() == wanted {
                return Some(unescape(value));
            }
            rest = after.trim_start().strip_prefix(',')?;
        }
    }
}

/// A value times `factor` as a counter: whole, and neither negative nor endless.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked in the line above")]
pub(super) fn whole(value: f64, factor: f64) -> Option<u64> {
    let value = (value * factor).round();
    (0.0..1.8e19).contains(&value).then_some(value as u64)
}

/// Every sample of a page whose name is `wanted`; comments and what is no sample are passed over.
pub(super) fn lines(page: &str, wanted: fn(&str) -> bool) -> impl Iterator<Item = Line<'_>> {
    let mut rest = page;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            // A fleet's pages are a hundred thousand lines a second, most of them of no interest.
            let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let text = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            if text.starts_with('#') {
                continue;
            }
            if let Some(line) = line(text, wanted) {
                return Some(line);
            }
        }
        None
    })
}

fn line(text: &str, wanted: fn(&str) -> bool) -> Option<Line<'_>> {
    let text = if text.starts_with(|c: char| c.is_ascii_whitespace()) { text.trim_start() } else { text };
    let end = text.bytes().position(|byte| !byte.is_ascii_alphanumeric() && byte != b'_' && byte != b':')?;
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !wanted(name) {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => {
            let end = closing(inside)?;
            (&inside[..end], &inside[end + 1..])
        }
        None => ("", rest),
    };
    // A time stamp may follow; it is the scraper's business.
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Line { name, labels, value })
}

/// Where the brace closes: one inside a quoted value does not count.
fn closing(text: &str) -> Option<usize> {
    let mut inside = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'}' if !inside => return Some(at),
            _ => {}
        }
    }
    None
}

/// The text between the quotes that `text` begins with, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (plain, false) => out.push(plain),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_labels_and_escapes_are_read() {
        let page = "# HELP a b\n# TYPE a counter\na 1\nb{x=\"1\",y=\"a } \\\" \\\\ \\n,z=\"} 2.5e3 1700000000\n\
                    c { path = \"C:\\\\\" , } NaN\n0bad 3\nnovalue\nd{x=\"open 1\ne{} +Inf\n";
        let all: Vec<_> = lines(page, |_| true).collect();
        assert_eq!(all.iter().map(|it| it.name).collect::<Vec<_>>(), ["a", "b", "c", "e"]);
        assert_eq!(all[1].label("x").as_deref(), Some("1"));
        assert_eq!(all[1].label("y").as_deref(), Some("a } \" \\ \n,z="));
        assert_eq!((all[1].label("z"), all[1].count()), (None, Some(2500)));
        assert_eq!(all[2].label("path").as_deref(), Some("C:\\"));
        assert!(all[2].value.is_nan() && all[2].count().is_none() && all[3].count().is_none());
        assert_eq!(all[0].times(1e6), Some(1_000_000));
    }

    proptest! {
        #[test]
        fn no_page_panics(page in "[a-z{}=\",\\\\ 0-9\n#é-]{0,200}", wanted in "[a-z]{0,2}") {
            for line in lines(&page, |_| true) {
                line.label(&wanted);
                line.count();
            }
        }
    }
}

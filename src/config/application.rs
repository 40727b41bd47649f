//! How an application's name tells what kind of process it is.

use std::fmt;

/// Where the kind stands in a name: literal text, `*` for anything, `{kind}` once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationPattern {
    before: Vec<String>,
    after: Vec<String>,
}

const KIND: &str = "{kind}";

impl ApplicationPattern {
    /// Reads a pattern such as `shop-{kind}-*`.
    ///
    /// # Errors
    /// Why it is no pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(KIND);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(before), Some(after), None) => {
                let pieces = |part: &str| part.split('*').map(str::to_owned).collect();
                Ok(Self { before: pieces(before), after: pieces(after) })
            }
            _ => Err(format!("must hold {KIND} once, such as \"shop-{KIND}-*\"")),
        }
    }

    /// The kind that this name tells: as short as what stands behind it allows. `None` where the name
    /// is of another form.
    #[must_use]
    pub fn kind<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = leading(&self.before, name)?;
        let ends = rest.char_indices().map(|(at, _)| at).skip(1).chain([rest.len()]);
        ends.filter(|end| *end > 0)
            .find(|end| rest.get(*end..).is_some_and(|after| whole(&self.after, after)))
            .and_then(|end| rest.get(..end))
    }
}

impl fmt::Display for ApplicationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{KIND}{}", self.before.join("*"), self.after.join("*"))
    }
}

/// What follows these pieces at the begin of a name, with as little as possible between them.
fn leading<'a>(pieces: &[String], name: &'a str) -> Option<&'a str> {
    let (first, others) = pieces.split_first()?;
    others.iter().try_fold(name.strip_prefix(first.as_str())?, |rest, piece| {
        rest.find(piece.as_str()).and_then(|at| rest.get(at + piece.len()..))
    })
}

/// Whether these pieces make up all of it.
fn whole(pieces: &[String], text: &str) -> bool {
    match pieces {
        [] => text.is_empty(),
        [only] => text == only,
        [others @ .., last] => leading(others, text).is_some_and(|rest| rest.ends_with(last.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_the_kind_or_nothing() {
        let kind = |pattern: &str, name: &'static str| {
            ApplicationPattern::parse(pattern).ok().and_then(|it| it.kind(name))
        };
        assert_eq!(kind("shop-{kind}-*", "shop-web-7f9c-2"), Some("web"));
        assert_eq!(kind("shop-{kind}-*", "psql"), None);
        assert_eq!(kind("*/{kind}", "eu/blue/web"), Some("blue/web"));
        assert_eq!(kind("*:{kind}@*", "celery:mails@host1"), Some("mails"));
        assert_eq!(kind("{kind}", "anything at all"), Some("anything at all"));
        assert_eq!(kind("{kind}.*.prod", "web.3.prod"), Some("web"));
        assert_eq!(kind("{kind}.*.prod", "web.3.test"), None);
        assert_eq!(kind("x{kind}", "x"), None);
        assert_eq!(kind("é{kind}é", "éüé"), Some("ü"));
        for bad in ["", "web", "{kind}{kind}"] {
            assert!(ApplicationPattern::parse(bad).is_err(), "{bad}");
        }
    }
}

//! The page of `stub_status`. Pure.

/// What the page tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StubStatus {
    /// Connections open.
    pub(super) active: u64,
    /// Connections ever taken, and of them those that were served.
    pub(super) accepts: u64,
    pub(super) handled: u64,
    /// Requests ever.
    pub(super) requests: u64,
    /// Requests being worked on, this one included.
    pub(super) writing: u64,
}

/// Parses the page; `None` when it is something else.
pub(super) fn parse(text: &str) -> Option<StubStatus> {
    let mut words = text.split_ascii_whitespace();
    let mut after = |label: &str| -> Option<u64> {
        words.by_ref().find(|word| *word == label)?;
        words.next()?.parse().ok()
    };
    let active = after("connections:")?;
    // The three counters stand in a line of their own, behind the line of their names.
    let accepts = after("requests")?;
    let (handled, requests) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let writing = words.by_ref().skip_while(|word| *word != "Writing:").nth(1)?.parse().ok()?;
    Some(StubStatus { active, accepts, handled, requests, writing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = "Active connections: 10 \nserver accepts handled requests\n 137 136 140 \n\
                        Reading: 0 Writing: 9 Waiting: 0 \n";

    #[test]
    fn the_page_is_read() {
        let wanted = StubStatus { active: 10, accepts: 137, handled: 136, requests: 140, writing: 9 };
        assert_eq!(parse(PAGE), Some(wanted));
        assert_eq!(parse("<html>Active connections: many"), None);
    }

    proptest! {
        #[test]
        fn cut_or_hostile_text_never_panics(cut in 0..PAGE.len(), noise in any::<String>()) {
            parse(&PAGE[..cut]);
            parse(&noise);
        }
    }
}

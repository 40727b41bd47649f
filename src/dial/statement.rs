//! A statement as it is sent: what explains it stays in its file.

/// The statement of a file without the lines of comment above it: a server's lists of statements show their
/// beginning, and there should stand whose it is and what it asks.
#[must_use]
pub const fn as_sent(file: &'static str) -> &'static str {
    let mut rest = file;
    while let [b'-', b'-', ..] = rest.as_bytes() {
        let mut end = 0;
        while end < rest.len() && rest.as_bytes()[end] != b'\n' {
            end += 1;
        }
        let end = if end < rest.len() { end + 1 } else { end };
        // A line break is one byte: the rest begins at a character.
        (_, rest) = rest.split_at(end);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::as_sent;

    #[test]
    fn what_explains_a_statement_is_not_sent() {
        assert_eq!(as_sent("-- a\n-- b, größer\n/* x */\nselect 1 -- c\n"), "/* x */\nselect 1 -- c\n");
        assert_eq!(as_sent("select 1"), "select 1");
        assert_eq!(as_sent("-- only"), "");
    }
}

//! Whether a text is one SELECT and nothing else: what an operator may have asked of a database.

/// Characters a statement may have.
const LONGEST: usize = 20_000;

/// Checks that `text` is a single `select` or `with`, and hands it back without its closing semicolon.
///
/// Brackets must close where they open, so that the statement can stand in brackets of the caller's:
/// there the server itself refuses everything that writes.
pub(super) fn one_select(text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut first, mut end) = (0, 0_usize, None, None);
    while at < bytes.len() {
        let next = match bytes[at] {
            c if c.is_ascii_whitespace() => at + 1,
            b'-' if bytes[at..].starts_with(b"--") => {
                text[at..].find('\n').map_or(bytes.len(), |end| at + end)
            }
            b'/' if bytes[at..].starts_with(b"/*") => {
                comment(bytes, at).ok_or("has a comment without an end")?
            }
            b';' if depth == 0 => {
                end = end.or(Some(at));
                at + 1
            }
            _ if end.is_some() => return Err("holds more than one statement; give a single select".into()),
            b'\'' | b'"' => quoted(bytes, at).ok_or("has a quote without an end")?,
            b'$' => dollar(text, at).ok_or("has a quote without an end")?,
            b'(' | b'[' => {
                depth += 1;
                at + 1
            }
            b')' | b']' => {
                depth = depth.checked_sub(1).ok_or("closes a bracket that it did not open")?;
                at + 1
            }
            c if c.is_ascii_alphanumeric() || c == b'_' || c >= 0x80 => {
                let rest = &bytes[at..];
                let word =
                    rest.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_' || **c >= 0x80);
                let to = at + word.count();
                first = first.or(Some(at..to));
                // E'…' holds escaped quotes.
                let escapes = matches!(&bytes[at..to], b"e" | b"E") && bytes.get(to) == Some(&b'\'');
                if escapes { escaped(bytes, to).ok_or("has a quote without an end")? } else { to }
            }
            _ => at + 1,
        };
        at = next;
    }
    if depth > 0 {
        return Err("leaves a bracket open".into());
    }
    match first.map(|word| text[word].to_ascii_lowercase()).as_deref() {
        Some("select" | "with") => Ok(text[..end.unwrap_or(text.len())].trim().to_owned()),
        Some(other) => Err(format!("begins with {other:?}; it must be a single select (or with … select)")),
        None => Err("is empty; it must be a single select".into()),
    }
}

/// The end of a comment, which may hold others.
fn comment(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0_usize);
    loop {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The end of '…' or "…": a doubled quote opens it again at once, which comes to the same.
fn quoted(bytes: &[u8], from: usize) -> Option<usize> {
    let length = bytes[from + 1..].iter().position(|c| *c == bytes[from])?;
    Some(from + length + 2)
}

/// The end of E'…', its quote at `from`.
fn escaped(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The end of $tag$…$tag$; a dollar that opens none (a parameter) ends at itself.
fn dollar(text: &str, from: usize) -> Option<usize> {
    let tag = text[from + 1..].find('$').map(|end| &text[from..=from + 1 + end]);
    let Some(tag) = tag.filter(|tag| {
        let name = &tag[1..tag.len() - 1];
        !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    }) else {
        return Some(from + 1);
    };
    let body = from + tag.len();
    text[body..].find(tag).map(|end| body + end + tag.len())
}

#[cfg(test)]
mod tests {
    use super::one_select;
    use crate::torn::each_torn_text;

    #[test]
    fn one_select_and_nothing_else() {
        for good in [
            "select 1",
            " -- a note; with a semicolon\nSELECT ';' as a, \"b;\" ; -- and one behind\n",
            "with a as (select $$;)$$) select * from a;",
            "/* ( /* nested ; */ */ select E'it\\'s; (' || $x$ ) $x$, a[1] from t",
            "select 'don''t; stop'",
        ] {
            let kept = one_select(good).unwrap_or_else(|why| panic!("{good}: {why}"));
            assert!(!kept.ends_with(';'), "{kept}");
        }
        for (bad, why) in [
            ("select 1; drop table jobs", "more than one"),
            ("delete from jobs", "begins with"),
            ("select 1) q; select (2", "closes a bracket"),
            ("select 1) q, (select 2", "closes a bracket"),
            ("select (1", "open"),
            ("select 'a", "quote"),
            ("select $a$ ; ", "quote"),
            ("select 1 /* ", "comment"),
            ("-- nothing", "empty"),
            ("select E'\\'; drop table jobs; --'; select 2", "more than one"),
        ] {
            let refused = one_select(bad).expect_err(bad);
            assert!(refused.contains(why), "{bad}: {refused}");
        }
    }

    #[test]
    fn torn_statements_are_judged() {
        let text = "/* ( /* nested ; */ */ with a as (select $x$;)$x$) select E'it\\'s' || \"b\", c[1] from t; -- d\n";
        each_torn_text(text, |torn| drop(one_select(torn)));
    }
}

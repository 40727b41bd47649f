//! Comma-separated text with a header, read by column name: point releases insert columns.

use std::borrow::Cow;
use std::collections::HashMap;

/// The rows after a header line. Quotes stand only around fields that hold a comma, a quote or a line break.
pub struct Table<'t> {
    columns: HashMap<&'t str, usize>,
    rest: &'t str,
}

/// One row.
pub struct Row<'r, 't> {
    columns: &'r HashMap<&'t str, usize>,
    fields: Vec<Cow<'t, str>>,
}

impl<'t> Table<'t> {
    /// Takes `text` from its header, which starts with `# `, on; `None` without one.
    #[must_use]
    pub fn new(text: &'t str) -> Option<Self> {
        let (header, rest) = text.split_once('\n')?;
        let names = header.trim_end().strip_prefix("# ")?.split(',');
        Some(Self { columns: names.enumerate().map(|(at, name)| (name, at)).collect(), rest })
    }

    /// Calls `each` with every row; an empty line ends the table.
    pub fn rows(&self, mut each: impl FnMut(&Row<'_, 't>)) {
        let mut rest = self.rest;
        let mut row = Row { columns: &self.columns, fields: Vec::with_capacity(self.columns.len()) };
        while !rest.is_empty() && !rest.starts_with(['\n', '\r']) {
            row.fields.clear();
            rest = record(rest, &mut row.fields);
            each(&row);
        }
    }
}

impl Row<'_, '_> {
    /// The field under this name; `None` when there is no such column or it does not apply.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let field = self.fields.get(*self.columns.get(name)?)?;
        (!field.is_empty()).then_some(field.as_ref())
    }

    /// The field as a number; `None` also where something else stands there (`-1` for never).
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// Takes one record off `text`; returns what follows it.
fn record<'t>(mut text: &'t str, fields: &mut Vec<Cow<'t, str>>) -> &'t str {
    loop {
        if let Some(quoted) = text.strip_prefix('"') {
            let (field, rest) = unquote(quoted);
            fields.push(field);
            text = rest;
        } else {
            let end = text.find([',', '\n']).unwrap_or(text.len());
            fields.push(Cow::Borrowed(text[..end].trim_end_matches('\r')));
            text = &text[end..];
        }
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None => return text.find('\n').map_or("", |at| &text[at + 1..]),
        }
    }
}

/// The text up to the closing quote, doubled quotes made single, and what follows it.
fn unquote(text: &str) -> (Cow<'_, str>, &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find('"') {
        let quote = from + at;
        if text[quote + 1..].starts_with('"') {
            from = quote + 2;
        } else {
            let inner = &text[..quote];
            let clean =
                if from == 0 { Cow::Borrowed(inner) } else { Cow::Owned(inner.replace("\"\"", "\"")) };
            return (clean, &text[quote + 1..]);
        }
    }
    (Cow::Borrowed(text), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> Vec<Vec<Option<String>>> {
        let mut out = Vec::new();
        if let Some(table) = Table::new(text) {
            table
                .rows(|row| out.push(["a", "b", "c"].map(|name| row.text(name).map(str::to_owned)).to_vec()));
        }
        out
    }

    #[test]
    fn quotes_hold_commas_quotes_and_lines() {
        let text = "# a,b,\n1,\"x, \"\"y\"\"\nz\",\n2,,\n\nnot,a,row\n";
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(all(text), [vec![some("1"), some("x, \"y\"\nz"), None], vec![some("2"), None, None]]);
        assert!(all("<html>").is_empty());
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics_and_always_ends(text in "[a,\"\n\r é]{0,60}") {
            all(&format!("# a,b,c\n{text}"));
        }
    }
}

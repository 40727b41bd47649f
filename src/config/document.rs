//! A TOML file with its lines: typed reads that note what is wrong and go on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, instead};

/// The text being read, what was wrong so far, and which line each setting came from.
pub(super) struct Document<'t> {
    text: &'t str,
    /// Where each line begins, in bytes: a config of thousands of targets asks for very many lines.
    begins: Vec<usize>,
    pub(super) faults: Vec<Fault>,
    /// Dotted path of a setting and its line.
    pub(super) lines: BTreeMap<String, usize>,
}

/// One table of the file: its dotted path, and what errors call it.
pub(super) struct Section<'a, 'i> {
    /// `environment`, `target.primary`; empty for the top.
    pub(super) path: String,
    /// `target "primary"`; `None` where the path says it well enough.
    pub(super) called: Option<String>,
    pub(super) table: &'a DeTable<'i>,
}

impl Section<'_, '_> {
    /// What an error calls a key of this table.
    fn key(&self, key: &str) -> String {
        match &self.called {
            Some(called) => format!("{key} of {called}"),
            None if self.path.is_empty() => key.to_owned(),
            None => format!("{}.{key}", self.path),
        }
    }

    /// The dotted path of a key of this table.
    pub(super) fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the key is there at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }
}

impl<'t> Document<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, begins, faults: Vec::new(), lines: BTreeMap::new() }
    }

    /// The line a span begins on, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let end = span.start.min(self.text.len());
        self.begins.partition_point(|begin| *begin <= end)
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&mut self, section: &Section<'_, '_>, key: &str, span: &Range<usize>, why: String) {
        let line = Some(self.line(span));
        self.faults.push(Fault { line, key: section.key(key), why });
    }

    /// Notes every key that is not one of `known`.
    pub(super) fn only(&mut self, section: &Section<'_, '_>, known: &[&str]) {
        for key in section.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                self.fault(section, name, &key.span(), format!("unknown key; {}", instead(name, known)));
            }
        }
    }

    /// A value, its line remembered as the origin of the setting.
    pub(super) fn value<'a, 'i>(
        &mut self,
        section: &Section<'a, 'i>,
        key: &str,
    ) -> Option<&'a Spanned<DeValue<'i>>> {
        let value = section.table.get(key)?;
        let line = self.line(&value.span());
        self.lines.insert(section.dotted(key), line);
        Some(value)
    }

    /// Text.
    pub(super) fn text(&mut self, section: &Section<'_, '_>, key: &str) -> Option<(String, Range<usize>)> {
        let value = self.value(section, key)?;
        match value.get_ref().as_str() {
            Some(text) => Some((text.to_owned(), value.span())),
            None => self.wrong_type(section, key, value, "text in quotes"),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, section: &Section<'_, '_>, key: &str) -> Option<bool> {
        let value = self.value(section, key)?;
        match value.get_ref().as_bool() {
            Some(flag) => Some(flag),
            None => self.wrong_type(section, key, value, "true or false, without quotes"),
        }
    }

    /// A number, whole or not.
    pub(super) fn number(&mut self, section: &Section<'_, '_>, key: &str) -> Option<(f64, Range<usize>)> {
        let value = self.value(section, key)?;
        let text = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            _ => return self.wrong_type(section, key, value, "a number"),
        };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some((number, value.span())),
            _ => self.wrong_type(section, key, value, "a finite number"),
        }
    }

    /// A span of time between two bounds.
    pub(super) fn duration(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        least: Duration,
        most: Duration,
    ) -> Option<Duration> {
        let value = self.value(section, key)?;
        let Some(text) = value.get_ref().as_str() else {
            return self.wrong_type(
                section,
                key,
                value,
                "a duration with its unit, such as \"250ms\" or \"1s\"",
            );
        };
        let why = match parse_duration(text) {
            Some(span) if span >= least && span <= most => return Some(span),
            Some(_) => {
                format!("{text:?} must lie between {} and {}", say_duration(least), say_duration(most))
            }
            None => {
                format!("{text:?} is not a duration; write a number and its unit: \"250ms\", \"1s\", \"2m\"")
            }
        };
        self.fault(section, key, &value.span(), why);
        None
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
    ) -> Option<Vec<(String, Range<usize>)>> {
        let value = self.value(section, key)?;
        let Some(list) = value.get_ref().as_array() else {
            return self.wrong_type(section, key, value, "a list of texts, such as [\"default\", \"mail\"]");
        };
        let mut texts = Vec::new();
        for item in list {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text.to_owned(), item.span())),
                None => self.wrong_type(section, key, item, "text in quotes").unwrap_or_default(),
            }
        }
        Some(texts)
    }

    /// A table below this one.
    pub(super) fn table<'a, 'i>(&mut self, section: &Section<'a, 'i>, key: &str) -> Option<Section<'a, 'i>> {
        let value = section.table.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(Section { path: section.dotted(key), called: None, table }),
            None => self.wrong_type(section, key, value, &format!("a table: [{}]", section.dotted(key))),
        }
    }

    /// Tables written as `[[key]]`, each with the span of its beginning.
    pub(super) fn tables<'a, 'i>(
        &mut self,
        section: &Section<'a, 'i>,
        key: &str,
    ) -> Vec<(&'a DeTable<'i>, Range<usize>)> {
        let Some(value) = section.table.get(key) else { return Vec::new() };
        let right = format!("written as [[{}]], with two brackets", section.dotted(key));
        let Some(list) = value.get_ref().as_array() else {
            return self.wrong_type(section, key, value, &right).unwrap_or_default();
        };
        let mut tables = Vec::new();
        for item in list {
            match item.get_ref().as_table() {
                Some(table) => tables.push((table, item.span())),
                None => self.wrong_type(section, key, item, &right).unwrap_or_default(),
            }
        }
        tables
    }

    /// Notes that a value has the wrong type; the value itself is not repeated, it may be a secret.
    fn wrong_type<T>(
        &mut self,
        section: &Section<'_, '_>,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        right: &str,
    ) -> Option<T> {
        let why = format!("is {}; it must be {right}", say_type(value.get_ref()));
        self.fault(section, key, &value.span(), why);
        None
    }
}

fn say_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Reads `250ms`, `1s`, `1.5s`, `2m`, `1h`, `1d`; `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.trim_start() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()
}

/// Writes a duration as a config would: `250ms`, `1s`, `2m`.
#[must_use]
pub fn say_duration(span: Duration) -> String {
    let millis = span.as_millis();
    match millis {
        0 => "0s".into(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_counted_from_one_and_begins_behind_its_predecessor() {
        let doc = Document::new("a = 1\n\nb = 2\n");
        let lines = [0, 5, 6, 7, 12, 13, 99].map(|at| doc.line(&(at..at)));
        assert_eq!(lines, [1, 1, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn durations_need_a_unit_and_come_back_as_written() {
        for text in ["250ms", "1s", "2m", "3h", "1500ms"] {
            assert_eq!(parse_duration(text).map(say_duration).as_deref(), Some(text));
        }
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1500)));
        for text in ["", "5", "s", "-1s", "1 fortnight", "1..5s", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text:?} was taken");
        }
    }
}

//! Rows and columns as plain values: what a table says, before anybody decides how it looks.

use super::RowKey;
use crate::model::{SafeText, Severity, Timestamp};

/// One table, rows in the order they are shown.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, filtered and sorted.
    pub rows: Vec<Row>,
    /// Rows the filter left out.
    pub hidden: usize,
    /// Why it is empty, when it is.
    pub empty: String,
    /// A line above it: `38 waiting behind 1 root   polled 0.4 s ago, took 1.1 ms`.
    pub summary: String,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its head.
    pub title: &'static str,
    /// Cells its numbers or words need; a column that takes what is left says 0.
    pub width: u16,
    /// Numbers stand right.
    pub right: bool,
    /// 0 is never dropped; higher numbers are dropped first when it is narrow.
    pub priority: u8,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub key: RowKey,
    /// How deep it stands below its root; 0 for flat tables.
    pub depth: u16,
    /// It is the last of its siblings, at each level from the root down: draws the tree's lines.
    pub last: Vec<bool>,
    /// How bad.
    pub severity: Severity,
    /// One value a column.
    pub cells: Vec<Cell>,
}

/// One value, in the unit its name says. Sorting is by value, drawing by `view`.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Not there.
    None,
    /// Words.
    Text(SafeText),
    /// A plain count.
    Count(u64),
    /// A signed or fractional plain number.
    Number(f64),
    /// Seconds.
    Seconds(f64),
    /// Seconds that it is at least.
    AtLeast(f64),
    /// Milliseconds.
    Millis(f64),
    /// 0 to 1.
    Share(f64),
    /// Bytes.
    Bytes(f64),
    /// Something a second.
    Rate(f64),
    /// A clock time.
    Time(Timestamp),
    /// A severity's glyph and word.
    Severity(Severity),
}

impl Cell {
    /// Words, cleaned.
    pub fn text(text: &str) -> Self {
        Self::Text(SafeText::new(text))
    }

    /// A value that may be missing.
    pub fn maybe<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::None, make)
    }

    /// What rows are sorted by: numbers by size, words by letters, missing values last.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        let number = |cell: &Self| match cell {
            Self::Count(n) => Some(*n as f64),
            Self::Number(x)
            | Self::Seconds(x)
            | Self::AtLeast(x)
            | Self::Millis(x)
            | Self::Share(x)
            | Self::Bytes(x)
            | Self::Rate(x) => Some(*x),
            Self::Time(at) => Some(at.as_micros() as f64),
            Self::Severity(severity) => Some(f64::from(*severity as u8)),
            Self::None | Self::Text(_) => None,
        };
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => match (number(a), number(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
        }
    }
}

//! Long runs of like waiters fold into one row that tells how many they are and opens.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::row as row_of;
use crate::app::place::FOLD;
use crate::app::{Cell, Row, RowKey};
use crate::model::TargetId;

/// As many of a kind stay in sight, those that wait longest.
const SHOWN: usize = 3;

/// Fewer than this are not worth a fold.
const FEWEST: usize = 3;

/// Trees of no more rows fit the smallest screen as they are.
const FITS: usize = 16;

/// A row of a tree, with what makes it like another.
pub(super) struct Leafy {
    /// The row as it is drawn; its `last` is set anew here.
    pub(super) row: Row,
    /// What it waits for and with which statement, literals left out. `None` never folds.
    pub(super) kind: Option<String>,
    /// How long it waits, seconds.
    pub(super) waits: Option<f64>,
}

/// What a folded row stands for.
pub(super) struct Run<'a> {
    /// The one of them that waits longest, but for those in sight.
    pub(super) first: &'a Row,
    /// How many.
    pub(super) count: u64,
    /// How long the longest waits, seconds.
    pub(super) longest: Option<f64>,
    /// They are shown below it.
    pub(super) open: bool,
}

/// The trees with their long runs folded, but for what is opened or marked.
pub(super) fn folded(
    id: &TargetId,
    all: Vec<Leafy>,
    open: &BTreeSet<RowKey>,
    marked: &[RowKey],
    cells: fn(&Run<'_>) -> Vec<Cell>,
) -> Vec<Row> {
    if all.len() <= FITS {
        return all.into_iter().map(|it| it.row).collect();
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut roots = Vec::new();
    let mut path: Vec<usize> = Vec::new();
    for (at, it) in all.iter().enumerate() {
        path.truncate(usize::from(it.row.depth));
        match path.last() {
            Some(parent) => children[*parent].push(at),
            None => roots.push(at),
        }
        path.push(at);
    }
    let mut all: Vec<Option<Leafy>> = all.into_iter().map(Some).collect();
    let mut out = Vec::new();
    // The next to draw stands at the end.
    let mut todo: Vec<Step> = roots.into_iter().rev().map(|at| Step::Row(at, Vec::new())).collect();
    while let Some(step) = todo.pop() {
        let (at, last) = match step {
            Step::Row(at, last) => (at, last),
            Step::Fold(row) => {
                out.push(*row);
                continue;
            }
        };
        let Some(it) = all[at].take() else { continue };
        let mut row = it.row;
        row.last.clone_from(&last);
        let parent = name(&row.key);
        let lines = siblings(&children[at], &children, &all, marked);
        let count = lines.len();
        for (n, line) in lines.into_iter().enumerate().rev() {
            let mut last = if last.is_empty() { vec![true] } else { last.clone() };
            last.push(n + 1 == count);
            match line {
                Line::One(at) => todo.push(Step::Row(at, last)),
                Line::Several(members) => {
                    let first = members.first().and_then(|at| all[*at].as_ref());
                    let Some(first) = first else { continue };
                    let kind = first.kind.clone().unwrap_or_default();
                    let key = RowKey::Named(id.clone(), format!("{FOLD}{parent} {kind}"));
                    let is_open = open.contains(&key);
                    let waits = members.iter().filter_map(|at| all[*at].as_ref()?.waits);
                    let run = Run {
                        first: &first.row,
                        count: members.len() as u64,
                        longest: waits.reduce(f64::max),
                        open: is_open,
                    };
                    let depth = first.row.depth;
                    let folds = Row { depth, ..row_of(key, first.row.severity, cells(&run)) };
                    if is_open {
                        let mut inner = last.clone();
                        for (n, member) in members.iter().enumerate().rev() {
                            let end = inner.len() - 1;
                            inner[end] = last[end] && n + 1 == members.len();
                            todo.push(Step::Row(*member, inner.clone()));
                        }
                        let end = last.len() - 1;
                        last[end] = false;
                    }
                    todo.push(Step::Fold(Box::new(Row { last, ..folds })));
                }
            }
        }
        out.push(row);
    }
    out
}

enum Step {
    Row(usize, Vec<bool>),
    Fold(Box<Row>),
}

enum Line {
    One(usize),
    Several(Vec<usize>),
}

/// The rows below one, like with like, in the order of the first of each kind.
fn siblings(own: &[usize], children: &[Vec<usize>], all: &[Option<Leafy>], marked: &[RowKey]) -> Vec<Line> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for at in own {
        let it = all[*at].as_ref().filter(|it| children[*at].is_empty() && !marked.contains(&it.row.key));
        match it.and_then(|it| it.kind.as_deref()) {
            Some(kind) => {
                let run = *known.entry(kind).or_insert(runs.len());
                if run == runs.len() {
                    runs.push(Vec::new());
                }
                runs[run].push(*at);
            }
            None => runs.push(vec![*at]),
        }
    }
    let mut lines = Vec::new();
    for mut run in runs {
        let rest = if run.len() >= SHOWN + FEWEST { run.split_off(SHOWN) } else { Vec::new() };
        lines.extend(run.into_iter().map(Line::One));
        if !rest.is_empty() {
            lines.push(Line::Several(rest));
        }
    }
    lines
}

fn name(key: &RowKey) -> String {
    match key {
        RowKey::Backend(_, key) => format!("{}@{}", key.pid, key.started.as_micros()),
        RowKey::Named(_, name) => name.clone(),
        RowKey::Target(id) => id.to_string(),
        RowKey::Event(number) => number.to_string(),
    }
}

/// A statement without its literals: numbers and quoted text become `?`.
pub(super) fn shape(query: &str) -> String {
    let mut out = String::new();
    let mut rest = query.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        if c == '\'' {
            while rest.next().is_some_and(|c| c != '\'') {}
            out.push('?');
        } else if c.is_ascii_digit() && !before.is_alphanumeric() && before != '_' && before != '$' {
            while rest.next_if(|c| c.is_ascii_digit() || *c == '.').is_some() {}
            out.push('?');
        } else {
            out.push(c);
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn a_shape_has_no_literals() {
        assert_eq!(
            shape("UPDATE t1 SET a = 12.5 WHERE b = 'x y' AND c = $2"),
            "UPDATE t1 SET a = ? WHERE b = ? AND c = $2"
        );
        assert_eq!(shape("SELECT 'open"), "SELECT ?");
    }
}

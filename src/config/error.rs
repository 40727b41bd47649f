//! What is wrong with a config: file, line, key, why, and what would be right.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Everything that is wrong with one config file; all of it, so that one run is enough to mend it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub path: PathBuf,
    /// What is wrong, in the file's order; never empty.
    pub faults: Vec<Fault>,
}

impl ConfigError {
    /// One fault that concerns the file as a whole.
    #[must_use]
    pub fn whole(path: PathBuf, why: &str) -> Self {
        Self { path, faults: vec![Fault { line: None, key: String::new(), why: why.to_owned() }] }
    }
}

impl fmt::Display for ConfigError {
    /// One line a fault: `warroom.toml:12: environment.confirm: "yes" is …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.path.display())?;
            if let Some(line) = fault.line {
                write!(f, ":{line}")?;
            }
            if !fault.key.is_empty() {
                write!(f, ": {}", fault.key)?;
            }
            write!(f, ": {}", fault.why)?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line of the file, from 1.
    pub line: Option<usize>,
    /// The key, in words: `every of target "primary"`. Empty when it concerns the whole file.
    pub key: String,
    /// Why, and what would be right. Never the value of a key that may hold a password.
    pub why: String,
}

/// The name out of `known` that was probably meant by `given`.
pub(super) fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = given.chars().count() / 3 + 1;
    known
        .into_iter()
        .map(|name| {
            let cut_short = given.len() >= 3 && name.starts_with(given);
            (if cut_short { 1 } else { distance(&given.to_lowercase(), name) }, name)
        })
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean "every"?`, or the list of what is known.
pub(super) fn instead(given: &str, known: &[&str]) -> String {
    match suggestion(given, known.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None => format!("known are {}", known.join(", ")),
    }
}

/// Edits between two words; two neighbours swapped count as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if swap {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_guessed_and_another_word_is_not() {
        let known = ["every", "timeout", "slow_after"];
        assert_eq!(suggestion("evrey", known), Some("every"));
        assert_eq!(suggestion("slowafter", known), Some("slow_after"));
        assert_eq!(suggestion("colour", known), None);
    }
}

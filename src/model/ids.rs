//! Names that must not be mixed up: each is a type of its own, checked where it enters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::Timestamp;

/// Why a name was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum IdError {
    /// A target id holds something else than letters, digits, `-`, `_`, `.` or `/`.
    #[error("target id {0:?} must be 1 to 64 of a-z A-Z 0-9 - _ . (a row below it follows a /)")]
    Target(String),
    /// A namespace prefix that could touch more than it says.
    #[error("namespace prefix {0:?} {1}")]
    Namespace(String, &'static str),
}

/// The id of a target, or of a row below one: `primary`, `edge/app`, `jobs/mail`.
///
/// Cheap to clone. A row's id starts with its target's id and a slash; what follows the slash
/// came from a server and may hold anything printable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(Arc<str>);

impl TargetId {
    /// Parses the id of a configured target.
    ///
    /// # Errors
    /// When the text is empty, longer than 64 bytes or holds a character outside the id alphabet.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > 64 || !text.chars().all(legal) {
            return Err(IdError::Target(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The id of a row below this target, such as a queue or a proxy's backend.
    #[must_use]
    pub fn row(&self, name: &str) -> Self {
        let clean: String = name.chars().filter(|c| !c.is_control()).collect();
        Self(format!("{}/{clean}", self.0).into())
    }

    /// The target this id belongs to: itself, or what stands before the first slash.
    #[must_use]
    pub fn target(&self) -> Self {
        match self.0.split_once('/') {
            Some((head, _)) => Self(head.into()),
            None => self.clone(),
        }
    }

    /// The name of the target this id belongs to.
    #[must_use]
    pub fn target_name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(head, _)| head)
    }

    /// Whether both belong to the same target.
    #[must_use]
    pub fn same_target(&self, other: &Self) -> bool {
        self.target_name() == other.target_name()
    }

    /// The row's name below its target, if this is a row.
    #[must_use]
    pub fn row_name(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_, row)| row)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for TargetId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('/') {
            Some((head, row)) => Self::parse(head).map(|id| id.row(row)),
            None => Self::parse(text),
        }
    }
}

impl Serialize for TargetId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TargetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One server process of PostgreSQL: a pid alone is reused, a pid with its start is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackendKey {
    /// Process id on the server.
    pub pid: i32,
    /// `backend_start`, to the microsecond.
    pub started: Timestamp,
}

/// A cache namespace: a literal key prefix that ends at a separator. Never empty, never a glob.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Namespace {
    /// What the operator calls it.
    pub name: String,
    /// The literal prefix every key of it starts with; glob characters in it mean themselves.
    pub prefix: String,
    /// Never cleared (sessions, queues, locks).
    #[serde(default)]
    pub protected: bool,
    /// A key with the number that the application puts into its keys: raised, the old ones are read no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_key: Option<String>,
}

impl Namespace {
    /// Checks a namespace before anything else may see it.
    ///
    /// # Errors
    /// When the prefix is shorter than three bytes, holds control characters, or does not end at
    /// a separator (one of `: / . - _ | #` or a closing bracket), so that it could cut a name in half.
    pub fn parse(name: &str, prefix: &str, protected: bool) -> Result<Self, IdError> {
        let refuse = |why| Err(IdError::Namespace(prefix.to_owned(), why));
        if name.is_empty() || name.chars().any(char::is_control) {
            return refuse("needs a printable name");
        }
        if prefix.len() < 3 {
            return refuse("is shorter than 3 bytes: it would match too much");
        }
        if prefix.chars().any(char::is_control) {
            return refuse("holds control characters");
        }
        if !prefix.ends_with([':', '/', '.', '-', '_', '|', '#', '}', ']', ')']) {
            return refuse(
                "must end at a separator (one of : / . - _ | # } ] )), or \"user\" would also clear \"users:\"",
            );
        }
        Ok(Self { name: name.to_owned(), prefix: prefix.to_owned(), protected, version_key: None })
    }

    /// The `MATCH` pattern that finds exactly this prefix: every glob character escaped, then `*`.
    #[must_use]
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + 8);
        for c in self.prefix.chars() {
            if matches!(c, '\\' | '*' | '?' | '[' | ']' | '^') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }
}

/// Ties a journal's intent to its outcome: unique per act on a bastion.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub String);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_literal_prefix_that_ends_at_a_separator() {
        for bad in ["", "*", "ab", "user", "cache:\n:", "cache:*"] {
            assert!(Namespace::parse("n", bad, false).is_err(), "{bad:?} was taken");
        }
        let odd = Namespace::parse("n", r"a*b?[c]\d:", false).expect("legal");
        assert_eq!(odd.pattern(), r"a\*b\?\[c\]\\d:*");
    }

    #[test]
    fn a_row_belongs_to_its_target() {
        let jobs = TargetId::parse("jobs").expect("legal");
        let row = jobs.row("a/b\u{1b}c");
        assert_eq!(row.as_str(), "jobs/a/bc");
        assert_eq!(row.target(), jobs);
        assert!(row.same_target(&jobs) && jobs.same_target(&jobs.row("other")));
        let longer = TargetId::parse("jobs2").expect("legal");
        assert!(!longer.same_target(&jobs) && !row.same_target(&longer.row("mail")));
        assert_eq!(row.row_name(), Some("a/bc"));
        assert!(TargetId::parse("no slash/here").is_err());
    }
}

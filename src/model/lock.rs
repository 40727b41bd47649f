//! Locks in the words of people, and what an end would free.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// A lock that a session wants, or holds where others want it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Lock {
    /// `pg_locks.locktype`: `relation`, `tuple`, `transactionid`, `advisory` …
    pub kind: SafeText,
    /// What it is on: `orders`, `42`; empty where the server does not tell.
    pub on: SafeText,
    /// `RowExclusive`, `AccessExclusive` …; empty where it is not known.
    pub mode: SafeText,
}

impl Lock {
    /// What a session wants that waits with this wait event, so far as the event alone tells.
    #[must_use]
    pub fn of_event(event: &SafeText) -> Self {
        Self { kind: event.clone(), ..Self::default() }
    }

    /// The thing without the mode: `a row of orders`, `table orders`, `advisory lock 42`.
    #[must_use]
    pub fn thing(&self) -> String {
        let of = |thing: &str, unknown: &str| {
            if self.on.is_empty() { unknown.to_owned() } else { format!("{thing}{}", self.on) }
        };
        match self.kind.as_str() {
            "tuple" | "transactionid" => of("a row of ", "a row another changed"),
            "relation" => of("table ", "a table"),
            "advisory" => of("advisory lock ", "an advisory lock"),
            "extend" => of("room in table ", "room in a table"),
            "page" => of("a page of ", "a page"),
            "virtualxid" => "the end of older transactions".into(),
            "spectoken" => "a row being inserted".into(),
            "object" => "an object of the catalog".into(),
            "userlock" => "a user lock".into(),
            "frozenid" => "the catalog's age".into(),
            "applytransaction" => "a replicated transaction".into(),
            "" => "a lock".into(),
            other => format!("a lock of kind {other}"),
        }
    }

    /// As it stands in a tree: `a row of orders`, `orders AccessExclusive`.
    #[must_use]
    pub fn line(&self) -> String {
        match self.kind.as_str() {
            "tuple" | "transactionid" => self.thing(),
            _ => self.told(" "),
        }
    }

    /// Name and mode in short: `orders, RowExclusive`.
    #[must_use]
    pub fn short(&self) -> String {
        self.told(", ")
    }

    fn told(&self, between: &str) -> String {
        let on = match (self.kind.as_str(), self.on.is_empty()) {
            ("relation" | "tuple" | "transactionid", false) => self.on.to_string(),
            _ => self.thing(),
        };
        if self.mode.is_empty() { on } else { format!("{on}{between}{}", self.mode) }
    }
}

/// What the end of some sessions would free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Freed {
    /// Sessions that wait for nobody else: they go on at once.
    pub now: u32,
    /// Sessions that go on in the end, one after the other.
    pub in_all: u32,
    /// Sessions that wait behind them and behind somebody else too.
    pub still_blocked: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_without_the_words_of_the_server() {
        let lock = |kind: &str, on: &str, mode: &str| Lock {
            kind: SafeText::new(kind),
            on: SafeText::new(on),
            mode: SafeText::new(mode),
        };
        assert_eq!(lock("transactionid", "orders", "Share").thing(), "a row of orders");
        assert_eq!(lock("transactionid", "", "Share").thing(), "a row another changed");
        assert_eq!(lock("relation", "orders", "AccessExclusive").thing(), "table orders");
        assert_eq!(lock("relation", "orders", "AccessExclusive").short(), "orders, AccessExclusive");
        assert_eq!(lock("relation", "orders", "AccessExclusive").line(), "orders AccessExclusive");
        assert_eq!(lock("tuple", "orders", "AccessExclusive").line(), "a row of orders");
        assert_eq!(lock("advisory", "1, 2", "Share").line(), "advisory lock 1, 2 Share");
        assert_eq!(Lock::of_event(&SafeText::new("relation")).line(), "a table");
        assert_eq!(lock("advisory", "42", "Exclusive").short(), "advisory lock 42, Exclusive");
    }
}

//! Whether the sessions a plan names still are what was shown, and in words what changed.

use std::fmt;
use std::str::FromStr;

use super::{BackendKey, Plan, SafeText, Timestamp};

/// One session as a plan saw it: written into [`Plan::identity`], read back when it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenSession {
    /// The very session.
    pub key: BackendKey,
    /// Start of its transaction; `None` where none was open.
    pub transaction: Option<Timestamp>,
    /// Start of its statement, where that very statement is meant.
    pub statement: Option<Timestamp>,
    /// It was meant for what it did then (it held others up, or stood idle): another transaction of the
    /// same session is another matter.
    pub bound: bool,
}

impl fmt::Display for SeenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros =
            |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.as_micros().to_string());
        let bound = if self.bound { "bound" } else { "free" };
        let (pid, started) = (self.key.pid, self.key.started.as_micros());
        write!(f, "{pid} {started} {} {} {bound}", micros(self.transaction), micros(self.statement))
    }
}

impl FromStr for SeenSession {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let micros = |text: &str| text.parse().map(Timestamp::from_micros).map_err(|_| ());
        let maybe = |text: &str| if text == "-" { Ok(None) } else { micros(text).map(Some) };
        let parts: Vec<&str> = text.split(' ').collect();
        let [pid, started, transaction, statement, bound] = parts.as_slice() else { return Err(()) };
        Ok(Self {
            key: BackendKey { pid: pid.parse().map_err(|_| ())?, started: micros(started)? },
            transaction: maybe(transaction)?,
            statement: maybe(statement)?,
            bound: *bound == "bound",
        })
    }
}

impl SeenSession {
    /// The identity of a plan on these.
    #[must_use]
    pub fn identity(all: &[Self]) -> String {
        all.iter().map(Self::to_string).collect::<Vec<_>>().join("; ")
    }

    /// What makes `now` another matter than this.
    fn change(&self, now: &Self) -> Option<String> {
        let pid = self.key.pid;
        if self.key != now.key {
            return Some(format!("pid {pid} is another session now"));
        }
        if self.statement.is_some() && self.statement != now.statement {
            return Some(match now.statement {
                Some(_) => format!("pid {pid} runs another statement now"),
                None => format!("the statement of pid {pid} has ended"),
            });
        }
        match (self.transaction, now.transaction) {
            _ if !self.bound => None,
            (before, after) if before == after => None,
            (Some(_), None) => Some(format!("pid {pid} has ended its transaction by itself")),
            (Some(_), Some(_)) => Some(format!("pid {pid} is in another transaction now")),
            (None, _) => Some(format!("pid {pid} has begun a transaction")),
        }
    }
}

/// What changed from one identity to another so that the plan must be looked at again. Of several sessions
/// some may have ended: what is left is still what was meant.
#[must_use]
pub fn identity_change(shown: &str, now: &str) -> Option<String> {
    if shown == now {
        return None;
    }
    let read = |text: &str| text.split("; ").map(str::parse).collect::<Result<Vec<SeenSession>, ()>>();
    let (Ok(before), Ok(after)) = (read(shown), read(now)) else {
        return Some("it is not what it was when this came up".into());
    };
    let known = |one: &SeenSession| before.iter().find(|other| other.key.pid == one.key.pid);
    after.iter().find_map(|one| match known(one) {
        Some(shown) => shown.change(one),
        None => Some(format!("pid {} was not among those that were shown", one.key.pid)),
    })
}

impl Plan {
    /// Why this plan, read later, is no longer the one that was shown; `None` while it is.
    #[must_use]
    pub fn change_since(&self, shown: &Self) -> Option<SafeText> {
        identity_change(&shown.identity, &self.identity).map(|says| SafeText::new(&says))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pid: i32, transaction: Option<i64>, bound: bool) -> SeenSession {
        SeenSession {
            key: BackendKey { pid, started: Timestamp::from_micros(7) },
            transaction: transaction.map(Timestamp::from_micros),
            statement: None,
            bound,
        }
    }

    fn change(shown: &[SeenSession], now: &[SeenSession]) -> Option<String> {
        identity_change(&SeenSession::identity(shown), &SeenSession::identity(now))
    }

    #[test]
    fn what_changed_is_told_and_what_does_not_matter_is_not() {
        let holder = seen(1, Some(5), true);
        assert_eq!(change(&[holder], &[holder]), None);
        let says = |now: SeenSession| change(&[holder], &[now]).expect("changed");
        assert!(says(seen(1, None, true)).contains("has ended its transaction"));
        assert!(says(seen(1, Some(6), false)).contains("another transaction"));
        let mut reused = holder;
        reused.key.started = Timestamp::from_micros(8);
        assert!(says(reused).contains("another session"));
        // It was meant as a session, whatever it does.
        assert_eq!(change(&[seen(1, Some(5), false)], &[seen(1, Some(6), true)]), None);
        // Of two one has ended; a third was never shown.
        assert_eq!(change(&[holder, seen(2, None, false)], &[seen(2, None, false)]), None);
        assert!(change(&[holder], &[holder, seen(3, None, false)]).is_some());
        assert!(identity_change("x1", "x2").is_some());
    }

    #[test]
    fn another_statement_is_another_matter_where_a_statement_is_meant() {
        let mut shown = seen(1, Some(5), false);
        shown.statement = Some(Timestamp::from_micros(9));
        let mut now = shown;
        now.statement = Some(Timestamp::from_micros(10));
        assert!(change(&[shown], &[now]).expect("changed").contains("another statement"));
        now.statement = None;
        assert!(change(&[shown], &[now]).expect("changed").contains("has ended"));
    }
}

//! How a namespace is cleared: how fast, which of its keys, and what becomes of them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// How a namespace is cleared. The default removes every key, gently.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clearing {
    /// How fast.
    pub pace: Pace,
    /// What becomes of the keys.
    pub way: Way,
    /// Only keys of this type, as the server names it: `string`, `hash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_type: Option<String>,
    /// Only keys that nobody has read or written for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
}

/// How fast a clear goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// A good half of the server's time at most, in pieces that others hardly feel; slower when they do.
    #[default]
    Gentle,
    /// As fast as the server goes without holding others up for long.
    Full,
}

/// What becomes of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Removed.
    #[default]
    Remove,
    /// Each expires at a random moment within so many milliseconds, none later than it would anyhow.
    Expire {
        /// The window, milliseconds.
        over_ms: u64,
    },
    /// The number that the application puts into its keys is raised: the old ones are read no more.
    Renew,
}

impl Clearing {
    /// The same as flags of the command line, each with a space before it.
    #[must_use]
    pub fn flags(&self) -> String {
        let mut out = String::new();
        if self.pace == Pace::Full {
            out.push_str(" --pace full");
        }
        match self.way {
            Way::Remove => {}
            Way::Expire { over_ms } if over_ms % 1_000 == 0 => {
                write!(out, " --expire-over {}s", over_ms / 1_000).ok();
            }
            Way::Expire { over_ms } => {
                write!(out, " --expire-over {over_ms}ms").ok();
            }
            Way::Renew => out.push_str(" --bump"),
        }
        // Types are checked words: nothing in them means anything to a shell.
        if let Some(kind) = &self.only_type {
            write!(out, " --type {kind}").ok();
        }
        if let Some(seconds) = self.older_than {
            write!(out, " --older-than {seconds}s").ok();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_what_is_not_usual_and_an_older_journal_is_understood() {
        assert_eq!(Clearing::default().flags(), "");
        let how = Clearing {
            pace: Pace::Full,
            way: Way::Expire { over_ms: 600_000 },
            only_type: Some("hash".into()),
            older_than: Some(60),
        };
        assert_eq!(how.flags(), " --pace full --expire-over 600s --type hash --older-than 60s");
        let back: Clearing = serde_json::from_str(&serde_json::to_string(&how).expect("json")).expect("json");
        assert_eq!(back, how);
        assert_eq!(serde_json::from_str::<Clearing>("{}").expect("json"), Clearing::default());
    }
}

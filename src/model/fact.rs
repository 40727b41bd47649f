//! What happened in the world: the only thing that reaches the state from outside the keyboard.

use serde::{Deserialize, Serialize};

use super::{Outcome, Plan, Reading, Timestamp};

/// Something with the time at which it happened, by this machine's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct At<T> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub it: T,
}

/// One thing that happened. A session records facts; keystrokes are not facts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A target answered, or failed to.
    Reading(Reading),
    /// A deploy was marked, here or by somebody else on this bastion.
    Marked(Mark),
    /// An act was written down and is about to be done.
    Intended(Box<Plan>),
    /// An act ended.
    Settled(Box<Outcome>),
}

/// A labelled instant: a deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Unique among marks.
    pub id: String,
    /// `v8.1.2`.
    pub label: super::SafeText,
    /// Free text.
    #[serde(default)]
    pub note: super::SafeText,
    /// Who marked it: `oncall@bastion`.
    #[serde(default)]
    pub by: super::SafeText,
}

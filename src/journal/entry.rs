//! One line of the journal, and the proof that one was written.

use serde::{Deserialize, Serialize};

use crate::model::{Actor, Intent, Mark, Outcome, Plan, Timestamp};

/// The version written into every line; a reader skips nothing for a higher one, it reads what it knows.
pub(super) const VERSION: u32 = 1;

/// What a line tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Somebody is about to act.
    Intent,
    /// What came of it.
    Outcome,
    /// A deploy was marked.
    Mark,
    /// Written by a later version: shown as it is, judged as nothing.
    #[default]
    #[serde(other)]
    Other,
}

/// One line of the journal. What it does not tell is absent, not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// Version of the form.
    pub v: u32,
    /// When, by the clock of the machine that warroom ran on.
    pub at: Timestamp,
    /// What it tells.
    pub kind: EntryKind,
    /// The plan's id, or the mark's: an outcome bears the id of its intent.
    pub id: String,
    /// Who.
    pub actor: Actor,
    /// `production`.
    pub environment: String,
    /// What was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// What it would touch, as the operator was shown it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
}

/// A plan whose intent is on disk. Only the journal's writer makes one, after the fsync: no line, no act.
#[derive(Debug)]
pub struct Intended(Plan);

impl Intended {
    /// Wraps a plan that has been written and fsynced; called by the writer alone.
    pub(super) const fn written(plan: Plan) -> Self {
        Self(plan)
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.0
    }
}

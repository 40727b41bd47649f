//! One line of the journal, and the proof that one was written.

use crate::model::Plan;

/// A plan whose intent is on disk. Only the journal's writer makes one, after the fsync: no line, no act.
#[derive(Debug)]
pub struct Intended(Plan);

impl Intended {
    /// Wraps a plan that has been written and fsynced; called by the writer alone.
    #[expect(dead_code, reason = "the writer lands with the journal")]
    pub(super) const fn written(plan: Plan) -> Self {
        Self(plan)
    }

    /// The plan.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.0
    }
}

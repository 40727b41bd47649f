//! What an examination of a target found, one line a fact.

use serde::{Deserialize, Serialize};

use super::{SafeText, Severity};

/// One thing that was examined, and what mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorLine {
    /// How it is: fine, cannot be told, works by half, does not work.
    pub ok: Severity,
    /// What was found, in words; no secrets.
    pub what: SafeText,
    /// The statement, setting or step that mends it.
    pub mend: Option<SafeText>,
}

impl DoctorLine {
    /// All is well here.
    #[must_use]
    pub fn fine(what: &str) -> Self {
        Self { ok: Severity::Ok, what: SafeText::new(what), mend: None }
    }

    /// Something works by half or not at all, with what mends it (both cleaned here).
    #[must_use]
    pub fn lacking(ok: Severity, what: &str, mend: &str) -> Self {
        let mend = SafeText::new(mend);
        Self { ok, what: SafeText::new(what), mend: (!mend.is_empty()).then_some(mend) }
    }
}

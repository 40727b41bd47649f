//! What an act would touch, and what came of it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Intent, PlanId, SafeText, Timestamp};

/// What an act would touch, found out by reading only. Shown before, journalled with the intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Ties intent and outcome together in the journal.
    pub id: PlanId,
    /// What is wanted, by exact identity.
    pub intent: Intent,
    /// When the facts below were read.
    pub read_at: Timestamp,
    /// `End pid 4211 on primary`.
    pub title: SafeText,
    /// What it touches, label and text: who, state, last, holds, frees.
    pub lines: Vec<PlanLine>,
    /// What to beware of, a sentence each.
    #[serde(default)]
    pub warnings: Vec<SafeText>,
    /// The gentler choice beside it, or why there is none.
    #[serde(default)]
    pub gentler: Option<Gentler>,
    /// What `y` does, in words: `end the session`.
    pub verb: SafeText,
    /// How it must be confirmed, before the environment's own rule is laid over it.
    pub confirm: Confirm,
    /// Things it touches: sessions or keys (an estimate for a clear).
    pub touches: u64,
    /// Sessions expected to go on at once.
    #[serde(default)]
    pub frees: Option<u64>,
    /// Changes when the thing meant is no longer what it was; the dialog then disarms.
    pub identity: String,
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// `who`, `state`, `holds`.
    pub label: SafeText,
    /// The text beside it.
    pub text: SafeText,
}

impl PlanLine {
    /// A line, both parts cleaned.
    #[must_use]
    pub fn new(label: &str, text: &str) -> Self {
        Self { label: SafeText::new(label), text: SafeText::new(text) }
    }
}

/// The gentler choice of a dialog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gentler {
    /// Offered under its own key, or `None` where it would do nothing.
    pub intent: Option<Intent>,
    /// `c  only cancel its statement`, or `Cancel would do nothing: no statement is running.`
    pub says: SafeText,
}

/// How an act is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// `y`.
    Key,
    /// The name is typed.
    Name(String),
}

/// Why nothing was done.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
#[error("{says}")]
pub struct Refusal {
    /// Refused, or nothing to do.
    pub kind: OutcomeKind,
    /// What, why and the mend.
    pub says: SafeText,
}

impl Refusal {
    /// Not allowed.
    #[must_use]
    pub fn refused(says: &str) -> Self {
        Self { kind: OutcomeKind::Refused, says: SafeText::new(says) }
    }

    /// Already as wanted.
    #[must_use]
    pub fn nothing_to_do(says: &str) -> Self {
        Self { kind: OutcomeKind::NothingToDo, says: SafeText::new(says) }
    }

    /// Could not be found out.
    #[must_use]
    pub fn failed(says: &str) -> Self {
        Self { kind: OutcomeKind::Failed, says: SafeText::new(says) }
    }

    /// The outcome of an act that this ended.
    #[must_use]
    pub fn ends(self, plan: &PlanId) -> Outcome {
        Outcome { says: self.says, ..Outcome::new(plan.clone(), self.kind, "") }
    }
}

/// The four ways an act can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// Done and verified.
    Done,
    /// Not allowed, or no longer what was meant.
    Refused,
    /// Tried, and it did not work or cannot be told.
    Failed,
    /// Already as wanted.
    NothingToDo,
}

impl OutcomeKind {
    /// The process exit code of an action that ended so.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused | Self::NothingToDo => 4,
            Self::Failed => 1,
        }
    }

    /// The word in JSON and journal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NothingToDo => "nothing_to_do",
        }
    }
}

/// What came of an act, measured after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The plan it ends.
    pub plan: PlanId,
    /// How it ended.
    pub kind: OutcomeKind,
    /// One sentence: `ended pid 4211; 38 of 38 go on`.
    pub says: SafeText,
    /// One entry for each thing touched.
    #[serde(default)]
    pub steps: Vec<StepResult>,
    /// Sessions that no longer wait, measured.
    #[serde(default)]
    pub freed: Option<u64>,
    /// Keys that were found to belong to the namespace.
    #[serde(default)]
    pub matched: Option<u64>,
    /// Keys the server says it removed.
    #[serde(default)]
    pub deleted: Option<u64>,
    /// Keys that now expire sooner, where that was wanted instead of their removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiring: Option<u64>,
    /// The operator stopped it: neither done nor gone wrong, though its exit code is that of a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Share of lookups that hit while a namespace was cleared, 0 to 1; `None` under a hundred lookups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit_ratio: Option<f64>,
    /// The mark's id.
    #[serde(default)]
    pub mark: Option<String>,
    /// What could be done next: the next in the way, the harder way, or advice where nothing here helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextStep>,
}

/// What could be done after an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    /// Offered under a key, planned and confirmed like any other; `None` where it is only advice.
    pub intent: Option<Intent>,
    /// `end the session`, `end the next in the way, web.3 (pid 4211)`.
    pub says: SafeText,
}

impl Outcome {
    /// An outcome with nothing but its kind and its sentence.
    #[must_use]
    pub fn new(plan: PlanId, kind: OutcomeKind, says: &str) -> Self {
        Self {
            plan,
            kind,
            says: SafeText::new(says),
            steps: Vec::new(),
            freed: None,
            matched: None,
            deleted: None,
            expiring: None,
            stopped: false,
            hit_ratio: None,
            mark: None,
            next: None,
        }
    }
}

/// What came of one step: an error is an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// Done, with what was seen.
    Done(SafeText),
    /// It was gone already, or is another one now.
    AlreadyGone(SafeText),
    /// It failed, and why.
    Failed(SafeText),
    /// Not tried any more.
    Skipped(SafeText),
}

/// How far a long act has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The plan being carried out.
    pub plan: PlanId,
    /// Share done, 0 to 1.
    pub share: f64,
    /// `41 200 of about 100 000 keys, 54 000/s, slowest PING 0.4 ms`.
    pub says: SafeText,
}

/// Who acts, for the journal: `oncall@bastion from 10.0.0.7`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The operator's login name, through sudo the one who called it.
    pub user: SafeText,
    /// The machine warroom runs on.
    pub host: SafeText,
    /// Where the SSH line comes from, if it is one.
    #[serde(default)]
    pub from: Option<SafeText>,
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

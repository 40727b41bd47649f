//! What reaches `update`, and what it asks to be done.

use std::path::PathBuf;

use super::Chord;
use crate::model::{
    At, BackendKey, ExplainAsk, Explanation, Fact, Intent, Outcome, Plan, Progress, Refusal, SessionLook,
    TargetId,
};

/// Something that happened, the operator's keys included.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A fact about the world.
    Fact(At<Fact>),
    /// Readings that were lost before they got here.
    Lost(u64),
    /// A key.
    Key(Chord),
    /// Text pasted into the terminal.
    Paste(String),
    /// The terminal has another size, columns and rows.
    Resize(u16, u16),
    /// Time went on.
    Tick,
    /// A plan was made, or why not; with the number of the question.
    Planned(u64, Box<Result<Plan, Refusal>>),
    /// A statement was explained, or why not; with the number of the question.
    Explained(u64, Box<Result<Explanation, Refusal>>),
    /// A session was looked at closely, or why not; with the number of the question.
    Looked(u64, Box<Result<SessionLook, Refusal>>),
    /// A long act came further.
    Progress(Progress),
    /// An act ended; with `by` somebody else on this bastion when it was not ours.
    Ended(Box<Outcome>),
    /// Something to tell for a few seconds.
    Say(String),
}

/// Something to be done, as data.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Find out, by reading only, what an intent would touch; the number goes back with the answer.
    Plan(u64, Intent),
    /// Find out how a statement would be run; the number goes back with the answer.
    Explain(u64, Box<ExplainAsk>),
    /// Look at a session closely, by reading only; the number goes back with the answer.
    Look(u64, TargetId, BackendKey),
    /// Write the intent down, then carry it out.
    Act(Box<Plan>),
    /// End the running act at its next safe point.
    StopAct,
    /// Hold the running act, or let it go on.
    PauseAct(bool),
    /// Let the running act go at full pace, or no longer.
    HurryAct(bool),
    /// Poll every target now.
    PollNow,
    /// Draw the whole screen again.
    Redraw,
    /// Announce outside the screen: `critical` rings.
    Announce {
        /// One line.
        says: String,
        /// Ring for it.
        critical: bool,
    },
    /// Put text on the clipboard of the operator's terminal.
    Copy(String),
    /// Change to the theme of this name.
    Theme(String),
    /// Hand the terminal back to the shell until it is continued.
    Suspend,
    /// Do something to the lab in this folder.
    Lab(PathBuf, LabAsk),
    /// End the console.
    Quit,
}

/// What can be asked of the lab from inside the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabAsk {
    /// Cause this fault.
    Break(String),
    /// End every fault.
    Heal,
}

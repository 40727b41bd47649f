//! What stands over the screen and takes the keys: one at a time.

use std::time::Duration;

use super::{Command, Explaining};
use crate::detect::Behind;
use crate::model::{Confirm, Intent, Outcome, Plan, Progress, SafeText, Timestamp};

/// One thing over the screen.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The help page.
    Help,
    /// A line of input.
    Prompt(Prompt),
    /// A list to choose from.
    Menu(Menu),
    /// The dialog before an act.
    Confirm(Box<Confirming>),
    /// An act under way; only one at a time.
    Acting(Box<Acting>),
    /// How a statement would be run.
    Explain(Box<Explaining>),
}

/// A line of input.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// What it is for.
    pub input: Input,
    /// What is typed.
    pub text: String,
    /// The chosen suggestion, if one is.
    pub chosen: Option<usize>,
    /// Why the last Enter was not taken.
    pub error: Option<String>,
}

/// What a line of input is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Rows to show.
    Filter,
    /// A command of the palette.
    Palette,
    /// A deploy's label; what follows the first space is the note.
    Deploy,
    /// A time to jump to.
    Time,
}

/// A list to choose from.
#[derive(Clone, Debug)]
pub struct Menu {
    /// What is chosen.
    pub title: String,
    /// The choices.
    pub items: Vec<MenuItem>,
    /// The selected one.
    pub selected: usize,
}

/// One choice.
#[derive(Clone, Debug)]
pub struct MenuItem {
    /// What it says.
    pub says: String,
    /// What it does: a command, or the plan of an intent, or a sort column.
    pub pick: Pick,
    /// Why it cannot be chosen now; it is shown greyed with this.
    pub why_not: Option<String>,
}

/// What a choice does.
#[derive(Clone, Debug)]
pub enum Pick {
    /// Carry out a command.
    Command(Command),
    /// Plan an intent and open its dialog.
    Intent(Intent),
    /// Sort the table by this column.
    Sort(usize),
}

/// The dialog before an act.
#[derive(Clone, Debug)]
pub struct Confirming {
    /// What is wanted.
    pub intent: Intent,
    /// What would be touched; `None` while the first plan is being read.
    pub plan: Option<Plan>,
    /// How it must be confirmed, the environment's rule laid over the plan's.
    pub confirm: Confirm,
    /// How many waited behind it when this came up, where it would free anybody.
    pub waited: u64,
    /// When the plan first stood on the screen: `y` counts from [`Confirming::ARM`] later.
    pub shown_at: Option<Timestamp>,
    /// What is typed, where a name must be.
    pub typed: String,
    /// Why it can no longer be done as planned; it then only closes.
    pub disarmed: Option<SafeText>,
    /// A plan is being read again.
    pub reading: bool,
    /// When the last plan was asked for.
    pub asked_at: Timestamp,
    /// Number of the last question, so that an old answer is not taken for a new one.
    pub ask: u64,
}

impl Confirming {
    /// How long the dialog must have stood before a key counts: what was typed ahead is thrown away.
    pub const ARM: Duration = Duration::from_millis(400);

    /// Whether `y` (or Enter behind the right name) would act at `now`.
    pub fn armed(&self, now: Timestamp) -> bool {
        self.plan.is_some()
            && self.disarmed.is_none()
            && self.shown_at.is_some_and(|shown| now.since(shown) >= Self::ARM)
    }
}

/// An act under way, or just ended.
#[derive(Clone, Debug)]
pub struct Acting {
    /// What is being done.
    pub plan: Plan,
    /// When it began.
    pub began: Timestamp,
    /// How far it is, for long acts.
    pub progress: Option<Progress>,
    /// The operator asked to stop.
    pub stopping: bool,
    /// The operator holds it.
    pub paused: bool,
    /// The operator asked for full pace.
    pub hurried: bool,
    /// For a clear: the hit ratio and the load of the databases, before and now.
    pub behind: Option<Behind>,
    /// What came of it; the dialog then waits to be closed.
    pub outcome: Option<Outcome>,
}

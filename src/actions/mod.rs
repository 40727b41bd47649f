//! All code that can change a target. Nothing acts without an [`Intended`](crate::journal::Intended).

mod action;

pub use action::{Action, ProgressSink, StopFlag};

use crate::config::TargetSpec;

/// Makes what can act on a target of one kind; connects to nothing yet. The error is a sentence.
pub type MakeAction = fn(&TargetSpec) -> Result<Box<dyn Action>, String>;

/// What can act, by the kind of target it acts on.
pub const ACTIONS: &[(&str, MakeAction)] = &[];

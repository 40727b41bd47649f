//! How the state changes: one file a concern. Never waits, never reads a clock, never fails.

mod acting;
mod clock;
mod comeback;
mod commands;
mod confirm;
mod dispatch;
mod explain;
mod facts;
mod hints;
mod keys;
mod look;
mod many;
mod menu;
mod moves;
mod palette;
mod prompt;
mod queues;
mod servers;
mod settle;
mod targeting;
mod tell;
mod travel;

pub use dispatch::update;
pub use hints::{Hint, hints};
pub use palette::{Suggestion, suggest};
pub use settle::settle;
pub use targeting::why_not;

use super::{App, Effect};

/// What a command leads to, or why it cannot be done, in words for the operator.
type Done = Result<Vec<Effect>, String>;

/// Nothing to be done outside the state.
const DONE: Done = Ok(Vec::new());

/// Tells why a command could not be done, in passing; else hands on what it leads to.
fn or_say(app: &mut App, done: Done) -> Vec<Effect> {
    match done {
        Ok(effects) => effects,
        Err(why) => {
            tell::warn(app, why);
            Vec::new()
        }
    }
}

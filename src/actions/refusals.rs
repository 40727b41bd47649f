//! What every action says where it does not act, or cannot tell whether it did: in the same words everywhere.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::timeout;

use crate::model::{Intent, Refusal, TargetId};

/// Refuses what is meant for another target than `own`.
pub(super) fn meant_for(intent: &Intent, own: &TargetId) -> Result<(), Refusal> {
    match intent.target() {
        Some(target) if target == own => Ok(()),
        Some(target) => Err(Refusal::refused(&format!("meant for {target}, but this is {own}"))),
        None => Err(Refusal::refused(&format!("names no target, but this is {own}"))),
    }
}

/// The thing meant is another by now.
pub(super) fn changed() -> Refusal {
    Refusal::refused("it is not what it was when it was planned: nothing was done")
}

/// It was sent, and its answer is missing or makes no sense.
pub(super) fn unknown(why: &impl Display) -> Refusal {
    Refusal::failed(&format!("unknown whether it was done ({why}): look again"))
}

/// It was taken, and what came of it could not be looked at.
pub(super) fn unseen(why: &impl Display) -> Refusal {
    Refusal::failed(&format!("sent, but unknown whether it was done ({why}): look again"))
}

/// An answer that is waited for no longer than `patience`.
pub(super) async fn answer<E: Display>(
    patience: Duration,
    asked: impl Future<Output = Result<String, E>>,
) -> Result<String, Refusal> {
    match timeout(patience, asked).await {
        Ok(answer) => answer.map_err(|error| Refusal::failed(&error.to_string())),
        Err(_elapsed) => Err(Refusal::failed(&format!("no answer within {patience:.0?}"))),
    }
}

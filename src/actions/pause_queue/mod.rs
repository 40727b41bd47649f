//! Pauses and resumes queues, by the library's own switch and nothing else: no job is touched.
//! One atomic step on what was planned, read back afterwards.

mod bullmq;
mod redis_door;
mod redis_switch;
mod sql_switch;
mod words;

use super::action::BriefAction;
use super::refusals::meant_for;
use crate::config::TargetSpec;
use crate::journal::Intended;
use crate::model::{
    Intent, Outcome, OutcomeKind, PauseReach, Plan, QueueChange, Refusal, SafeText, StepResult, pause_reach,
};

/// What can be done to the queues of one target.
pub struct QueueActions {
    spec: TargetSpec,
}

/// What is wanted of which queue.
#[derive(Clone, Copy)]
struct Wish<'i> {
    /// `None` is all of them.
    queue: Option<&'i str>,
    to: QueueChange,
}

/// Longest name of a queue that is believed.
const LONGEST: usize = 512;

impl QueueActions {
    /// Connects at the first plan.
    #[must_use]
    pub fn new(spec: &TargetSpec) -> Self {
        Self { spec: spec.clone() }
    }

    /// What an intent wants, if it is meant for this target and the library can be told so.
    fn wish<'i>(&self, intent: &'i Intent) -> Result<Wish<'i>, Refusal> {
        let Intent::PauseQueue { target: _, queue, to } = intent else {
            return Err(Refusal::refused(&format!("worker queues cannot {}", intent.name())));
        };
        meant_for(intent, &self.spec.id)?;
        let queue = queue.as_deref();
        match (pause_reach(&self.spec.kind).map_err(Refusal::refused)?, queue) {
            (PauseReach::All, Some(_)) => Err(Refusal::refused(&format!(
                "{} has one switch for all its queues: --all, not a queue's name",
                self.spec.kind
            ))),
            (PauseReach::One, None) => Err(Refusal::refused("name the queue: each is paused by itself")),
            (PauseReach::One, Some(name))
                if name.is_empty() || name.len() > LONGEST || name.chars().any(char::is_control) =>
            {
                Err(Refusal::refused("that is no name of a queue"))
            }
            _ => Ok(Wish { queue, to: *to }),
        }
    }
}

impl BriefAction for QueueActions {
    async fn planned(&self, intent: &Intent) -> Result<Plan, Refusal> {
        let wish = self.wish(intent)?;
        match self.spec.kind.as_str() {
            "bullmq" => bullmq::plan(&self.spec, wish).await,
            "solid_queue" | "good_job" | "river" => sql_switch::plan(&self.spec, wish).await,
            _ => redis_switch::plan(&self.spec, wish).await,
        }
    }

    async fn carried_out(&self, intended: &Intended) -> Result<Outcome, Refusal> {
        let plan = intended.plan();
        let wish = self.wish(&plan.intent)?;
        let says = match self.spec.kind.as_str() {
            "bullmq" => bullmq::act(&self.spec, wish, &plan.identity).await,
            "solid_queue" | "good_job" | "river" => sql_switch::act(&self.spec, wish, &plan.identity).await,
            _ => redis_switch::act(&self.spec, wish, &plan.identity).await,
        }?;
        let steps = vec![StepResult::Done(SafeText::new(&says))];
        Ok(Outcome { steps, ..Outcome::new(plan.id.clone(), OutcomeKind::Done, &says) })
    }
}

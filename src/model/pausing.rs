//! Which queue libraries can be told from outside to leave a queue alone for a while, and how far that reaches.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

/// What becomes of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueChange {
    /// No worker takes another job from it; what is under way is finished.
    Pause,
    /// Its jobs are taken again.
    Resume,
}

impl QueueChange {
    /// `pause`, `resume`: as the command line writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// How far a pause reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReach {
    /// One queue.
    One,
    /// All queues of the target together: the library has one switch.
    All,
}

/// How far a pause reaches on a target of this kind.
///
/// # Errors
/// Why there is none, and what to do instead.
pub fn pause_reach(kind: &str) -> Result<PauseReach, &'static str> {
    match kind {
        "asynq" | "bullmq" | "solid_queue" | "good_job" | "river" => Ok(PauseReach::One),
        "rq" | "resque" => Ok(PauseReach::All),
        "sidekiq" => Err("only Sidekiq Pro looks at paused queues; quiet a process of it with TSTP"),
        "oban" => Err("Oban keeps no note of a pause that could be verified: Oban.pause_queue(queue: …)"),
        "laravel" => Err("Laravel keeps pauses in the app's cache: php artisan queue:pause"),
        "celery" => Err("Celery's workers are told one by one: celery control cancel_consumer QUEUE"),
        "rabbitmq" => Err("RabbitMQ cannot hold a queue back: stop those that read it"),
        _ => Err("this library has no way to hold a queue back: stop its workers"),
    }
}

/// Whether a connection that calls itself `name` is one on which a worker of this `BullMQ` queue waits for jobs.
#[must_use]
pub fn bullmq_worker(prefix: &str, queue: &str, name: &str) -> bool {
    let ours = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(':'));
    let rest = ours.and_then(|rest| rest.strip_prefix(BASE64_STANDARD.encode(queue).as_str()));
    // From version 5 on a worker may have a name of its own behind the queue's.
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(":w:"))
}

#[cfg(test)]
mod tests {
    use super::bullmq_worker;

    #[test]
    fn a_worker_is_known_by_its_queue() {
        assert!(bullmq_worker("bull", "mail", "bull:bWFpbA=="));
        assert!(bullmq_worker("bull", "mail", "bull:bWFpbA==:w:eu-1"));
        for other in ["", "bull:bWFpbA==:qe", "bull:bWFpbHM=", "mine:bWFpbA==", "bullbWFpbA=="] {
            assert!(!bullmq_worker("bull", "mail", other), "{other}");
        }
    }
}

//! What one look at the worker queues of a target saw.

use serde::{Deserialize, Serialize};

use super::{Broker, Missing, SafeText};

/// Kinds of target that answer for worker queues.
pub const QUEUE_KINDS: &[&str] = &[
    "rq",
    "celery",
    "sidekiq",
    "bullmq",
    "dramatiq",
    "arq",
    "resque",
    "asynq",
    "laravel",
    "redis_list",
    "redis_stream",
    "sql",
    "procrastinate",
    "graphile_worker",
    "solid_queue",
    "good_job",
    "que",
    "oban",
    "river",
    "pgmq",
    "rabbitmq",
];

/// Those of them that keep their queues in a PostgreSQL.
pub const SQL_QUEUE_KINDS: &[&str] =
    &["sql", "procrastinate", "graphile_worker", "solid_queue", "good_job", "que", "oban", "river", "pgmq"];

/// One raw sample of all queues of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSample {
    /// The queues, in the order the config names them, else by name.
    pub queues: Vec<Queue>,
    /// Workers alive that serve any queue of the target, where the technology tells.
    pub workers: Option<u32>,
    /// What the technology counts for all queues together only.
    pub shared: SharedCounts,
    /// The servers that keep the queues, where they tell of themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<Broker>,
    /// Queues left out because of the row cap.
    pub left_out: u32,
    /// What could not be read, and why.
    pub missing: Vec<Missing>,
}

/// Counts that belong to all queues of a target together. What is counted by queue is `None` here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharedCounts {
    /// Jobs taken and not finished.
    pub in_flight: Option<u64>,
    /// Of those, jobs taken so long ago that they will be handed out again.
    pub orphaned: Option<u64>,
    /// Jobs for later.
    pub scheduled: Option<u64>,
    /// Of those, jobs whose time has passed.
    pub overdue: Option<u64>,
    /// How long the longest overdue of them has been, seconds.
    pub overdue_for: Option<f64>,
    /// Failed jobs that will be tried again.
    pub retry: Option<u64>,
    /// Failed jobs that will not.
    pub dead: Option<u64>,
    /// Jobs ever taken out, cumulative.
    pub processed: Option<u64>,
    /// Jobs ever failed, cumulative.
    pub failed: Option<u64>,
    /// What the newest of the dead are, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dying: Vec<FailedJobs>,
}

impl SharedCounts {
    /// Gives the counts to the queue where there is only one: then they are its own.
    pub fn give_to_only(&mut self, queues: &mut [Queue]) {
        let [queue] = queues else { return };
        queue.in_flight = queue.in_flight.or(self.in_flight);
        queue.orphaned = queue.orphaned.or(self.orphaned);
        queue.scheduled = queue.scheduled.or(self.scheduled);
        queue.overdue = queue.overdue.or(self.overdue);
        queue.overdue_for = queue.overdue_for.or(self.overdue_for);
        queue.retry = queue.retry.or(self.retry);
        queue.dead = queue.dead.or(self.dead);
        queue.processed = queue.processed.or(self.processed);
        queue.failed = queue.failed.or(self.failed);
        queue.dying.append(&mut self.dying);
        *self = Self::default();
    }
}

/// One queue. A count the technology does not offer is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// Its name.
    pub name: SafeText,
    /// Jobs waiting that a worker could take now.
    pub depth: u64,
    /// How long the oldest of them has waited.
    pub oldest: QueueAge,
    /// Jobs taken and not finished.
    pub in_flight: Option<u64>,
    /// Of those, jobs whose worker is gone.
    pub orphaned: Option<u64>,
    /// Jobs for later.
    pub scheduled: Option<u64>,
    /// Of those, jobs whose time has passed: the scheduler is behind or dead.
    pub overdue: Option<u64>,
    /// How long the longest overdue of them has been, seconds.
    pub overdue_for: Option<f64>,
    /// Failed jobs that will be tried again.
    pub retry: Option<u64>,
    /// Failed jobs that will not.
    pub dead: Option<u64>,
    /// Jobs ever put in, cumulative, where the technology counts them.
    pub added: Option<u64>,
    /// Jobs ever taken out of the queue, cumulative, where the technology counts them.
    pub processed: Option<u64>,
    /// Jobs ever failed, cumulative.
    pub failed: Option<u64>,
    /// Jobs ever handed out once more because nobody said they were done, cumulative.
    pub redelivered: Option<u64>,
    /// Why nothing can be put in or taken out now: `down`, `no majority`.
    pub unusable: Option<SafeText>,
    /// Workers alive that serve it.
    pub workers: Option<u32>,
    /// Of those, workers at work.
    pub busy: Option<u32>,
    /// Workers registered that have not been heard of for too long.
    pub stale_workers: Option<u32>,
    /// How long ago all but `depth` and `oldest` was read, seconds, where many queues that rest take turns;
    /// `None`: with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_ago: Option<f64>,
    /// Held back by an operator.
    pub paused: Option<bool>,
    /// The job that has been worked on for the longest, where that is told.
    pub longest: Option<NotedJob>,
    /// The job handed out most often without having been finished, where that is told.
    pub returning: Option<NotedJob>,
    /// What the newest of its dead are, the most frequent first, where that is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dying: Vec<FailedJobs>,
}

/// Jobs that failed alike for good, among the few newest that are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedJobs {
    /// Their class or function; never their arguments.
    pub name: SafeText,
    /// The class of the error, never its message; empty where that is not told.
    pub error: SafeText,
    /// How many of those looked at.
    pub count: u64,
}

/// A job that stands out among those of its queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotedJob {
    /// Its class or function, else its id; never its arguments.
    pub name: SafeText,
    /// Who has it; empty where that is not told.
    pub worker: SafeText,
    /// How long it has been worked on, seconds.
    pub running: Option<f64>,
    /// How often it has been handed out.
    pub tries: Option<u64>,
}

/// Age of the oldest waiting job, seconds, and how well it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAge {
    /// Nothing waits.
    #[default]
    Empty,
    /// The job carries the time it was put in.
    Exact(f64),
    /// At least this long: since the job at the head was first seen there.
    AtLeast(f64),
    /// Not to be had, and why.
    Unknown(SafeText),
}

impl QueueAge {
    /// Seconds, exact or at least; `None` when nothing waits or nothing is known.
    #[must_use]
    pub const fn seconds(&self) -> Option<f64> {
        match self {
            Self::Exact(seconds) | Self::AtLeast(seconds) => Some(*seconds),
            Self::Empty | Self::Unknown(_) => None,
        }
    }
}

//! asynq: its lists, sorted sets and task hashes. Knows the layout of asynq only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `asynq`.
pub(super) const KIND: Kind = Kind {
    name: "asynq",
    says: "worker queues of asynq",
    build: QueuePoll::<layout::Asynq>::boxed,
    doctor: QueuePoll::<layout::Asynq>::doctor,
};

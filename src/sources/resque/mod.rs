//! Resque: its lists, workers and heartbeats, and the schedule of resque-scheduler. Knows their layout only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `resque`.
pub(super) const KIND: Kind = Kind {
    name: "resque",
    says: "worker queues of Resque",
    build: QueuePoll::<layout::Resque>::boxed,
    doctor: QueuePoll::<layout::Resque>::doctor,
};

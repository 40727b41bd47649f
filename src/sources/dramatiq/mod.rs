//! Dramatiq: its lists, message hashes and heartbeats. Knows the layout of Dramatiq only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `dramatiq`.
pub(super) const KIND: Kind = Kind {
    name: "dramatiq",
    says: "worker queues of Dramatiq on Redis",
    build: QueuePoll::<layout::Dramatiq>::boxed,
    doctor: QueuePoll::<layout::Dramatiq>::doctor,
};

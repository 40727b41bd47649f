//! Redis streams read by consumer groups. Knows nothing of who uses them.

mod layout;
mod parse;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `redis_stream`.
pub(super) const KIND: Kind = Kind {
    name: "redis_stream",
    says: "Redis streams with consumer groups",
    build: QueuePoll::<layout::Streams>::boxed,
    doctor: QueuePoll::<layout::Streams>::doctor,
};

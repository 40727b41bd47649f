//! Any Redis list used as a queue, whatever puts in and takes out. Knows nothing of who uses it.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `redis_list`.
pub(super) const KIND: Kind = Kind {
    name: "redis_list",
    says: "Redis lists used as queues",
    build: QueuePoll::<layout::Lists>::boxed,
    doctor: QueuePoll::<layout::Lists>::doctor,
};

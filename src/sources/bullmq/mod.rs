//! BullMQ 3 to 6: its lists, sorted sets and job hashes. Knows the layout of BullMQ only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `bullmq`.
pub(super) const KIND: Kind = Kind {
    name: "bullmq",
    says: "worker queues of BullMQ on Redis",
    build: QueuePoll::<layout::BullMq>::boxed,
    doctor: QueuePoll::<layout::BullMq>::doctor,
};

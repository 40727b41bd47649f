//! RQ: its lists, registries and worker hashes. Knows the layout of RQ only.

mod layout;
mod retries;
mod worker;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `rq`.
pub(super) const KIND: Kind = Kind {
    name: "rq",
    says: "worker queues of RQ on Redis",
    build: QueuePoll::<layout::Rq>::boxed,
    doctor: QueuePoll::<layout::Rq>::doctor,
};

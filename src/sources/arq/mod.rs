//! arq: sorted sets of due times, from which a job goes only when it is finished. Knows the layout of arq only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `arq`.
pub(super) const KIND: Kind = Kind {
    name: "arq",
    says: "worker queues of arq",
    build: QueuePoll::<layout::Arq>::boxed,
    doctor: QueuePoll::<layout::Arq>::doctor,
};

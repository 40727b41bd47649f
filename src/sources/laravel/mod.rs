//! Laravel's queues on Redis. Knows the layout of Laravel only.

mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `laravel`.
pub(super) const KIND: Kind = Kind {
    name: "laravel",
    says: "worker queues of Laravel on Redis",
    build: QueuePoll::<layout::Laravel>::boxed,
    doctor: QueuePoll::<layout::Laravel>::doctor,
};

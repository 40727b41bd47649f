//! Celery on Redis: kombu's lists, its bindings and the workers' heartbeats. Knows the layout of kombu only.

mod beats;
mod layout;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `celery`.
pub(super) const KIND: Kind = Kind {
    name: "celery",
    says: "worker queues of Celery on Redis",
    build: QueuePoll::<layout::Celery>::boxed,
    doctor: QueuePoll::<layout::Celery>::doctor,
};

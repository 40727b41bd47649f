//! Sidekiq: its lists, sorted sets and process hashes, of versions 5 to 8. Knows the layout of Sidekiq only.

mod layout;
mod process;
mod retries;

use super::Kind;
use super::queue_poll::QueuePoll;

/// The kind `sidekiq`.
pub(super) const KIND: Kind = Kind {
    name: "sidekiq",
    says: "worker queues of Sidekiq",
    build: QueuePoll::<layout::Sidekiq>::boxed,
    doctor: QueuePoll::<layout::Sidekiq>::doctor,
};

//! Sidekiq: its lists, sorted sets and process hashes, of versions 5 to 8. Knows the layout of Sidekiq only.

mod layout;
mod poll;

use super::Kind;

/// The kind `sidekiq`.
pub(super) const KIND: Kind = Kind {
    name: "sidekiq",
    says: "worker queues of Sidekiq",
    build: |spec| poll::SidekiqSource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| {
        let mut questions = redis::pipe();
        layout::ask_all(&mut questions, None);
        layout::ask_process(&mut questions, "none");
        layout::ask_queue(&mut questions, "default");
        let spec = spec.clone();
        Box::pin(async move { super::resp::doctor(&spec, &questions, layout::RULE).await })
    },
};

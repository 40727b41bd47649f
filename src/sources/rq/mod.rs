//! RQ: its lists, registries and worker hashes. Knows the layout of RQ only.

mod layout;
mod poll;

use super::Kind;

/// The kind `rq`.
pub(super) const KIND: Kind = Kind {
    name: "rq",
    says: "worker queues of RQ on Redis",
    build: |spec| poll::RqSource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| {
        let (spec, questions) = (spec.clone(), layout::rights());
        Box::pin(async move { super::resp::doctor(&spec, &questions, layout::RULE).await })
    },
};

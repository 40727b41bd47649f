//! Celery on Redis: kombu's lists, its bindings and the workers' heartbeats. Knows the layout of kombu only.

mod beats;
mod layout;
mod poll;

use super::Kind;

/// The kind `celery`.
pub(super) const KIND: Kind = Kind {
    name: "celery",
    says: "worker queues of Celery on Redis",
    build: |spec| poll::CelerySource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| {
        let mut questions = redis::pipe();
        layout::ask_all(&mut questions, None);
        layout::ask_queue(&mut questions, "celery");
        questions.cmd("SCAN").arg(0).arg("COUNT").arg(1);
        questions.cmd("SMEMBERS").arg("_kombu.binding.celery");
        let spec = spec.clone();
        Box::pin(async move { super::resp::doctor(&spec, &questions, layout::RULE).await })
    },
};

//! Redis streams read by consumer groups. Knows nothing of who uses them.

mod layout;
mod poll;

use super::Kind;

/// The rule that lets a user read all of it.
const RULE: &str = "+time +xlen +xinfo|groups +xinfo|consumers +xpending +xrange %R~*";

/// The kind `redis_stream`.
pub(super) const KIND: Kind = Kind {
    name: "redis_stream",
    says: "Redis streams with consumer groups",
    build: |spec| poll::StreamSource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| {
        let mut questions = redis::pipe();
        questions.cmd("TIME");
        for name in &spec.queues {
            layout::ask_stream(&mut questions, name);
        }
        let spec = spec.clone();
        Box::pin(async move { super::resp::doctor(&spec, &questions, RULE).await })
    },
};

//! Any Redis list used as a queue, whatever puts in and takes out. Knows nothing of who uses it.

mod poll;

use super::Kind;

/// The rule that lets a user read all of it.
const RULE: &str = "+time +llen +lrange %R~*";

/// The kind `redis_list`.
pub(super) const KIND: Kind = Kind {
    name: "redis_list",
    says: "Redis lists used as queues",
    build: |spec| poll::ListSource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| {
        let mut questions = redis::pipe();
        questions.cmd("TIME");
        for name in &spec.queues {
            questions.cmd("LLEN").arg(name);
            questions.cmd("LRANGE").arg(name).arg(0).arg(0);
        }
        let spec = spec.clone();
        Box::pin(async move { super::resp::doctor(&spec, &questions, RULE).await })
    },
};

//! Which keys a clear may touch: decided once for the namespace, and again for every single key.

use crate::config::TargetSpec;
use crate::model::Namespace;

/// How queue libraries begin their keys: clearing there loses jobs.
const QUEUES: [&str; 16] = [
    "rq:",
    "bull:",
    "asynq:",
    "resque:",
    "_kombu",
    "unacked",
    "celery",
    "dramatiq:",
    "arq:",
    "queue:",
    "queues:",
    "horizon:",
    "sidekiq:",
    "stat:processed",
    "stat:failed",
    "taskiq:",
];

/// Words in a prefix that make a second thought worth while.
const DELICATE: [(&str, &str); 5] = [
    ("sess", "people may be logged out"),
    ("lock", "locks that are held may be taken twice"),
    ("ratelimit", "rate limits start anew"),
    ("flipper", "feature switches fall back to their defaults"),
    ("spree", "open carts may be lost"),
];

/// The literal prefix to clear and the prefixes within it that stay.
#[derive(Clone, Debug)]
pub(in crate::actions) struct Guard {
    prefix: Vec<u8>,
    spared: Vec<Vec<u8>>,
}

impl Guard {
    /// Checks that the namespace may be cleared on this target.
    ///
    /// # Errors
    /// A sentence: protected, not configured, within a protected one, or a queue's own layout.
    pub(in crate::actions) fn new(spec: &TargetSpec, wanted: &Namespace) -> Result<Self, String> {
        let Some(known) = spec.namespaces.iter().find(|known| known.prefix == wanted.prefix) else {
            return Err(format!(
                "{} has no namespace with the prefix {:?} in the config",
                spec.id, wanted.prefix
            ));
        };
        if known.protected || wanted.protected {
            return Err(format!("{} is protected on {} and is never cleared", known.name, spec.id));
        }
        Namespace::parse(&known.name, &known.prefix, false).map_err(|error| error.to_string())?;
        if let Some(around) =
            spec.namespaces.iter().find(|other| other.protected && known.prefix.starts_with(&other.prefix))
        {
            return Err(format!("{} lies within {}, which is protected", known.name, around.name));
        }
        if let Some(queue) = QUEUES.iter().find(|queue| known.prefix.starts_with(*queue)) {
            return Err(format!(
                "{} begins like a queue's own keys ({queue}): jobs would be lost",
                known.prefix
            ));
        }
        let spared =
            spec.namespaces.iter().filter(|other| other.protected).map(|it| it.prefix.clone().into());
        Ok(Self { prefix: known.prefix.clone().into(), spared: spared.collect() })
    }

    /// Whether this very key may go.
    pub(in crate::actions) fn allows(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix) && !self.spared.iter().any(|spared| key.starts_with(spared))
    }

    /// Protected prefixes within the namespace, as text.
    pub(in crate::actions) fn spared_within(&self) -> Vec<String> {
        let within = self.spared.iter().filter(|spared| spared.starts_with(&self.prefix));
        within.map(|spared| String::from_utf8_lossy(spared).into_owned()).collect()
    }

    /// What might be lost, judging by the prefix's name.
    pub(in crate::actions) fn delicate(&self) -> Option<&'static str> {
        let name = String::from_utf8_lossy(&self.prefix).to_lowercase();
        DELICATE.iter().find(|(word, _)| name.contains(word)).map(|(_, why)| *why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetId;

    #[test]
    fn a_key_goes_only_when_no_protected_prefix_claims_it() {
        let mut spec = TargetSpec::new(TargetId::parse("cache").expect("legal"), "redis");
        for (name, prefix, protected) in [
            ("all", "cache:", false),
            ("login", "cache:sess:", true),
            ("jobs", "rq:", false),
            ("in", "cache:sess:x:", false),
        ] {
            spec.namespaces.push(Namespace::parse(name, prefix, protected).expect("legal"));
        }
        let guard = Guard::new(&spec, &spec.namespaces[0]).expect("may be cleared");
        assert!(guard.allows(b"cache:\xff\x00 odd"));
        assert!(!guard.allows(b"cache:sess:1"));
        assert!(!guard.allows(b"cache"));
        assert_eq!(guard.spared_within(), ["cache:sess:"]);
        for refused in 1..4 {
            assert!(Guard::new(&spec, &spec.namespaces[refused]).is_err(), "{refused}");
        }
        let unknown = Namespace::parse("other", "other:", false).expect("legal");
        assert!(Guard::new(&spec, &unknown).is_err());
    }
}

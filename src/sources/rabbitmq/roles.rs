//! What a queue is there for: work, the dead of another queue, or messages that wait for their time. Pure.
//!
//! RabbitMQ calls all of them queues. That nobody reads the dead is as it should be; that nobody reads
//! work is not.

use std::collections::{BTreeMap, BTreeSet};

/// How a queue's name ends where a library parks its dead.
const DEAD: &[&str] = &[
    "_error",
    "-error",
    ".error",
    "_skipped",
    ".dlq",
    "-dlq",
    "_dlq",
    ".dlx",
    "-dlx",
    ".xq",
    "_dead",
    "-dead",
    ".dead",
    "dead-letter",
    "dead_letter",
    "deadletter",
    "dead-letters",
    "dead_letters",
    ".failed",
    "_failed",
    "-failed",
];

/// A queue's place: virtual host and name.
pub(super) type Place = (String, String);

/// What a role is told by.
#[derive(Clone, Debug, Default)]
pub(super) struct Signs {
    /// The exchange its dead go to; empty is the default exchange.
    pub(super) dead_exchange: Option<String>,
    /// The key they go there under, in place of their own.
    pub(super) dead_key: Option<String>,
    /// Its messages die of age.
    pub(super) expires: bool,
    /// Somebody reads it, or has since we look.
    pub(super) read: bool,
}

/// What a queue is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Somebody should read it.
    Work,
    /// The dead of other queues.
    Dead,
    /// Messages that go elsewhere when their time has come.
    Delay,
}

/// The role of every queue, and the queues that the dead of others come into. `bound` tells which queues are bound to an exchange, by virtual host and exchange.
pub(super) fn roles(
    queues: &BTreeMap<Place, Signs>,
    bound: &BTreeMap<Place, BTreeSet<String>>,
) -> (BTreeMap<Place, Role>, BTreeSet<Place>) {
    let mut parked: BTreeSet<Place> = BTreeSet::new();
    for ((vhost, _), signs) in queues {
        parked.extend(targets(vhost, signs, bound));
    }
    let role = |place: &Place, signs: &Signs| {
        if signs.read {
            return Role::Work;
        }
        let goes_on = || {
            targets(&place.0, signs, bound)
                .iter()
                .filter_map(|target| queues.get(target))
                .any(|target| target.read || target.dead_exchange.is_some())
        };
        if signs.expires && signs.dead_exchange.is_some() && goes_on() {
            return Role::Delay;
        }
        let name = place.1.to_lowercase();
        let named = DEAD.iter().any(|end| name.ends_with(end));
        if named || signs.dead_exchange.is_none() && parked.contains(place) { Role::Dead } else { Role::Work }
    };
    let roles = queues.iter().map(|(place, signs)| (place.clone(), role(place, signs))).collect();
    (roles, parked)
}

/// Where the dead of a queue go, as far as that is known.
fn targets(vhost: &str, signs: &Signs, bound: &BTreeMap<Place, BTreeSet<String>>) -> Vec<Place> {
    let at = |queue: &str| (vhost.to_owned(), queue.to_owned());
    match (signs.dead_exchange.as_deref(), &signs.dead_key) {
        (Some(""), Some(key)) => vec![at(key)],
        (Some(exchange), _) => {
            bound.get(&at(exchange)).into_iter().flatten().map(|queue| at(queue)).collect()
        }
        (None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role_of(all: &[(&str, Signs)], name: &str) -> Role {
        let place = |name: &str| ("/".to_owned(), name.to_owned());
        let queues = all.iter().map(|(name, signs)| (place(name), signs.clone())).collect();
        let bound = BTreeMap::from([(place("graves"), BTreeSet::from(["mail.parked".to_owned()]))]);
        roles(&queues, &bound).0[&place(name)]
    }

    #[test]
    fn the_dead_and_the_delayed_are_no_work_but_work_without_workers_is() {
        let dies = |exchange: &str, key: Option<&str>, expires, read| Signs {
            dead_exchange: Some(exchange.to_owned()),
            dead_key: key.map(str::to_owned),
            expires,
            read,
        };
        let nothing = Signs::default();
        let all = [
            ("mail", dies("graves", None, false, true)),
            ("mail.parked", nothing.clone()),
            ("mail.retry", dies("", Some("mail"), true, false)),
            // Its messages die of age as well, but they go to a grave: nobody reading it is trouble.
            ("sms", dies("graves", None, true, false)),
            ("orders_error", nothing.clone()),
            ("orders", nothing.clone()),
            ("read_error", Signs { read: true, ..nothing }),
        ];
        let role = |name| role_of(&all, name);
        assert_eq!(
            (role("mail"), role("mail.parked"), role("mail.retry")),
            (Role::Work, Role::Dead, Role::Delay)
        );
        assert_eq!((role("sms"), role("orders"), role("read_error")), (Role::Work, Role::Work, Role::Work));
        assert_eq!(role("orders_error"), Role::Dead);
    }
}

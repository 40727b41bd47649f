//! Which machine a target runs on, as far as the place tells where it is polled.

use crate::model::TargetId;
use crate::store::{Store, Target};

/// A name of the machine a target or row runs on, the same for all that are known to run there: the address or the
/// first part of its name; empty for this one, by a loopback address or a socket. Where one is known by its name and
/// the other by its address, they are not known to be together. `None` for what is not watched.
pub(super) fn home(store: &Store, id: &TargetId) -> Option<String> {
    store.target(id).map(name)
}

/// The same of a target.
pub(super) fn name(target: &Target) -> String {
    let place = place(target).unwrap_or_default();
    let is_name = place.contains(|c: char| c.is_ascii_alphabetic()) && !place.contains(':');
    if is_name { label(place) } else { place }.to_owned()
}

/// `db1` of `db1.internal`.
fn label(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The address or name of the machine; `None` for this one.
fn place(target: &Target) -> Option<&str> {
    // A machine of a fleet is known by its own name, not by where the fleet is asked.
    let told = match target.info.id.row_name() {
        Some(name) => name.split(':').next().unwrap_or(name),
        None => address(&target.info.endpoint),
    };
    let here = told.is_empty() || told == "localhost" || told == "::1" || told.starts_with("127.");
    (!here).then_some(told)
}

/// The host part of `scheme://host:port/path`; empty for a socket or where none is given.
fn address(endpoint: &str) -> &str {
    let Some((_, rest)) = endpoint.split_once("://") else { return "" };
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    match authority.strip_prefix('[').and_then(|six| six.split_once(']')) {
        Some((six, _)) => six,
        None => authority.split(':').next().unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::TargetInfo;

    #[test]
    fn the_machine_is_read_from_the_endpoint() {
        assert_eq!(address("postgres://10.0.0.5:5432/app"), "10.0.0.5");
        assert_eq!(address("http://10.0.0.5:9100/metrics"), "10.0.0.5");
        assert_eq!(address("postgres://[::1]:5432/app"), "::1");
        assert_eq!(address("postgres:///app"), "");
        assert_eq!(address("postgres"), "");
    }

    #[test]
    fn only_what_is_known_to_be_on_one_machine_is_together() {
        let info = |(id, kind, endpoint): (&str, &str, &str)| TargetInfo {
            id: id.parse().expect("legal"),
            kind: kind.into(),
            endpoint: endpoint.into(),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
            group: String::new(),
        };
        let targets = [
            ("here", "host", "host"),
            ("lab", "postgres", "postgres://127.0.0.1:5432/app"),
            ("sock", "redis", "unix:/run/redis.sock"),
            ("primary", "postgres", "postgres://db1.internal/app"),
            ("db", "ssh", "ssh://db1"),
            ("web1", "node_exporter", "http://web1.internal:9100/metrics"),
            ("cache", "redis", "redis://10.0.0.6:6379/0"),
            ("exporter", "node_exporter", "http://10.0.0.6:9100/metrics"),
        ];
        let store = Store::new(targets.map(info));
        let of = |id: &str| home(&store, &id.parse().expect("legal")).expect("is watched");
        let together = |a: &str, b: &str| of(a) == of(b);
        for (a, b) in [("here", "lab"), ("here", "sock"), ("primary", "db"), ("cache", "exporter")] {
            assert!(together(a, b) && together(b, a), "{a} {b}");
        }
        for (a, b) in [("here", "primary"), ("primary", "web1"), ("primary", "exporter"), ("web1", "db")] {
            assert!(!together(a, b) && !together(b, a), "{a} {b}");
        }
    }
}

//! Many machines, by the Prometheus server that scrapes them: one query answers for a fleet.
//!
//! Knows the server's query API and its answer; must not know limits or other targets.

mod answer;
mod hosts_source;
mod query;

pub(super) use hosts_source::KIND;

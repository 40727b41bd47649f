//! Redis and what speaks like it, as a cache: one pipelined round trip a poll.
//! Knows the protocol and INFO; must not know queues, which are kinds of their own.

mod cluster;
mod doctor;
mod guests;
mod info;
mod inside;
mod keyspace;
mod large;
mod poll;
mod rights;
mod share;
mod slow;
mod source;
mod together;

use super::Kind;

use source::CacheSource;

/// The kind `redis`.
pub(super) const KIND: Kind = Kind {
    name: "redis",
    says: "Redis, Valkey or KeyDB as a cache",
    build: |spec| CacheSource::new(spec).map(|source| Box::new(source) as _),
    doctor: |spec| Box::pin(doctor::examine(spec.clone())),
};

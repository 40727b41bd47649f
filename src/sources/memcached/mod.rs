//! memcached as a cache: its counters by the text protocol, over one connection that is kept.
//! Knows the protocol; must not know Redis. Keys are never listed: memcached knows no namespaces.

mod source;
mod stats;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// The kind `memcached`.
pub(super) const KIND: Kind = Kind {
    name: "memcached",
    says: "memcached",
    build: |spec: &TargetSpec| {
        source::MemcachedSource::new(spec).map(|source| Box::new(source) as Box<dyn Source>)
    },
    doctor: |spec| Box::pin(source::doctor(spec.clone())),
};

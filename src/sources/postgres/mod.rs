//! PostgreSQL: who is connected, what they do, who waits for whom, and the totals.
//! Knows the statistics views; never reads a table of a user's, never waits for a user's lock.

mod ask;
mod conflicts;
mod doctor;
mod facts;
mod lanes;
mod locks;
mod logins;
mod look;
mod rows;
mod source;
mod statements;
mod waits;

pub use look::look_at_session;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// PostgreSQL 13 to 18, primaries and standbys.
pub(super) const KIND: Kind =
    Kind { name: "postgres", says: "PostgreSQL server", build, doctor: doctor::doctor };

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    source::PostgresSource::new(spec).map(|source| Box::new(source) as Box<dyn Source>)
}

//! PgBouncer: its pools, who waits for a connection, and which client stands behind which server process.
//! Knows its console (`SHOW …`, simple protocol only); reads, never pauses, kills or reloads.

mod console;
mod doctor;
mod parse;
mod source;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// PgBouncer, by its own console.
pub(super) const KIND: Kind =
    Kind { name: "pgbouncer", says: "PgBouncer connection pooler", build, doctor: doctor::doctor };

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    source::PgbouncerSource::new(spec).map(|source| Box::new(source) as Box<dyn Source>)
}

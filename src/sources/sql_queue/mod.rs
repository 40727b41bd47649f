//! Worker queues that live in a PostgreSQL: one statement a poll, the operator's own or a preset for a library.
//! Reads the queue's tables and no others; pure parts are the presets and the reading of rows.

mod doctor;
mod presets;
mod rows;
mod source;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// Any queue table, asked by a statement of the operator's.
pub(super) const SQL: Kind = kind("sql", "queues by a statement of your own, on PostgreSQL");
/// Procrastinate 3.
pub(super) const PROCRASTINATE: Kind = kind("procrastinate", "Procrastinate queues, on PostgreSQL");
/// Graphile Worker.
pub(super) const GRAPHILE_WORKER: Kind = kind("graphile_worker", "Graphile Worker tasks, on PostgreSQL");
/// Solid Queue 1.
pub(super) const SOLID_QUEUE: Kind = kind("solid_queue", "Solid Queue queues, on PostgreSQL");
/// `GoodJob` 4.
pub(super) const GOOD_JOB: Kind = kind("good_job", "GoodJob queues, on PostgreSQL");
/// Que 1 and 2.
pub(super) const QUE: Kind = kind("que", "Que queues, on PostgreSQL");
/// Oban 2.
pub(super) const OBAN: Kind = kind("oban", "Oban queues, on PostgreSQL");
/// River.
pub(super) const RIVER: Kind = kind("river", "River queues, on PostgreSQL");
/// pgmq 1.
pub(super) const PGMQ: Kind = kind("pgmq", "pgmq queues, on PostgreSQL");

const fn kind(name: &'static str, says: &'static str) -> Kind {
    Kind { name, says, build, doctor: doctor::doctor }
}

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    source::SqlQueue::new(spec).map(|source| Box::new(source) as Box<dyn Source>)
}

//! What changes seldom: limits, what the role may see, which extensions there are.

use sqlx::postgres::PgRow;
use sqlx::{Error, Row as _};

use crate::dial::as_sent;
use crate::model::Timestamp;

pub(super) const FACTS: &str = as_sent(include_str!("sql/facts_130.sql"));

/// Limits, rights, extensions.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) max_connections: u32,
    pub(super) reserved: u32,
    pub(super) started: Timestamp,
    pub(super) sees_all: bool,
    pub(super) grant: String,
    /// The schema of `pg_stat_statements`, where it is installed.
    pub(super) statements: Option<String>,
    pub(super) autovacuum_workers: u32,
    /// The statement that lets us into that schema, where we are shut out.
    pub(super) statements_grant: Option<String>,
}

/// The row of `facts_130.sql`.
pub(super) fn facts(row: &PgRow) -> Result<Facts, Error> {
    let count = |index| row.try_get::<i32, _>(index).map(|n| u32::try_from(n).unwrap_or(0));
    Ok(Facts {
        max_connections: count(0)?,
        reserved: count(1)?,
        started: Timestamp::from_micros(row.try_get(2)?),
        sees_all: row.try_get(3)?,
        grant: row.try_get(4)?,
        statements: row.try_get(5)?,
        autovacuum_workers: count(6)?,
        statements_grant: row.try_get(7)?,
    })
}

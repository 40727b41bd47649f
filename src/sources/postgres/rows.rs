//! Rows of the slower statements into the model.

use sqlx::postgres::PgRow;
use sqlx::{Error, Row as _};

use crate::dial::postgres_text as text;
use crate::model::{PreparedTransaction, Replica};

/// A standby of `replication_130.sql`; `None` for the row of a server without one.
pub(super) fn replica(row: &PgRow) -> Result<Option<Replica>, Error> {
    if !row.try_get::<bool, _>(1)? {
        return Ok(None);
    }
    Ok(Some(Replica {
        name: text(row, 2)?,
        state: text(row, 3)?,
        lag_bytes: row.try_get(4)?,
        lag_seconds: row.try_get(5)?,
    }))
}

/// The rows of `prepared_130.sql`, one for each waiter, gathered by transaction.
pub(super) fn prepared(rows: &[PgRow]) -> Result<Vec<PreparedTransaction>, Error> {
    let mut found: Vec<PreparedTransaction> = Vec::new();
    for row in rows {
        let waiter: i32 = row.try_get(0)?;
        let gid = text(row, 1)?;
        match found.iter_mut().find(|one| one.gid == gid) {
            Some(one) => one.waiters.push(waiter),
            None => found.push(PreparedTransaction {
                gid,
                owner: text(row, 2)?,
                database: text(row, 3)?,
                age: row.try_get(4)?,
                waiters: vec![waiter],
            }),
        }
    }
    Ok(found)
}

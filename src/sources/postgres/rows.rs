//! Rows of the slower statements into the model.

use sqlx::postgres::PgRow;
use sqlx::{Error, Row as _};

use crate::dial::postgres_text as text;
use crate::model::{
    DatabaseTotals, Frozen, Holder, PreparedTransaction, Replica, ReplicationSlot, Running, Setting,
};

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
        unsent_bytes: row.try_get(6)?,
        sync: text(row, 7)?,
        silent: row.try_get(8)?,
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

/// The row of `totals_*.sql`.
pub(super) fn totals(row: &PgRow) -> Result<DatabaseTotals, Error> {
    let maybe = |index| {
        row.try_get::<Option<i64>, _>(index)
            .map(|number| number.and_then(|number| u64::try_from(number).ok()))
    };
    let count = |index| maybe(index).map(Option::unwrap_or_default);
    Ok(DatabaseTotals {
        commits: count(0)?,
        rollbacks: count(1)?,
        deadlocks: count(2)?,
        temp_bytes: count(3)?,
        blocks_hit: count(4)?,
        blocks_read: count(5)?,
        temp_files: count(6)?,
        conflicts: count(7)?,
        sessions: maybe(8)?,
        sessions_seen: None,
        sessions_lost: maybe(9)?,
        wal_bytes: maybe(10)?,
        checkpoints_timed: maybe(11)?,
        checkpoints_requested: maybe(12)?,
    })
}

/// A row of `slots_130.sql`.
pub(super) fn slot(row: &PgRow) -> Result<ReplicationSlot, Error> {
    Ok(ReplicationSlot {
        name: text(row, 0)?,
        kind: text(row, 1)?,
        active: row.try_get(2)?,
        retained: row.try_get(3)?,
        wal_status: text(row, 4)?,
    })
}

/// The rows of `horizon_130.sql`: the database nearest to the end of its ids, and who holds vacuum back.
pub(super) fn horizon(rows: &[PgRow]) -> Result<(Option<Frozen>, Vec<Holder>), Error> {
    let mut frozen = None;
    let mut holders = Vec::new();
    for row in rows {
        let kind = text(row, 0)?;
        let ids = |index| {
            let number = row.try_get::<Option<i64>, _>(index);
            number.map(|number| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
        };
        if kind.as_str() == "database" {
            frozen = Some(Frozen { database: text(row, 1)?, age: ids(3)?, multixact_age: ids(4)? });
        } else {
            holders.push(Holder {
                kind,
                name: text(row, 1)?,
                pid: row.try_get(2)?,
                xids: ids(3)?,
                age: row.try_get(5)?,
                database: text(row, 6)?,
            });
        }
    }
    Ok((frozen, holders))
}

/// A row of `progress_130.sql`.
pub(super) fn running(row: &PgRow) -> Result<Running, Error> {
    Ok(Running {
        command: text(row, 0)?,
        pid: row.try_get(1)?,
        database: text(row, 2)?,
        relation: text(row, 3)?,
        phase: text(row, 4)?,
        done: row.try_get::<Option<f64>, _>(5)?.map(|done| done.clamp(0.0, 1.0)),
    })
}

/// A row of `settings_130.sql`.
pub(super) fn setting(row: &PgRow) -> Result<Setting, Error> {
    Ok(Setting { name: text(row, 0)?, value: text(row, 1)? })
}

//! Rows into the model. Text is taken as bytes: another database's encoding must not fail a poll.

use sqlx::postgres::PgRow;
use sqlx::{Error, Row as _, ValueRef as _};

use crate::model::{
    Backend, BackendKey, BackendState, PreparedTransaction, Replica, SafeText, Timestamp, Wait,
};

/// Characters of a statement that are kept.
const QUERY_LENGTH: usize = 200;

/// What the fast statement saw.
pub(super) struct Activity {
    pub(super) server_time: Timestamp,
    pub(super) in_recovery: bool,
    pub(super) backends: Vec<Backend>,
    pub(super) left_out: u32,
}

/// Reads the rows of `activity_130.sql`.
pub(super) fn activity(rows: &[PgRow]) -> Result<Activity, Error> {
    let first = rows.first().ok_or(Error::RowNotFound)?;
    let total: i64 = first.try_get(0)?;
    let server_time = Timestamp::from_micros(first.try_get(1)?);
    let in_recovery = first.try_get(2)?;
    let backends: Vec<Backend> =
        rows.iter().filter_map(|row| backend(row, server_time).transpose()).collect::<Result<_, _>>()?;
    let left_out = u32::try_from(total.saturating_sub_unsigned(rows.len() as u64)).unwrap_or(0);
    Ok(Activity { server_time, in_recovery, backends, left_out })
}

/// One session; `None` for the row of a server that shows no other session.
fn backend(row: &PgRow, now: Timestamp) -> Result<Option<Backend>, Error> {
    let Some(pid) = row.try_get::<Option<i32>, _>(3)? else { return Ok(None) };
    // Hidden from a role without pg_monitor: the epoch then stands there, which no act can match.
    let started = time(row, 4)?.unwrap_or_default();
    let age = |since: Option<Timestamp>| since.map(|since| now.seconds_since(since).max(0.0));
    let class = text(row, 12)?;
    let wait = (!class.is_empty()).then_some(Wait { class, event: text(row, 13)? });
    let query_start = time(row, 15)?;
    let blocked_by: Vec<i32> = row.try_get::<Option<Vec<i32>>, _>(19)?.unwrap_or_default();
    Ok(Some(Backend {
        key: BackendKey { pid, started },
        leader_pid: row.try_get(5)?,
        kind: text(row, 6)?,
        database: text(row, 7)?,
        user: text(row, 8)?,
        application_name: text(row, 9)?,
        client: text(row, 10)?,
        state: BackendState::from_word(text(row, 11)?.as_str()),
        wait,
        query_start,
        xact_age: age(time(row, 14)?),
        query_age: age(query_start),
        state_age: age(time(row, 16)?),
        has_written: row.try_get::<Option<bool>, _>(17)?.unwrap_or(false),
        query: statement(row, 18)?,
        blocked_by,
        wait_age: None,
    }))
}

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

/// An instant given as microseconds.
pub(super) fn time(row: &PgRow, index: usize) -> Result<Option<Timestamp>, Error> {
    Ok(row.try_get::<Option<i64>, _>(index)?.map(Timestamp::from_micros))
}

fn text(row: &PgRow, index: usize) -> Result<SafeText, Error> {
    Ok(lossy(row, index)?.map_or_else(SafeText::default, |raw| SafeText::new(&raw)))
}

/// A statement, cut after [`QUERY_LENGTH`] characters (the bytes may end amid one).
fn statement(row: &PgRow, index: usize) -> Result<SafeText, Error> {
    let raw = lossy(row, index)?.unwrap_or_default();
    Ok(SafeText::new(&raw.trim_end_matches('\u{fffd}').chars().take(QUERY_LENGTH).collect::<String>()))
}

fn lossy(row: &PgRow, index: usize) -> Result<Option<String>, Error> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.as_bytes().map_err(Error::Decode)?;
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

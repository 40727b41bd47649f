//! Everybody's sessions at one moment: what a poll and a plan both start from.
//! Text is taken as bytes: another database's encoding must not fail a look.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _, ValueRef as _};

use super::statement::as_sent;
use crate::model::{Backend, BackendKey, BackendState, SafeText, Timestamp, Wait};

const ACTIVITY: &str = as_sent(include_str!("sql/activity_130.sql"));

/// Characters of a statement that are kept.
const QUERY_LENGTH: usize = 200;

/// Everybody's sessions but the asking one.
pub struct Activity {
    /// The server's clock.
    pub server_time: Timestamp,
    /// A standby.
    pub in_recovery: bool,
    /// Those that wait or hold first; `wait_age` is left to the caller.
    pub backends: Vec<Backend>,
    /// Sessions beyond the row cap of 5 000.
    pub left_out: u32,
}

impl Activity {
    /// Asks once.
    ///
    /// # Errors
    /// What the server or the network said.
    pub async fn read(connection: &mut PgConnection) -> Result<Self, Error> {
        activity(&sqlx::query(ACTIVITY).fetch_all(connection).await?)
    }
}

fn activity(rows: &[PgRow]) -> Result<Activity, Error> {
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
        wants: None,
        holds: Vec::new(),
        process: SafeText::default(),
    }))
}

/// An instant given as microseconds.
///
/// # Errors
/// There is no such column, or it holds something else.
pub fn time(row: &PgRow, index: usize) -> Result<Option<Timestamp>, Error> {
    Ok(row.try_get::<Option<i64>, _>(index)?.map(Timestamp::from_micros))
}

/// Text of a server, in whatever encoding.
///
/// # Errors
/// There is no such column.
pub fn text(row: &PgRow, index: usize) -> Result<SafeText, Error> {
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

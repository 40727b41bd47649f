//! One session looked at closely: asked when an operator opens it, never in a poll.

use std::time::Duration;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Error, Row as _};
use tokio::time::timeout;

use crate::config::TargetSpec;
use crate::dial::{PostgresDial, as_sent, postgres_text as text};
use crate::model::{BackendKey, Lock, LookedLock, Refusal, SafeText, SessionLook, Timestamp};

const LOOK: &str = as_sent(include_str!("sql/look_130.sql"));
const HELD: &str = as_sent(include_str!("sql/held_130.sql"));
/// Longest the whole may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a statement that are kept.
const QUERY: usize = 16_000;

/// Reads what one session runs, whether it has written, and which locks it holds and wants, on a
/// connection of its own.
///
/// # Errors
/// It is gone, or the server cannot be asked.
pub async fn look_at_session(spec: &TargetSpec, key: BackendKey) -> Result<SessionLook, Refusal> {
    let dial = PostgresDial::new(spec).map_err(|why| Refusal::failed(&why))?;
    timeout(PATIENCE, look(&dial, key))
        .await
        .unwrap_or_else(|_| Err(Refusal::failed("the server did not answer within 5 s")))
}

async fn look(dial: &PostgresDial, key: BackendKey) -> Result<SessionLook, Refusal> {
    let failed = |error: Error| Refusal::failed(&dial.error(&error).to_string());
    let mut connection = dial.connect().await.map_err(|error| Refusal::failed(&error.to_string()))?;
    let row = sqlx::query(LOOK)
        .bind(key.pid)
        .bind(key.started.as_micros())
        .fetch_optional(&mut connection)
        .await
        .map_err(failed)?
        .ok_or_else(|| Refusal::nothing_to_do(&format!("pid {} is gone", key.pid)))?;
    let mut look = session(&row, key).map_err(failed)?;
    // Only from its own database do its tables have names.
    let database = row.try_get::<Option<String>, _>(1).map_err(failed)?;
    if let Some(database) = database.filter(|_| !matches!(row.try_get(2), Ok(Some(true))))
        && let Ok(closer) = dial.in_database(&database).connect().await
    {
        connection = closer;
    }
    if let Err(error) = locks(&mut look, &mut connection).await {
        look.no_locks = Some(SafeText::new(&dial.error(&error).to_string()));
    }
    Ok(look)
}

fn session(row: &PgRow, key: BackendKey) -> Result<SessionLook, Error> {
    let query = text(row, 4)?;
    let long = query.as_str().chars().count() > QUERY;
    let query =
        if long { SafeText::new(&query.as_str().chars().take(QUERY).collect::<String>()) } else { query };
    Ok(SessionLook {
        key,
        read_at: Timestamp::from_micros(row.try_get(0)?),
        xid: row.try_get::<Option<String>, _>(3)?.map(|xid| SafeText::new(&xid)),
        query,
        query_cut: long || row.try_get::<Option<bool>, _>(5)?.unwrap_or(false),
        locks: Vec::new(),
        left_out: 0,
        no_locks: None,
    })
}

async fn locks(look: &mut SessionLook, connection: &mut PgConnection) -> Result<(), Error> {
    let rows = sqlx::query(HELD).bind(look.key.pid).fetch_all(connection).await?;
    let mut all = 0;
    for row in &rows {
        let on = text(row, 3)?;
        let on = on.as_str().strip_prefix("public.").map_or_else(|| on.clone(), SafeText::new);
        all = count(row.try_get(5)?);
        look.locks.push(LookedLock {
            held: row.try_get(0)?,
            lock: Lock { kind: text(row, 1)?, on, mode: text(row, 2)? },
            count: count(row.try_get(4)?),
        });
    }
    let told: u32 = look.locks.iter().map(|one| one.count).sum();
    look.left_out = all.saturating_sub(told);
    Ok(())
}

fn count(many: i64) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

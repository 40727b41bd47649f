//! Finds the text of the statement that is meant, and whose it is.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Error, Row as _, ValueRef as _};

use crate::dial::{as_sent, postgres_text, postgres_time};
use crate::model::words::{count, span};
use crate::model::{ExplainOf, Refusal, SafeText, Timestamp};

const SESSION: &str = as_sent(include_str!("sql/session_130.sql"));
const STATISTICS: &str = as_sent(include_str!("sql/statistics_130.sql"));
/// What stands for a text that the role may not see.
const HIDDEN: &str = "<insufficient privilege>";
/// Server version from which sessions tell the `queryid` of their statement.
const QUERY_IDS: u32 = 140_000;

/// A statement, and where it came from.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) who: SafeText,
    pub(super) pid: Option<i32>,
    pub(super) query_id: Option<i64>,
    /// The database it runs in; `None` is the one connected to.
    pub(super) database: Option<String>,
    /// The role that runs it; `None` is our own.
    pub(super) role: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Why there is nothing to go on with.
pub(super) enum Lost {
    Server(Error),
    Refused(Refusal),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<Refusal> for Lost {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Finds it.
pub(super) async fn find(connection: &mut PgConnection, of: &ExplainOf) -> Result<Found, Lost> {
    match of {
        ExplainOf::Text { text, database } => {
            Ok(Found { text: text.clone(), database: database.clone(), ..Found::default() })
        }
        ExplainOf::Statistics { query_id, user, database } => {
            statistics(connection, *query_id, user.as_deref(), database.as_deref()).await
        }
        ExplainOf::Session { pid, started, query_start } => {
            session(connection, *pid, *started, *query_start).await
        }
    }
}

async fn session(
    connection: &mut PgConnection,
    pid: i32,
    started: Option<Timestamp>,
    query_start: Option<Timestamp>,
) -> Result<Found, Lost> {
    let row = sqlx::query(SESSION).bind(pid).fetch_optional(&mut *connection).await?;
    let row = row.ok_or_else(|| Refusal::nothing_to_do(&format!("no session has pid {pid} any more")))?;
    if let Some(meant) = started
        && postgres_time(&row, 0)? != Some(meant)
    {
        return Err(Refusal::refused(&format!("pid {pid} is another session now: look again")).into());
    }
    let text = text(&row, 9)?;
    let kind = postgres_text(&row, 6)?;
    if text == HIDDEN || kind.is_empty() {
        return Err(Refusal::refused("the statements of other roles are hidden: grant pg_monitor").into());
    }
    if kind.as_str() != "client backend" && kind.as_str() != "parallel worker" {
        return Err(
            Refusal::refused(&format!("pid {pid} is a {kind}: it runs no statement of a client's")).into()
        );
    }
    if text.is_empty() {
        return Err(Refusal::nothing_to_do(&format!("pid {pid} has run no statement yet")).into());
    }
    let (state, application) = (postgres_text(&row, 5)?, postgres_text(&row, 4)?);
    let name = if application.is_empty() { postgres_text(&row, 3)? } else { application };
    let lasts =
        row.try_get::<Option<f64>, _>(7)?.map_or_else(String::new, |age| format!(" for {}", span(age)));
    let mut found = Found {
        text,
        who: SafeText::new(&format!("{name} (pid {pid}), {state}{lasts}")),
        pid: Some(pid),
        database: row.try_get(2)?,
        role: row.try_get(3)?,
        ..Found::default()
    };
    if state.as_str() != "active" {
        found.notes.push("it is the last statement the session ran: it runs none now".into());
    }
    if query_start.is_some() && postgres_time(&row, 1)? != query_start {
        found.notes.push("the session runs another statement by now: this one is explained".into());
    }
    if row.try_get(8)? {
        whole(connection, &mut found, pid).await?;
    }
    Ok(found)
}

/// A text that was cut off where `track_activity_query_size` ends stands whole in the statistics, if the
/// server has them.
async fn whole(connection: &mut PgConnection, found: &mut Found, pid: i32) -> Result<(), Lost> {
    let cut = "its text is cut off at track_activity_query_size, so what would be planned is not what runs";
    let refuse = || Refusal::refused(&format!("{cut}: raise the setting, or give the text by --query-file"));
    if connection.server_version_num().is_none_or(|version| version < QUERY_IDS) {
        return Err(refuse().into());
    }
    let query_id: Option<i64> = sqlx::query_scalar("select query_id from pg_stat_activity where pid = $1")
        .bind(pid)
        .fetch_optional(&mut *connection)
        .await?
        .flatten();
    let Some(query_id) = query_id else { return Err(refuse().into()) };
    let (user, database) = (found.role.clone(), found.database.clone());
    match statistics(connection, query_id, user.as_deref(), database.as_deref()).await {
        Ok(whole) => {
            found.text = whole.text;
            found.query_id = Some(query_id);
            found
                .notes
                .push("the session shows only the start of it: the text is that of its statistics".into());
            Ok(())
        }
        Err(_not_there) => Err(refuse().into()),
    }
}

async fn statistics(
    connection: &mut PgConnection,
    query_id: i64,
    user: Option<&str>,
    database: Option<&str>,
) -> Result<Found, Lost> {
    let mut look = connection.begin().await?;
    // The extension may stand in any schema; the server quotes its name itself.
    let path = sqlx::query(
        "select set_config('search_path', 'pg_catalog, ' || quote_ident(n.nspname), true) \
         from pg_extension e join pg_namespace n on n.oid = e.extnamespace \
         where e.extname = 'pg_stat_statements'",
    );
    if path.fetch_optional(&mut *look).await?.is_none() {
        return Err(Refusal::refused(
            "there are no statement statistics in this database: create extension pg_stat_statements",
        )
        .into());
    }
    let row =
        sqlx::query(STATISTICS).bind(query_id).bind(user).bind(database).fetch_optional(&mut *look).await?;
    look.rollback().await?;
    let row = row.ok_or_else(|| {
        Refusal::nothing_to_do(&format!(
            "the statistics know no statement with queryid {query_id} (any more)"
        ))
    })?;
    let text = text(&row, 3)?;
    if text == HIDDEN {
        return Err(Refusal::refused("the statements of other roles are hidden: grant pg_monitor").into());
    }
    let calls = u64::try_from(row.try_get::<i64, _>(2)?).unwrap_or(0);
    let role = postgres_text(&row, 1)?;
    let by = if role.is_empty() { "a role that is gone".to_owned() } else { role.to_string() };
    Ok(Found {
        text,
        who: SafeText::new(&format!("queryid {query_id}, run {} times by {by}", count(calls))),
        query_id: Some(query_id),
        database: row.try_get(0)?,
        role: row.try_get(1)?,
        ..Found::default()
    })
}

/// A statement's text as it is, in whatever encoding it can be read.
fn text(row: &PgRow, index: usize) -> Result<String, Lost> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok(String::new());
    }
    let bytes = value.as_bytes().map_err(Error::Decode)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => Err(Refusal::refused("its text is not UTF-8: give it by --query-file").into()),
    }
}

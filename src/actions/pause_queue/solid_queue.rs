//! The switch is a row that workers look for whenever they poll: Solid Queue.

use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};
use tokio::time::timeout;

use super::Wish;
use super::words::{self, Found, changed};
use crate::config::TargetSpec;
use crate::dial::PostgresDial;
use crate::model::{Plan, QueueChange, Refusal, Timestamp};

const LOOK: &str = include_str!("../sql/solid_queue_look.sql");
const PAUSE: &str = "insert into solid_queue_pauses (queue_name, created_at) \
    values ($1, now() at time zone 'utc') on conflict (queue_name) do nothing";
const RESUME: &str = "delete from solid_queue_pauses where queue_name = $1 and id = $2";

/// What was seen of the switch.
struct Seen {
    found: Found,
    /// The row's id: the name can be paused again, this is not.
    row: Option<i64>,
    allowed: bool,
    grant: String,
}

pub(super) async fn plan(spec: &TargetSpec, wish: Wish<'_>) -> Result<Plan, Refusal> {
    within(spec, async {
        let mut connection = open(spec, "begin read only").await?;
        let seen = look(&mut connection, wish).await?;
        sqlx::raw_sql("rollback").execute(&mut connection).await.map_err(failed)?;
        let plan = words::plan(&spec.id, wish, &seen.found)?;
        if !seen.allowed {
            return Err(Refusal::refused(&format!(
                "the role may not change the pauses; mend: {}",
                seen.grant
            )));
        }
        Ok(plan)
    })
    .await
}

pub(super) async fn act(spec: &TargetSpec, wish: Wish<'_>, identity: &str) -> Result<String, Refusal> {
    within(spec, async {
        let mut connection = open(spec, "begin read write").await?;
        let seen = look(&mut connection, wish).await?;
        if seen.found.identity != identity {
            return Err(changed());
        }
        let queue = wish.queue.unwrap_or_default();
        let change = match wish.to {
            QueueChange::Pause => sqlx::query(PAUSE).bind(queue),
            QueueChange::Resume => sqlx::query(RESUME).bind(queue).bind(seen.row),
        };
        let changed_rows = change.execute(&mut connection).await.map_err(failed)?.rows_affected();
        if changed_rows != 1 {
            return Err(Refusal::nothing_to_do("somebody else did it just now"));
        }
        sqlx::raw_sql("commit").execute(&mut connection).await.map_err(|error| {
            Refusal::failed(&format!("unknown whether it was done ({}): look again", told(&error)))
        })?;
        let mut connection = open(spec, "begin read only").await?;
        let after = look(&mut connection, wish).await?.found;
        if after.paused != (wish.to == QueueChange::Pause) {
            return Err(Refusal::failed("it was done, and somebody else undid it at once: look again"));
        }
        Ok(words::done(wish, &after))
    })
    .await
}

/// No answer is waited for longer than the target's timeout, with room for each of three questions.
async fn within<T>(spec: &TargetSpec, asked: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let patience = spec.timeout * 3;
    timeout(patience, asked).await.unwrap_or_else(|_elapsed| {
        Err(Refusal::failed(&format!("no answer within {patience:.0?}: look again")))
    })
}

async fn open(spec: &TargetSpec, begin: &'static str) -> Result<PgConnection, Refusal> {
    let dial = PostgresDial::new(spec).map_err(|why| Refusal::refused(&why))?;
    let mut connection = dial.connect().await.map_err(|error| Refusal::failed(error.says.as_str()))?;
    sqlx::raw_sql(begin).execute(&mut connection).await.map_err(failed)?;
    let schema = spec.schema.as_deref().unwrap_or("public");
    sqlx::query("select set_config('search_path', quote_ident($1) || ', pg_catalog', true)")
        .bind(schema)
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    Ok(connection)
}

async fn look(connection: &mut PgConnection, wish: Wish<'_>) -> Result<Seen, Refusal> {
    let queue = wish.queue.unwrap_or_default();
    let row = sqlx::query(LOOK).bind(queue).fetch_one(connection).await.map_err(failed)?;
    let read = || -> Result<(Seen, bool), Error> {
        let id: Option<i64> = row.try_get(0)?;
        let count = |at: usize| row.try_get::<i64, _>(at).map(|n| u64::try_from(n).unwrap_or(0));
        let started: String = row.try_get(8)?;
        let found = Found {
            at: Timestamp::from_micros(row.try_get(9)?),
            identity: format!("{started} {queue} {}", id.map_or_else(|| "-".into(), |id| id.to_string())),
            paused: id.is_some(),
            paused_for: row.try_get(1)?,
            queues: vec![queue.to_owned()],
            waiting: count(2)?,
            under_way: count(3)?,
            workers: Some(count(4)?),
            ..Found::default()
        };
        let seen = Seen { found, row: id, allowed: row.try_get(6)?, grant: row.try_get(7)? };
        Ok((seen, row.try_get(5)?))
    };
    let (seen, known) = read().map_err(failed)?;
    if !known && seen.row.is_none() {
        return Err(Refusal::refused(&format!("there is no queue {queue:?}: no job was ever put into it")));
    }
    Ok(seen)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn failed(error: Error) -> Refusal {
    Refusal::failed(&told(&error))
}

fn told(error: &Error) -> String {
    match error {
        Error::Database(error) => format!("the server says: {}", error.message()),
        other => format!("the connection failed: {other}"),
    }
}

//! The switch is in a row that workers look for: Solid Queue, `GoodJob`, River.

use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};
use tokio::time::timeout;

use super::Wish;
use super::words::{self, Found};
use crate::actions::refusals::{changed, unknown};
use crate::config::TargetSpec;
use crate::dial::{PostgresDial, as_sent};
use crate::model::{Plan, QueueChange, Refusal, Timestamp};

/// How one library is told. Each statement changes one row, or none where somebody else was faster;
/// `$1` is the queue, `$2` what tells this pause from a later one.
struct Switch {
    schema: &'static str,
    look: &'static str,
    pause: &'static str,
    resume: &'static str,
    /// Why a queue may not be known.
    unknown: &'static str,
    beware: Option<&'static str>,
}

const SOLID_QUEUE: Switch = Switch {
    schema: "public",
    look: as_sent(include_str!("../sql/solid_queue_look.sql")),
    pause: "insert into solid_queue_pauses (queue_name, created_at) \
        values ($1, now() at time zone 'utc') on conflict (queue_name) do nothing",
    resume: "delete from solid_queue_pauses where queue_name = $1 and id::text = $2",
    unknown: "no job was ever put into it",
    beware: None,
};

const GOOD_JOB: Switch = Switch {
    schema: "public",
    look: as_sent(include_str!("../sql/good_job_look.sql")),
    pause: as_sent(include_str!("../sql/good_job_pause.sql")),
    resume: as_sent(include_str!("../sql/good_job_resume.sql")),
    unknown: "it has no job",
    beware: Some(
        "GoodJob looks at it only where the app sets config.good_job.enable_pauses = true, which cannot be \
         seen from here: watch that jobs under way end and none begins",
    ),
};

const RIVER: Switch = Switch {
    schema: "public",
    look: as_sent(include_str!("../sql/river_look.sql")),
    pause: as_sent(include_str!("../sql/river_pause.sql")),
    resume: as_sent(include_str!("../sql/river_resume.sql")),
    unknown: "no client ever worked on it",
    beware: None,
};

fn switch(spec: &TargetSpec) -> &'static Switch {
    match spec.kind.as_str() {
        "good_job" => &GOOD_JOB,
        "river" => &RIVER,
        _ => &SOLID_QUEUE,
    }
}

/// What was seen of the switch.
struct Seen {
    found: Found,
    /// What tells this pause from any other of the same name.
    mark: Option<String>,
    allowed: bool,
    grant: String,
}

pub(super) async fn plan(spec: &TargetSpec, wish: Wish<'_>) -> Result<Plan, Refusal> {
    within(spec, async {
        let mut connection = open(spec, "begin read only").await?;
        let seen = look(spec, &mut connection, wish).await?;
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
        let seen = look(spec, &mut connection, wish).await?;
        if seen.found.identity != identity {
            return Err(changed());
        }
        let queue = wish.queue.unwrap_or_default();
        let change = match wish.to {
            QueueChange::Pause => sqlx::query(switch(spec).pause).bind(queue),
            QueueChange::Resume => sqlx::query(switch(spec).resume).bind(queue).bind(seen.mark),
        };
        let changed_rows = change.execute(&mut connection).await.map_err(failed)?.rows_affected();
        if changed_rows != 1 {
            return Err(Refusal::nothing_to_do("somebody else did it just now"));
        }
        let committed = sqlx::raw_sql("commit").execute(&mut connection).await;
        committed.map_err(|error| unknown(&told(&error)))?;
        let mut connection = open(spec, "begin read only").await?;
        let after = look(spec, &mut connection, wish).await?.found;
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
    let schema = spec.schema.as_deref().unwrap_or(switch(spec).schema);
    sqlx::query("select set_config('search_path', quote_ident($1) || ', pg_catalog', true)")
        .bind(schema)
        .execute(&mut connection)
        .await
        .map_err(failed)?;
    Ok(connection)
}

async fn look(spec: &TargetSpec, connection: &mut PgConnection, wish: Wish<'_>) -> Result<Seen, Refusal> {
    let queue = wish.queue.unwrap_or_default();
    let row = sqlx::query(switch(spec).look).bind(queue).fetch_one(connection).await.map_err(failed)?;
    let read = || -> Result<(Seen, bool), Error> {
        let mark: Option<String> = row.try_get(0)?;
        let count = |at: usize| row.try_get::<i64, _>(at).map(|n| u64::try_from(n).unwrap_or(0));
        let workers: Option<i64> = row.try_get(4)?;
        let started: String = row.try_get(8)?;
        let found = Found {
            at: Timestamp::from_micros(row.try_get(9)?),
            identity: format!("{started} {queue} {}", mark.as_deref().unwrap_or("-")),
            paused: mark.is_some(),
            paused_for: row.try_get(1)?,
            queues: vec![queue.to_owned()],
            waiting: count(2)?,
            under_way: count(3)?,
            workers: workers.and_then(|n| u64::try_from(n).ok()),
            beware: switch(spec).beware,
            ..Found::default()
        };
        let seen = Seen { found, mark, allowed: row.try_get(6)?, grant: row.try_get(7)? };
        Ok((seen, row.try_get(5)?))
    };
    let (seen, known) = read().map_err(failed)?;
    if !known && seen.mark.is_none() {
        let unknown = switch(spec).unknown;
        return Err(Refusal::refused(&format!("there is no queue {queue:?}: {unknown}")));
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

//! Rolls back a prepared transaction: it holds locks, has no process, and somebody else may count on it.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Error, Row as _};
use tokio::time::{Instant, timeout};

use super::kept_session::KeptSession;
use super::plan_id;
use super::postgres_actions::PostgresActions;
use super::postgres_look::{Look, Waiter};
use super::postgres_plan::frees;
use super::refusals::unknown;
use crate::detect::blocking::Node;
use crate::dial::as_sent;
use crate::model::words::span;
use crate::model::{
    Confirm, Gentler, Intent, Outcome, OutcomeKind, Plan, PlanLine, PollErrorKind, PreparedTransaction,
    Refusal, SafeText, StepResult, Timestamp,
};

const ONE: &str = as_sent(include_str!("sql/prepared_one_130.sql"));
const WAITERS: &str = as_sent(include_str!("sql/prepared_waiters_130.sql"));

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the waiters are watched.
const WATCH: Duration = Duration::from_secs(2);
/// Longest name a server takes, in bytes.
const LONGEST: usize = 200;

/// What is known of the transaction.
struct Found {
    /// Its transaction id: the name can be given again, this is not.
    xid: String,
    owner: String,
    database: String,
    prepared: Timestamp,
    /// We are a superuser or its owner; else we may become its owner.
    allowed: bool,
    member: bool,
    holds: Vec<String>,
    now: Timestamp,
    /// In the very database of the session that asked.
    here: bool,
}

impl Found {
    fn identity(&self) -> String {
        format!("{} x{} p{}", self.database, self.xid, self.prepared.as_micros())
    }
}

/// The wish to roll back the one of this name, with the database the server tells.
pub(super) async fn find(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    gid: &str,
) -> Result<Intent, Refusal> {
    let (_, connection) = actions.look(kept, &[]).await?;
    let found = read(actions, connection, gid).await?;
    Ok(Intent::RollbackPrepared {
        target: actions.target.clone(),
        gid: gid.to_owned(),
        database: found.database,
    })
}

pub(super) async fn plan(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    gid: &str,
    database: &str,
) -> Result<Plan, Refusal> {
    let statement = statement(gid)?;
    let (look, connection) = actions.look(kept, &[]).await?;
    let found = meant(actions, connection, gid, database).await?;
    let look = behind(actions, connection, look, &found).await?;
    let owner = SafeText::new(&found.owner);
    if !found.allowed && !found.member {
        return Err(Refusal::refused(&format!(
            "only its owner {owner} or a superuser may end prepared transaction {gid}: as one of them, in \
             database {database}, run {statement}; or grant {owner} to the role warroom logs in as"
        )));
    }
    let freed = look.forest.freed_by(&[Node::Prepared(0)]);
    let age = span(found.now.seconds_since(found.prepared));
    let holds = if found.holds.is_empty() { "no lock on a table".into() } else { found.holds.join(", ") };
    let lines = vec![
        PlanLine::new("who", &format!("prepared by {owner} in {database}, {age} ago ({})", found.prepared)),
        PlanLine::new("state", "prepared: it has no session and outlives a restart of the server"),
        PlanLine::new("holds", &holds),
        PlanLine::new("frees", &frees(freed)),
    ];
    let lost = "its changes are lost, though a transaction manager may hold them to be safe and commit its \
                other half: ask who prepared it first";
    Ok(Plan {
        id: plan_id(look.activity.server_time),
        intent: Intent::RollbackPrepared {
            target: actions.target.clone(),
            gid: gid.to_owned(),
            database: database.to_owned(),
        },
        read_at: look.activity.server_time,
        title: SafeText::new(&format!("Roll back prepared transaction {gid} on {}", actions.target)),
        lines,
        warnings: vec![SafeText::new(lost)],
        gentler: Some(Gentler {
            intent: None,
            says: SafeText::new(
                "COMMIT PREPARED would free the same and keep its changes; that is its owner's choice.",
            ),
        }),
        verb: SafeText::new("roll it back"),
        confirm: Confirm::Name(gid.to_owned()),
        touches: 1,
        frees: Some(u64::from(freed.in_all)),
        identity: found.identity(),
    })
}

/// The statement: the name as a literal of our own making. Names with bytes that could mean anything
/// else in any setting of the server are refused.
fn statement(gid: &str) -> Result<String, Refusal> {
    let plain = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b'\\';
    if gid.is_empty() || gid.len() > LONGEST || !gid.bytes().all(plain) {
        return Err(Refusal::refused(
            "the name of the prepared transaction holds bytes that are not put into a statement from here: \
             end it by hand",
        ));
    }
    Ok(format!("rollback prepared '{}'", gid.replace('\'', "''")))
}

async fn read(actions: &PostgresActions, connection: &mut PgConnection, gid: &str) -> Result<Found, Refusal> {
    let asked = sqlx::query(ONE).bind(gid).fetch_optional(connection);
    let row = match timeout(actions.patience, asked).await {
        Ok(Ok(row)) => row,
        Ok(Err(error)) => return Err(Refusal::failed(&actions.words(&error))),
        Err(_elapsed) => return Err(Refusal::failed("the server gave no answer in time")),
    };
    let Some(row) = row else {
        return Err(Refusal::nothing_to_do(&format!(
            "no transaction is prepared as {gid} on {} (any more)",
            actions.target
        )));
    };
    let found = || {
        Ok::<_, Error>(Found {
            xid: row.try_get(0)?,
            owner: row.try_get(1)?,
            database: row.try_get(2)?,
            prepared: Timestamp::from_micros(row.try_get(3)?),
            allowed: row.try_get::<bool, _>(4)? || row.try_get::<bool, _>(5)?,
            member: row.try_get(6)?,
            holds: row.try_get(7)?,
            now: Timestamp::from_micros(row.try_get(8)?),
            here: row.try_get(9)?,
        })
    };
    found().map_err(|error| Refusal::failed(&actions.words(&error)))
}

/// The transaction, if it is in the database that is meant.
async fn meant(
    actions: &PostgresActions,
    connection: &mut PgConnection,
    gid: &str,
    database: &str,
) -> Result<Found, Refusal> {
    let found = read(actions, connection, gid).await?;
    if found.database == database {
        return Ok(found);
    }
    let there = SafeText::new(&found.database);
    Err(Refusal::refused(&format!(
        "{gid} is prepared in database {there} now, not in {database}: nothing was done"
    )))
}

/// The look with those who wait for it directly.
async fn behind(
    actions: &PostgresActions,
    connection: &mut PgConnection,
    look: Look,
    found: &Found,
) -> Result<Look, Refusal> {
    let rows = sqlx::query_scalar(WAITERS).bind(&found.xid).fetch_all(connection);
    let waiters = match timeout(actions.patience, rows).await {
        Ok(Ok(waiters)) => waiters,
        Ok(Err(error)) => return Err(Refusal::failed(&actions.words(&error))),
        Err(_elapsed) => return Err(Refusal::failed("the server gave no answer in time")),
    };
    Ok(look.with_prepared(PreparedTransaction { waiters, ..PreparedTransaction::default() }))
}

pub(super) async fn act(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    plan: &Plan,
    gid: &str,
    database: &str,
) -> Result<Outcome, Refusal> {
    let statement = statement(gid)?;
    let (look, connection) = actions.look(kept, &[]).await?;
    let found = meant(actions, connection, gid, database).await?;
    if found.identity() != plan.identity {
        return Err(Refusal::refused(&format!("{gid} is another transaction now: nothing was done")));
    }
    let look = behind(actions, connection, look, &found).await?;
    let waiters = look.waiting_behind(&[Node::Prepared(0)]);
    // It can be ended only from its own database, and better not on the kept session, whose role stays its own:
    // that serves where the server has no slot for another.
    let dial = actions.dial.as_ref().map_err(|why| Refusal::failed(why))?;
    let connecting = async { dial.in_database(database).connect().await };
    let mut another = match timeout(actions.patience, connecting).await {
        Ok(Ok(session)) => Some(session),
        Ok(Err(error)) if error.kind == PollErrorKind::Exhausted && found.here => None,
        Ok(Err(error)) if error.kind == PollErrorKind::Exhausted => {
            return Err(no_slot(&statement, database));
        }
        Ok(Err(error)) => return Err(Refusal::failed(&format!("nothing was done: {}", error.says))),
        Err(_elapsed) => return Err(Refusal::failed("nothing was done: no connection in time")),
    };
    let borrowed = another.is_none();
    let session = another.as_mut().unwrap_or(connection);
    let ended = end_it(actions, session, plan, gid, &found, statement, &waiters).await;
    if borrowed && !found.allowed {
        let back = sqlx::query("reset role").execute(session);
        if !matches!(timeout(actions.patience, back).await, Ok(Ok(_))) {
            kept.give_up();
        }
    }
    ended
}

/// What is left to do where it is in another database than the only session that is still open.
fn no_slot(statement: &str, database: &str) -> Refusal {
    let database = SafeText::new(database);
    Refusal::failed(&format!(
        "nothing was done: it can be ended only in database {database}, and the server has no slot left for a \
         session there: end a session first (ours is open and still can), or as a superuser, who has slots of \
         his own, run {statement} in {database}"
    ))
}

/// Rolls it back on this session, which is in its database, and sees what came of it.
async fn end_it(
    actions: &PostgresActions,
    session: &mut PgConnection,
    plan: &Plan,
    gid: &str,
    found: &Found,
    statement: String,
    waiters: &[Waiter],
) -> Result<Outcome, Refusal> {
    let began = Instant::now();
    match timeout(PATIENCE, roll_back(session, found, statement)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(refusal(actions, &error, found, gid)),
        Err(_elapsed) => {
            return Err(unknown(&"no answer in time"));
        }
    }
    let took = began.elapsed();
    let watched = async {
        let after = Look::once_freed(session, waiters, WATCH).await?;
        let left = sqlx::query(ONE).bind(gid).fetch_optional(&mut *session).await?;
        let xid = left.map(|row| row.try_get::<String, _>(0)).transpose()?;
        Ok::<_, Error>((after, xid.is_some_and(|xid| xid == found.xid)))
    };
    match timeout(WATCH + PATIENCE, watched).await {
        Ok(Ok((after, still))) => Ok(report(plan, gid, took, &after, waiters, still)),
        Ok(Err(error)) => Err(Refusal::failed(&format!(
            "the server says it was rolled back, but who goes on is not known ({})",
            actions.words(&error)
        ))),
        Err(_elapsed) => {
            Err(Refusal::failed("the server says it was rolled back, but then gave no answer in time"))
        }
    }
}

async fn roll_back(session: &mut PgConnection, found: &Found, statement: String) -> Result<(), Error> {
    if !found.allowed {
        sqlx::query("select set_config('role', $1, false)").bind(&found.owner).execute(&mut *session).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(session).await.map(|_| ())
}

/// What the server's refusal means.
fn refusal(actions: &PostgresActions, error: &Error, found: &Found, gid: &str) -> Refusal {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
    let owner = SafeText::new(&found.owner);
    match &*code {
        "42704" => Refusal::nothing_to_do(&format!("{gid} was ended by somebody else meanwhile")),
        "55000" => Refusal::failed(&format!("{gid} is being ended by somebody else right now: look again")),
        "42501" => Refusal::refused(&format!("nothing was done: only {owner} or a superuser may end {gid}")),
        "" => unknown(&actions.words(error)),
        _ => Refusal::failed(&format!("nothing was done: {}", actions.words(error))),
    }
}

fn report(plan: &Plan, gid: &str, took: Duration, after: &Look, waiters: &[Waiter], still: bool) -> Outcome {
    let (freed, on) = (after.freed(waiters), after.told_of(waiters));
    let took = span(took.as_secs_f64());
    let (kind, says, step) = if still {
        let step = StepResult::Failed(SafeText::new(&format!("{gid} is still there")));
        (OutcomeKind::Failed, format!("the server took it, but {gid} is still prepared; {on}"), step)
    } else {
        let step = StepResult::Done(SafeText::new(&format!("{gid} is gone")));
        (OutcomeKind::Done, format!("rolled back prepared transaction {gid} in {took}; {on}"), step)
    };
    Outcome { steps: vec![step], freed: Some(freed), ..Outcome::new(plan.id.clone(), kind, &says) }
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn a_name_is_a_literal_or_is_refused() {
        assert_eq!(statement("order 42").expect("plain"), "rollback prepared 'order 42'");
        assert_eq!(
            statement("x'; drop table users; --").expect("quoted"),
            "rollback prepared 'x''; drop table users; --'"
        );
        for odd in ["", "a\\", "\u{e9}t\u{e9}", "a\nb", "a\0b", &"x".repeat(201)] {
            assert!(statement(odd).is_err(), "{odd:?}");
        }
    }
}

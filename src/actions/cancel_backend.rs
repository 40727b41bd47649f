//! Stops one session's statement, only if it is still that very statement.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Error, Row as _};
use tokio::time::{Instant, sleep, timeout};

use super::kept_session::KeptSession;
use super::plan_id;
use super::postgres_actions::PostgresActions;
use super::postgres_look::{Look, Waiter};
use super::postgres_plan::{lines, warnings};
use super::refusals::{unknown, unseen};
use crate::detect::blocking::Node;
use crate::dial::{as_sent, postgres_text, postgres_time};
use crate::model::words::span;
use crate::model::{
    Backend, BackendKey, BackendState, Confirm, Intent, NextStep, Outcome, OutcomeKind, Plan, Refusal,
    SafeText, SeenSession, StepResult, Timestamp,
};

const CANCEL: &str = as_sent(include_str!("sql/cancel_130.sql"));
const PRESENT: &str = as_sent(include_str!("sql/present_130.sql"));

/// How long the end of the statement is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the waiters are then watched.
const WATCH: Duration = Duration::from_secs(2);

pub(super) async fn plan(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    key: BackendKey,
    query_start: Option<Timestamp>,
) -> Result<Plan, Refusal> {
    let (look, _) = actions.look(kept, &[key]).await?;
    let Some((at, backend)) = look.find(key) else { return Err(look.absence(key)) };
    look.check(backend)?;
    let query_start = running(backend, query_start)?;
    let freed = look.forest.freed_by(&[Node::Backend(at)]);
    let aside = if freed.in_all > 0 { " (not what it locked before a savepoint)" } else { "" };
    Ok(Plan {
        id: plan_id(look.activity.server_time),
        intent: Intent::CancelBackend {
            target: actions.target.clone(),
            backend: key,
            query_start: Some(query_start),
        },
        read_at: look.activity.server_time,
        title: SafeText::new(&format!("Cancel the statement of pid {} on {}", key.pid, actions.target)),
        lines: lines(&look, &[backend], freed, aside),
        warnings: warnings(&[backend]),
        gentler: None,
        verb: SafeText::new("cancel its statement"),
        confirm: Confirm::Key,
        touches: 1,
        frees: Some(u64::from(freed.in_all)),
        identity: SeenSession { statement: Some(query_start), ..look.seen(at, backend, true) }.to_string(),
    })
}

/// The start of the statement that runs; a refusal where none does or another one than meant.
fn running(backend: &Backend, meant: Option<Timestamp>) -> Result<Timestamp, Refusal> {
    let pid = backend.key.pid;
    match (backend.state, backend.query_start) {
        (BackendState::Active, Some(start)) if meant.is_none_or(|meant| meant == start) => Ok(start),
        (BackendState::Active, Some(_)) => {
            Err(Refusal::refused(&format!("pid {pid} runs another statement now: nothing was done")))
        }
        (state, _) => Err(Refusal::refused(&format!(
            "pid {pid} is {}: no statement runs, so cancel would do nothing; end the session instead",
            state.word()
        ))),
    }
}

pub(super) async fn act(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    plan: &Plan,
    key: BackendKey,
    query_start: Timestamp,
) -> Result<Outcome, Refusal> {
    let (before, connection) = actions.look(kept, &[key]).await?;
    let Some((at, backend)) = before.find(key) else { return Err(before.absence(key)) };
    running(backend, Some(query_start))?;
    let waiters = before.waiting_behind(&[Node::Backend(at)]);
    match timeout(PATIENCE, signal(connection, key, query_start)).await {
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return Err(Refusal::nothing_to_do("the statement had ended before the signal")),
        Ok(Err(error)) if error.as_database_error().is_some() => {
            return Err(Refusal::failed(&actions.signal_words(&error)));
        }
        Ok(Err(error)) => return Err(unknown(&actions.words(&error))),
        Err(_elapsed) => return Err(unknown(&"no answer in time")),
    }
    let watched = async {
        let ended = watch(connection, key, query_start).await?;
        let after = Look::once_freed(connection, &waiters, WATCH).await?;
        Ok::<_, Error>((ended, after))
    };
    match timeout(PATIENCE + WATCH + PATIENCE, watched).await {
        Ok(Ok((ended, after))) => Ok(report(plan, key, &ended, &after, &waiters)),
        Ok(Err(error)) => Err(unseen(&actions.words(&error))),
        Err(_elapsed) => Err(unseen(&"no answer in time")),
    }
}

async fn signal(
    connection: &mut PgConnection,
    key: BackendKey,
    query_start: Timestamp,
) -> Result<bool, Error> {
    let row = sqlx::query(CANCEL)
        .bind(key.pid)
        .bind(key.started.as_micros())
        .bind(query_start.as_micros())
        .fetch_optional(connection)
        .await?;
    row.map_or(Ok(false), |row| row.try_get(1))
}

/// How the statement stands: over after a while, or still running and waiting for this.
type Ended = Result<Duration, SafeText>;

/// Waits for the end of the statement.
async fn watch(
    connection: &mut PgConnection,
    key: BackendKey,
    query_start: Timestamp,
) -> Result<Ended, Error> {
    let began = Instant::now();
    loop {
        let row = sqlx::query(PRESENT)
            .bind(vec![key.pid])
            .bind(vec![key.started.as_micros()])
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(Ok(began.elapsed())) };
        let same = postgres_time(&row, 2)? == Some(query_start);
        if !(same && postgres_text(&row, 1)?.as_str() == "active") {
            return Ok(Ok(began.elapsed()));
        }
        if began.elapsed() > PATIENCE {
            return Ok(Err(postgres_text(&row, 4)?));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn report(plan: &Plan, key: BackendKey, ended: &Ended, after: &Look, waiters: &[Waiter]) -> Outcome {
    let on = if waiters.is_empty() { String::new() } else { format!("; {}", after.told_of(waiters)) };
    let pid = key.pid;
    let (kind, says, step) = match ended {
        Ok(took) => {
            let says = format!("cancelled the statement of pid {pid} in {}{on}", span(took.as_secs_f64()));
            (OutcomeKind::Done, says, StepResult::Done(SafeText::new("the statement ended")))
        }
        Err(wait) => {
            let says = format!("signalled pid {pid}, but its statement still runs after 5 s ({wait}){on}");
            (OutcomeKind::Failed, says, StepResult::Failed(SafeText::new("the statement still runs")))
        }
    };
    let next = match (ended, plan.intent.target()) {
        (Err(_), Some(target)) => Some(NextStep {
            intent: Some(Intent::TerminateBackend { target: target.clone(), backends: vec![key] }),
            says: SafeText::new("end the session instead"),
        }),
        _ => None,
    };
    let freed = Some(after.freed(waiters));
    Outcome { steps: vec![step], freed, next, ..Outcome::new(plan.id.clone(), kind, &says) }
}

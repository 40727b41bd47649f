//! Ends sessions, each only if it still is the one that was meant, and measures who goes on.

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
use crate::dial::as_sent;
use crate::model::words::{many, span};
use crate::model::{
    Backend, BackendKey, BackendState, Confirm, Gentler, Intent, NextStep, Outcome, OutcomeKind, Plan,
    Refusal, SafeText, SeenSession, StepResult, identity_change,
};

const TERMINATE: &str = as_sent(include_str!("sql/terminate_130.sql"));
const PRESENT: &str = as_sent(include_str!("sql/present_130.sql"));

/// How long the end of a signalled session is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the waiters are then watched, should they not all go on at once.
const WATCH: Duration = Duration::from_secs(2);
/// More sessions than this are not ended in one act.
const MOST: usize = 200;
/// More sessions than this need the target's name typed.
const BY_KEY: usize = 5;

pub(super) async fn plan(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    keys: &[BackendKey],
) -> Result<Plan, Refusal> {
    let mut keys = keys.to_vec();
    keys.sort_unstable();
    keys.dedup();
    let Some(key) = keys.first().copied().filter(|_| keys.len() <= MOST) else {
        return Err(Refusal::refused(&format!(
            "{} sessions named; 1 to {MOST} can be ended at once",
            keys.len()
        )));
    };
    let (look, _) = actions.look(kept, &keys).await?;
    let found: Vec<_> = keys.iter().filter_map(|key| look.find(*key)).collect();
    let Some((_, first)) = found.first() else { return Err(look.absence(key)) };
    for (_, backend) in &found {
        look.check(backend)?;
    }
    let nodes: Vec<Node> = found.iter().map(|(at, _)| Node::Backend(*at)).collect();
    let sessions: Vec<_> = found.iter().map(|(_, backend)| *backend).collect();
    let freed = look.forest.freed_by(&nodes);
    let mut warnings = warnings(&sessions);
    if found.len() < keys.len() {
        let gone =
            format!("{} of {} meant sessions have ended already", keys.len() - found.len(), keys.len());
        warnings.insert(0, SafeText::new(&gone));
    }
    let one = sessions.len() == 1;
    let what = if one { format!("pid {}", first.key.pid) } else { format!("{} sessions", sessions.len()) };
    let gentler = one.then(|| match (first.state, first.query_start) {
        (BackendState::Active, Some(query_start)) => Gentler {
            intent: Some(Intent::CancelBackend {
                target: actions.target.clone(),
                backend: first.key,
                query_start: Some(query_start),
            }),
            says: SafeText::new("only cancel its statement"),
        },
        _ => {
            Gentler { intent: None, says: SafeText::new("Cancel would do nothing: no statement is running.") }
        }
    });
    Ok(Plan {
        id: plan_id(look.activity.server_time),
        intent: Intent::TerminateBackend {
            target: actions.target.clone(),
            backends: sessions.iter().map(|one| one.key).collect(),
        },
        read_at: look.activity.server_time,
        title: SafeText::new(&format!("End {what} on {}", actions.target)),
        lines: lines(&look, &sessions, freed, ""),
        warnings,
        gentler,
        verb: SafeText::new(&if one { "end the session".into() } else { format!("end {what}") }),
        confirm: if sessions.len() > BY_KEY || sessions.iter().any(|one| look.is_delicate(one)) {
            Confirm::Name(actions.target.to_string())
        } else {
            Confirm::Key
        },
        touches: sessions.len() as u64,
        frees: Some(u64::from(freed.in_all)),
        identity: identity(&look, &found),
    })
}

/// What must not change until the act. Of many that were marked each is meant whatever it does by then.
fn identity(look: &Look, found: &[(usize, &Backend)]) -> String {
    let free = found.len() > BY_KEY;
    SeenSession::identity(&found.iter().map(|(at, one)| look.seen(*at, one, free)).collect::<Vec<_>>())
}

pub(super) async fn act(
    actions: &PostgresActions,
    kept: &mut KeptSession,
    plan: &Plan,
    keys: &[BackendKey],
) -> Result<Outcome, Refusal> {
    let (before, connection) = actions.look(kept, keys).await?;
    let found: Vec<_> = keys.iter().filter_map(|key| before.find(*key)).collect();
    if found.is_empty() {
        let nobody = || Refusal::nothing_to_do("no session was named");
        return Err(keys.first().map_or_else(nobody, |key| before.absence(*key)));
    }
    if let Some(why) = identity_change(&plan.identity, &identity(&before, &found)) {
        return Err(Refusal::refused(&format!("{why}: nothing was done")));
    }
    let nodes: Vec<Node> = found.iter().map(|(at, _)| Node::Backend(*at)).collect();
    let waiters = before.waiting_behind(&nodes);
    let meant: Vec<BackendKey> = found.iter().map(|(_, one)| one.key).collect();

    let began = Instant::now();
    let signalled = match timeout(PATIENCE, signal(connection, &meant)).await {
        Ok(Ok(signalled)) => signalled,
        Ok(Err(error)) if error.as_database_error().is_some() => {
            return refused_by_server(actions, plan, &meant, &error, connection).await;
        }
        Ok(Err(error)) => return Err(unknown(&actions.words(&error))),
        Err(_elapsed) => return Err(unknown(&"no answer in time")),
    };
    if signalled.is_empty() {
        let sessions = many(meant.len() as u64, "session", "sessions");
        return Err(Refusal::nothing_to_do(&format!("{sessions} had ended before the signal")));
    }
    verify(actions, plan, &meant, &waiters, connection, began).await
}

/// Signals all of them by one statement; the pids for which the server says it did.
async fn signal(connection: &mut PgConnection, keys: &[BackendKey]) -> Result<Vec<i32>, Error> {
    let (pids, starts): (Vec<i32>, Vec<i64>) =
        keys.iter().map(|key| (key.pid, key.started.as_micros())).unzip();
    let rows = sqlx::query(TERMINATE).bind(pids).bind(starts).fetch_all(connection).await?;
    let mut done = Vec::new();
    for row in rows {
        if row.try_get::<bool, _>(1)? {
            done.push(row.try_get(0)?);
        }
    }
    Ok(done)
}

/// The server refused one of them; those before it may have been signalled, so it is looked up.
async fn refused_by_server(
    actions: &PostgresActions,
    plan: &Plan,
    keys: &[BackendKey],
    error: &Error,
    connection: &mut PgConnection,
) -> Result<Outcome, Refusal> {
    let words = actions.signal_words(error);
    sleep(Duration::from_millis(200)).await;
    let Ok(Ok(there)) = timeout(PATIENCE, still_there(connection, keys)).await else {
        return Err(unknown(&words));
    };
    let step = |key: &BackendKey| {
        if there.iter().any(|(pid, _)| *pid == key.pid) {
            StepResult::Failed(SafeText::new(&format!("pid {} is still there", key.pid)))
        } else {
            StepResult::Done(SafeText::new(&format!("pid {} ended", key.pid)))
        }
    };
    let says = format!(
        "{} of {} ended: {words}",
        keys.len() - there.len(),
        many(keys.len() as u64, "session", "sessions")
    );
    let steps = keys.iter().map(step).collect();
    Ok(Outcome { steps, ..Outcome::new(plan.id.clone(), OutcomeKind::Failed, &says) })
}

/// Waits until the sessions are gone, then until those behind them go on, and tells what was seen.
async fn verify(
    actions: &PostgresActions,
    plan: &Plan,
    keys: &[BackendKey],
    waiters: &[Waiter],
    connection: &mut PgConnection,
    began: Instant,
) -> Result<Outcome, Refusal> {
    let watched = async {
        let mut there = still_there(connection, keys).await?;
        while !there.is_empty() && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(20)).await;
            there = still_there(connection, keys).await?;
        }
        let ended = began.elapsed();
        let after = Look::once_freed(connection, waiters, WATCH).await?;
        Ok::<_, Error>((there, after, ended))
    };
    match timeout(PATIENCE + WATCH + PATIENCE, watched).await {
        Ok(Ok((there, after, ended))) => Ok(report(plan, keys, &there, &after, waiters, ended)),
        Ok(Err(error)) => Err(unseen(&actions.words(&error))),
        Err(_elapsed) => Err(unseen(&"no answer in time")),
    }
}

/// Those of the sessions that are still there, with what they wait for.
async fn still_there(
    connection: &mut PgConnection,
    keys: &[BackendKey],
) -> Result<Vec<(i32, String)>, Error> {
    let (pids, starts): (Vec<i32>, Vec<i64>) =
        keys.iter().map(|key| (key.pid, key.started.as_micros())).unzip();
    let rows = sqlx::query(PRESENT).bind(pids).bind(starts).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let class: Option<String> = row.try_get(3)?;
            let event: Option<String> = row.try_get(4)?;
            let wait = class
                .zip(event)
                .map_or_else(|| "busy".to_owned(), |(class, event)| format!("{class}: {event}"));
            Ok((row.try_get(0)?, wait))
        })
        .collect()
}

fn report(
    plan: &Plan,
    keys: &[BackendKey],
    there: &[(i32, String)],
    after: &Look,
    waiters: &[Waiter],
    took: Duration,
) -> Outcome {
    let freed = after.freed(waiters);
    let steps = keys
        .iter()
        .map(|key| match there.iter().find(|(pid, _)| *pid == key.pid) {
            None => StepResult::Done(SafeText::new(&format!("pid {} ended", key.pid))),
            Some((pid, wait)) => StepResult::Failed(SafeText::new(&format!(
                "pid {pid} was signalled and is still there ({wait})"
            ))),
        })
        .collect();
    let ended = keys.len() - there.len();
    let what = match keys {
        [one] => format!("pid {}", one.pid),
        _ => format!("{ended} of {} sessions", keys.len()),
    };
    let on = after.told_of(waiters);
    let (kind, says) = if there.is_empty() {
        (OutcomeKind::Done, format!("ended {what} in {}; {on}", span(took.as_secs_f64())))
    } else {
        let wait = &there[0].1;
        (
            OutcomeKind::Failed,
            format!(
                "{what} was signalled but {} still there after {} ({wait}); {on}",
                there.len(),
                span(took.as_secs_f64())
            ),
        )
    };
    let next = next(plan, there, after, waiters.len() as u64 > freed);
    Outcome { steps, freed: Some(freed), next, ..Outcome::new(plan.id.clone(), kind, &says) }
}

/// What is left to do: the next in the way, or what helps where a signal does not.
fn next(plan: &Plan, there: &[(i32, String)], after: &Look, some_wait: bool) -> Option<NextStep> {
    if let Some((pid, _)) = there.first() {
        let says = format!(
            "pid {pid} has the signal and ends once the call it is in returns (a disk, an archive, a network \
             mount); a SIGKILL would restart the whole server"
        );
        return Some(NextStep { intent: None, says: SafeText::new(&says) });
    }
    let (name, key) = after.next_root().filter(|_| some_wait)?;
    let target = plan.intent.target()?.clone();
    Some(NextStep {
        intent: Some(Intent::TerminateBackend { target, backends: vec![key?] }),
        says: SafeText::new(&format!("end the next in the way, {name}")),
    })
}

//! Ending sessions and cancelling statements on real servers, as a role with no more rights than it needs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "only tests call these")]

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use warroom::actions::{Action, PostgresActions, StopFlag};
use warroom::journal::{Author, Journal};
use warroom::model::{
    BackendKey, Confirm, Intent, Outcome, OutcomeKind, Plan, StepResult, TargetId, Timestamp,
};

use crate::postgres::{Client, Waiting, accounts, backend, poll_until, server, source, spec, waiters};

pub(crate) fn terminate(backends: &[BackendKey]) -> Intent {
    Intent::TerminateBackend { target: TargetId::parse("primary").unwrap(), backends: backends.to_vec() }
}

pub(crate) fn cancel(backend: BackendKey) -> Intent {
    Intent::CancelBackend { target: TargetId::parse("primary").unwrap(), backend, query_start: None }
}

/// Writes the intent down and does it.
pub(crate) async fn act(actions: &PostgresActions, plan: Plan) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal.jsonl"), Author::default());
    let intended = journal.intend(plan, Timestamp::default()).unwrap();
    actions.act(&intended, mpsc::channel(1).0, StopFlag::default()).await
}

/// Sessions that want row 1, waiting.
pub(crate) async fn pile(server: &warroom::lab::postgres::Postgres, count: usize) -> Vec<Waiting> {
    let mut all = Vec::new();
    for n in 0..count {
        let client = Client::new(server, &format!("web.{n}")).await;
        all.push(client.spawn("update accounts set n = n + 1 where id = 1"));
    }
    let mut watch = source(&spec(server));
    poll_until(&mut watch, "the pile", |sample| waiters(sample) == count).await;
    all
}

pub(crate) fn line<'a>(plan: &'a Plan, label: &str) -> &'a str {
    let found = plan.lines.iter().find(|line| line.label.as_str() == label);
    found.unwrap_or_else(|| panic!("no {label}: {plan:#?}")).text.as_str()
}

#[tokio::test]
async fn the_root_of_a_pile_up_is_found_ended_and_everybody_goes_on() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let pile = pile(&server, 12).await;
    let actions = PostgresActions::new(&spec(&server));
    let root = actions.root_blocker().await.unwrap();
    assert_eq!(root.iter().map(|key| key.pid).collect::<Vec<_>>(), [holder.pid]);
    let plan = actions.plan(&terminate(&root)).await.unwrap();
    assert_eq!(plan.title.as_str(), format!("End pid {} on primary", holder.pid));
    assert!(line(&plan, "who").starts_with("web.3 as app in app, from 127.0.0.1, connected "));
    assert!(line(&plan, "state").starts_with("idle in transaction for "), "{plan:?}");
    assert!(line(&plan, "state").ends_with("has written (will roll back)"), "{plan:?}");
    assert!(line(&plan, "holds").contains("accounts (RowExclusive)"), "{plan:?}");
    assert_eq!(line(&plan, "frees"), "12 of 12 waiters one after the other");
    assert_eq!((plan.touches, plan.frees, &plan.confirm), (1, Some(12), &Confirm::Key));
    let gentler = plan.gentler.as_ref().unwrap();
    assert_eq!(
        (gentler.intent.as_ref(), gentler.says.as_str()),
        (None, "Cancel would do nothing: no statement is running.")
    );
    let again = actions.plan(&terminate(&root)).await.unwrap();
    assert_eq!(again.identity, plan.identity);
    assert_ne!(again.id, plan.id);

    let outcome = act(&actions, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(12)), "{outcome:?}");
    assert!(outcome.says.as_str().ends_with("12 of 12 that waited go on"), "{outcome:?}");
    for one in pile {
        one.end().await.1.unwrap();
    }
    assert!(holder.try_run("select 1").await.is_err());
    assert_eq!(actions.root_blocker().await.unwrap_err().kind, OutcomeKind::NothingToDo);
}

#[tokio::test]
async fn a_pid_that_means_somebody_else_now_is_left_alone() {
    let server = server(&[]);
    let mut client = Client::new(&server, "innocent").await;
    let actions = PostgresActions::new(&spec(&server));
    let key = actions.backend(client.pid).await.unwrap();
    let other = BackendKey { pid: key.pid, started: key.started.minus(Duration::from_micros(1)) };
    let refusal = actions.plan(&terminate(&[other])).await.unwrap_err();
    assert_eq!(refusal.kind, OutcomeKind::Refused);
    assert!(refusal.says.as_str().contains("another session now (innocent,"), "{refusal}");
    // A plan that was right once and names another session now.
    let mut plan = actions.plan(&terminate(&[key])).await.unwrap();
    plan.intent = terminate(&[other]);
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::Refused);
    client.run("select 1").await;
    let nobody = actions.backend(1).await.unwrap_err();
    assert_eq!(nobody.kind, OutcomeKind::NothingToDo);
}

#[tokio::test]
async fn cancel_stops_the_statement_that_was_meant_and_no_other() {
    let server = server(&[]);
    let mut idle = Client::new(&server, "idle").await;
    idle.run("begin").await;
    let busy = Client::new(&server, "report").await.spawn("select pg_sleep(600)");
    let actions = PostgresActions::new(&spec(&server));
    let refusal = actions.plan(&cancel(actions.backend(idle.pid).await.unwrap())).await.unwrap_err();
    assert_eq!(refusal.kind, OutcomeKind::Refused);
    assert!(refusal.says.as_str().contains("idle in transaction: no statement runs"), "{refusal}");

    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "the sleep", |s| backend(s, busy.pid).query.as_str().contains("pg_sleep")).await;
    let key = actions.backend(busy.pid).await.unwrap();
    let ending = actions.plan(&terminate(&[key])).await.unwrap();
    let gentler = ending.gentler.unwrap().intent.unwrap();
    let plan = actions.plan(&gentler).await.unwrap();
    let Intent::CancelBackend { query_start: Some(start), .. } = plan.intent else { panic!("{plan:?}") };
    let mut stale = plan.clone();
    stale.intent = Intent::CancelBackend {
        target: TargetId::parse("primary").unwrap(),
        backend: key,
        query_start: Some(start.minus(Duration::from_micros(1))),
    };
    assert_eq!(act(&actions, stale).await.kind, OutcomeKind::Refused);
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{outcome:?}");
    let (_client, result) = busy.end().await;
    let error = result.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("57014"));
    // The session itself lives.
    assert_eq!(actions.backend(key.pid).await.unwrap(), key);
}

#[tokio::test]
async fn an_idle_session_with_an_advisory_lock_is_a_root_and_can_be_ended() {
    let server = server(&[]);
    let mut holder = Client::new(&server, "cron").await;
    holder.run("select pg_advisory_lock(42)").await;
    let waiting = Client::new(&server, "cron").await.spawn("select pg_advisory_lock(42)");
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "a waiter", |sample| waiters(sample) == 1).await;
    let actions = PostgresActions::new(&spec(&server));
    let root = actions.root_blocker().await.unwrap();
    let plan = actions.plan(&terminate(&root)).await.unwrap();
    assert!(line(&plan, "state").ends_with("no transaction open"), "{plan:?}");
    assert_eq!(line(&plan, "holds"), "advisory (Exclusive)");
    assert_eq!(line(&plan, "frees"), "1 of 1 waiter at once");
    assert_eq!(act(&actions, plan).await.freed, Some(1));
    waiting.end().await.1.unwrap();
}

#[tokio::test]
async fn two_holders_of_one_waiter_are_ended_together_and_one_alone_frees_nobody() {
    let server = server(&[]);
    accounts(&server).await;
    let (mut a, mut b) = (Client::new(&server, "a").await, Client::new(&server, "b").await);
    a.run("begin; lock table accounts in share mode").await;
    b.run("begin; lock table accounts in share mode").await;
    let pile = pile(&server, 3).await;
    let actions = PostgresActions::new(&spec(&server));
    let both = actions.root_blocker().await.unwrap();
    let mut pids: Vec<_> = both.iter().map(|key| key.pid).collect();
    pids.sort_unstable();
    let mut expected = [a.pid, b.pid];
    expected.sort_unstable();
    assert_eq!(pids, expected);
    let alone = actions.plan(&terminate(&both[..1])).await.unwrap();
    assert_eq!(alone.frees, Some(0));
    assert!(line(&alone, "frees").ends_with("wait behind somebody else too"), "{alone:?}");
    let plan = actions.plan(&terminate(&both)).await.unwrap();
    assert_eq!((plan.touches, plan.frees), (2, Some(3)));
    let outcome = act(&actions, plan).await;
    assert_eq!(
        (outcome.kind, outcome.freed, outcome.steps.len()),
        (OutcomeKind::Done, Some(3), 2),
        "{outcome:?}"
    );
    for one in pile {
        one.end().await.1.unwrap();
    }
}

#[tokio::test]
async fn what_was_freed_is_measured_not_promised() {
    let server = server(&[]);
    accounts(&server).await;
    let (mut a, mut b) = (Client::new(&server, "a").await, Client::new(&server, "b").await);
    // Of two that share a row the server tells one at a time.
    a.run("begin; select * from accounts where id = 1 for share").await;
    b.run("begin; select * from accounts where id = 1 for share").await;
    let pile = pile(&server, 2).await;
    let actions = PostgresActions::new(&spec(&server));
    let root = actions.root_blocker().await.unwrap();
    let plan = actions.plan(&terminate(&root)).await.unwrap();
    assert_eq!(plan.frees, Some(2));
    let outcome = act(&actions, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(0)), "{outcome:?}");
    assert!(
        outcome.says.as_str().contains("0 of 2 that waited go on; the rest waits behind "),
        "{outcome:?}"
    );
    let root = actions.root_blocker().await.unwrap();
    let outcome = act(&actions, actions.plan(&terminate(&root)).await.unwrap()).await;
    assert_eq!(outcome.freed, Some(2), "{outcome:?}");
    for one in pile {
        one.end().await.1.unwrap();
    }
}

#[tokio::test]
async fn what_may_not_be_signalled_is_refused_in_words() {
    let server = server(&[]);
    let admin = Client::as_role(&server, "postgres", "dba").await;
    let actions = PostgresActions::new(&spec(&server));
    let key = actions.backend(admin.pid).await.unwrap();
    let refusal = actions.plan(&terminate(&[key])).await.unwrap_err();
    assert!(refusal.says.as_str().contains("belongs to a superuser"), "{refusal}");

    let mut as_app = spec(&server);
    as_app.url = Some(warroom::config::Secret::new(&server.url("app")));
    let monitor = Client::as_role(&server, "warroom", "other").await;
    let weak = PostgresActions::new(&as_app);
    let key = actions.backend(monitor.pid).await.unwrap();
    let refusal = weak.plan(&terminate(&[key])).await.unwrap_err();
    assert_eq!(refusal.kind, OutcomeKind::Refused, "{refusal}");

    let mut watch = source(&spec(&server));
    let sample = poll_until(&mut watch, "any", |_| true).await;
    let writer = sample.backends.iter().find(|b| b.kind.as_str() == "checkpointer").unwrap();
    let refusal = actions.plan(&terminate(&[writer.key])).await.unwrap_err();
    assert!(refusal.says.as_str().contains("part of the server"), "{refusal}");
}

#[tokio::test]
async fn a_server_without_a_free_slot_can_still_be_helped_by_a_session_opened_before() {
    let server = server(&[("max_connections", "12"), ("superuser_reserved_connections", "2")]);
    accounts(&server).await;
    let actions = PostgresActions::new(&spec(&server));
    actions.open().await.unwrap();
    let mut clients = Vec::new();
    for n in 0..9 {
        clients.push(Client::new(&server, &format!("web.{n}")).await);
    }
    assert_eq!(PostgresActions::new(&spec(&server)).open().await.unwrap_err().kind, OutcomeKind::Failed);
    let mut keys = Vec::new();
    for client in &clients {
        keys.push(actions.backend(client.pid).await.unwrap());
    }
    let plan = actions.plan(&terminate(&keys)).await.unwrap();
    assert_eq!(plan.confirm, Confirm::Name("primary".into()));
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{outcome:?}");
    assert!(outcome.steps.iter().all(|step| matches!(step, StepResult::Done(_))), "{outcome:?}");
    assert!(outcome.says.as_str().starts_with("ended 9 of 9 sessions"), "{outcome:?}");
}

#[tokio::test]
async fn a_frozen_server_makes_a_plan_fail_in_time_and_an_act_that_cannot_be_told_says_so() {
    let mut server = server(&[]);
    let client = Client::new(&server, "web").await;
    let mut short = spec(&server);
    short.timeout = Duration::from_secs(2);
    let actions = Arc::new(PostgresActions::new(&short));
    let key = actions.backend(client.pid).await.unwrap();
    let plan = actions.plan(&terminate(&[key])).await.unwrap();
    server.process().freeze();
    for one in server.process().record().family() {
        one.signal(rustix::process::Signal::STOP);
    }
    let refusal = actions.plan(&terminate(&[key])).await.unwrap_err();
    assert_eq!(refusal.kind, OutcomeKind::Failed);
    assert!(refusal.says.as_str().contains("no answer within"), "{refusal}");
    let outcome = act(&actions, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{outcome:?}");
}

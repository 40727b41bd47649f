//! The session that acts on a PostgreSQL is kept through silence, and serves where the server has no slot left.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;
use warroom::actions::{Action as _, PostgresActions};
use warroom::lab::postgres::Postgres;
use warroom::model::OutcomeKind;

use crate::postgres::{Client, accounts, poll_until, server, source, spec, waiters};
use crate::postgres_actions::{act, pile, terminate};

/// Takes every slot that an ordinary role can have.
async fn fill(server: &Postgres) -> Vec<PgConnection> {
    let mut all = Vec::new();
    loop {
        match PgConnection::connect(&server.url("app")).await {
            Ok(connection) => all.push(connection),
            Err(error) => {
                assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("53300"));
                return all;
            }
        }
    }
}

fn small() -> Postgres {
    server(&[
        ("max_connections", "14"),
        ("superuser_reserved_connections", "2"),
        ("max_prepared_transactions", "4"),
    ])
}

#[tokio::test]
async fn a_look_that_was_not_answered_in_time_does_not_cost_the_session() {
    let mut server = small();
    accounts(&server).await;
    let mut short = spec(&server);
    short.timeout = Duration::from_secs(2);
    let actions = PostgresActions::new(&short);
    actions.open().await.unwrap();
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let waiting = pile(&server, 2).await;
    let root = actions.root_blocker().await.unwrap();
    let full = fill(&server).await;

    server.process().freeze();
    for one in server.process().record().family() {
        one.signal(rustix::process::Signal::STOP);
    }
    let refusal = actions.plan(&terminate(&root)).await.unwrap_err();
    assert!(refusal.says.as_str().contains("gave no answer within"), "{refusal}");
    assert!(actions.open().await.is_err());
    // Who asked may also have lost patience and dropped the question.
    timeout(Duration::from_millis(50), actions.plan(&terminate(&root))).await.unwrap_err();
    for one in server.process().record().family() {
        one.signal(rustix::process::Signal::CONT);
    }
    let mut refused = 0;
    let plan = loop {
        match actions.plan(&terminate(&root)).await {
            Ok(plan) => break plan,
            Err(refusal) => {
                refused += 1;
                assert!(refused < 60, "{refusal}");
                assert!(
                    refusal.says.as_str().contains("gave no answer within"),
                    "the session is lost: {refusal}"
                );
            }
        }
    };
    let outcome = act(&actions, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(2)), "{outcome:?}");
    for one in waiting {
        one.end().await.1.unwrap();
    }
    drop(full);
}

#[tokio::test]
async fn a_full_server_can_still_be_rid_of_a_prepared_transaction() {
    let server = small();
    accounts(&server).await;
    let mut dba = Client::as_role(&server, "postgres", "dba").await;
    dba.run("grant app to warroom").await;
    let here = PostgresActions::new(&spec(&server));
    let elsewhere =
        PostgresActions::new(&spec(&server).with_url(&server.url("warroom").replace("/app", "/postgres")));
    here.open().await.unwrap();
    elsewhere.open().await.unwrap();
    let mut client = Client::new(&server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 1; prepare transaction 'order 42'").await;
    let waiting = Client::new(&server, "web.1").await.spawn("update accounts set n = 6 where id = 1");
    let mut watch = source(&spec(&server));
    poll_until(&mut watch, "a waiter", |sample| waiters(sample) == 1).await;
    let full = fill(&server).await;

    let intent = elsewhere.prepared("order 42").await.unwrap();
    let plan = elsewhere.plan(&intent).await.unwrap();
    let outcome = act(&elsewhere, plan).await;
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{outcome:?}");
    let says = outcome.says.as_str();
    assert!(says.contains("can be ended only in database app") && says.contains("no slot left"), "{says}");
    assert!(says.contains("run rollback prepared 'order 42' in app"), "{says}");

    let plan = here.plan(&intent).await.unwrap();
    let outcome = act(&here, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(1)), "{outcome:?}");
    waiting.end().await.1.unwrap();
    // The session is its own role's again: only that one sees when a superuser's session began.
    let key = here.backend(dba.pid).await.unwrap();
    assert_ne!(key.started.as_micros(), 0);
    drop(full);
}

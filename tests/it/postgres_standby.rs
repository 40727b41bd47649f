//! What a standby's replay waits for, on every version.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use warroom::actions::{Action as _, PostgresActions};
use warroom::detect::blocking::{Forest, Node};
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{Backend, DatabaseSample, OutcomeKind, Resource, Severity};

use crate::postgres::{Client, accounts, poll_until, source, spec};
use crate::postgres_actions::{act, line, terminate};
use crate::postgres_detect::{finding, judged};
use crate::postgres_versions::programs;

fn start(version: u32, primary: Option<&Postgres>, delay: &str) -> Postgres {
    let standby_of = primary.map(Postgres::port);
    let standby_from = primary.map(|primary| primary.sockets().join("data"));
    let settings = [
        ("autovacuum", "off"),
        ("wal_level", "replica"),
        ("max_wal_senders", "4"),
        ("hot_standby", "on"),
        ("max_standby_streaming_delay", delay),
    ];
    let server = settings.map(|(name, value)| (name.into(), value.into())).to_vec();
    start_with(&Settings {
        bin_dir: programs(version),
        server,
        standby_of,
        standby_from,
        ..Settings::default()
    })
    .unwrap()
}

/// The one that the replay waits for.
fn holder(sample: &DatabaseSample) -> Option<i32> {
    let forest = Forest::build(&sample.backends, &[]);
    let [root] = forest.roots.as_slice() else { return None };
    match root.nodes[0] {
        Node::Backend(at) if root.frees == 1 => Some(sample.backends[at].key.pid),
        _ => None,
    }
}

async fn on(version: u32) {
    let primary = start(version, None, "-1");
    accounts(&primary).await;
    Client::as_role(&primary, "postgres", "dba").await.run("checkpoint").await;
    let standby = start(version, Some(&primary), "-1");
    let spec = spec(&standby);
    let mut watch = source(&spec);
    let caught_up = |sample: &DatabaseSample| sample.replay_lag == Some(0.0);
    poll_until(&mut watch, "a standby that has caught up", caught_up).await;

    // A reader holds up what is replayed: it is named, and its end lets the replay go on.
    let mut migrate = Client::new(&primary, "migrate").await;
    let mut reader = Client::new(&standby, "report").await;
    reader.run("begin; lock table accounts in access share mode").await;
    migrate.run("alter table accounts add column extra int").await;
    let pid = reader.pid;
    let long =
        |sample: &DatabaseSample| sample.backends.iter().filter_map(|one| one.wait_age).any(|age| age > 2.5);
    let held = |sample: &DatabaseSample| holder(sample) == Some(pid) && long(sample);
    let sample = poll_until(&mut watch, "who holds the replay up", held).await;
    let judgement = judged(&Ok(sample), 20);
    let found = finding(&judgement, Resource::PostgresLocks);
    assert!(
        found.says.contains("report") && found.says.contains("the replay of the log among them"),
        "{found:?}"
    );
    let actions = PostgresActions::new(&spec);
    let root = actions.root_blocker().await.unwrap();
    assert_eq!((root.len(), root[0].pid), (1, pid));
    let plan = actions.plan(&terminate(&root)).await.unwrap();
    assert!(line(&plan, "frees").starts_with("1 of 1 waiter"), "{plan:?}");
    let outcome = act(&actions, plan).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(1)), "{outcome:?}");
    poll_until(&mut watch, "a standby that has caught up again", caught_up).await;
}

#[tokio::test]
async fn a_standby_of_13_names_who_holds_its_replay_up() {
    on(13).await;
}

#[tokio::test]
async fn a_standby_of_14_names_who_holds_its_replay_up() {
    on(14).await;
}

#[tokio::test]
async fn a_standby_of_15_names_who_holds_its_replay_up() {
    on(15).await;
}

#[tokio::test]
async fn a_standby_of_16_names_who_holds_its_replay_up() {
    on(16).await;
}

#[tokio::test]
async fn a_standby_of_17_names_who_holds_its_replay_up() {
    on(17).await;
}

#[tokio::test]
async fn a_standby_of_18_names_who_holds_its_replay_up() {
    on(18).await;
}

/// Replay that waits for nobody cancels who stands in its way: told by reason, with the setting that mends it.
async fn cancelled_on(version: u32) {
    let primary = start(version, None, "0");
    accounts(&primary).await;
    let mut dba = Client::as_role(&primary, "postgres", "dba").await;
    dba.run("checkpoint").await;
    let standby = start(version, Some(&primary), "0");
    let spec = spec(&standby);
    let mut watch = source(&spec);
    let calm = |sample: &DatabaseSample| {
        sample.replay_lag == Some(0.0) && sample.replay_conflicts.as_ref().is_some_and(|some| some.all() == 0)
    };
    let sample = poll_until(&mut watch, "a standby that has caught up", calm).await;
    assert!(judged(&Ok(sample), 5).findings.is_empty());

    let mut report = Client::new(&standby, "report").await;
    report.run("begin isolation level repeatable read; select * from accounts").await;
    dba.run("delete from accounts where id = 1").await;
    dba.run("vacuum accounts").await;
    let seen = |sample: &DatabaseSample| sample.replay_conflicts.as_ref().is_some_and(|some| some.all() > 0);
    let sample = poll_until(&mut watch, "who saw old rows", seen).await;
    let counted = sample.replay_conflicts.as_ref().unwrap();
    assert_eq!((counted.rows, counted.all()), (1, 1), "{counted:?}");
    let judgement = judged(&Ok(sample), 2);
    let found = finding(&judgement, Resource::PostgresReplication);
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.says.starts_with("replay cancelled 1 statement in app in the last "), "{found:?}");
    assert!(found.says.ends_with(": saw rows that vacuum removed on the primary"), "{found:?}");
    let advice = &found.remedy.as_ref().unwrap().says;
    assert!(advice.starts_with("set hot_standby_feedback = on here"), "{advice}");
    assert!(report.try_run("select 1").await.is_err(), "the reader of old rows was not ended");

    // A table locked on the primary: what its clients see, and that the feedback is no help there.
    let mut all = Vec::new();
    for _ in 0..2 {
        let client = Client::new(&standby, "report").await;
        all.push(client.spawn("begin; lock table accounts in access share mode; select pg_sleep(600)"));
    }
    let sleeps = |sample: &DatabaseSample| {
        let asleep = |pid| sample.backends.iter().any(|one| one.key.pid == pid && one.query_age.is_some());
        all.iter().all(|one| asleep(one.pid))
            && sample.backends.iter().filter(|one| sleeping(one)).count() == 2
    };
    poll_until(&mut watch, "two reports at work", sleeps).await;
    dba.run("alter table accounts add column extra int").await;
    for one in all {
        let error = one.end().await.1.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        assert_eq!(code.as_deref(), Some("40001"), "{error}");
    }
    let seen = |sample: &DatabaseSample| sample.replay_conflicts.as_ref().is_some_and(|some| some.locks == 2);
    let judgement = judged(&Ok(poll_until(&mut watch, "who held the table", seen).await), 2);
    let found = finding(&judgement, Resource::PostgresReplication);
    assert!(found.says.contains("held a table that the primary locked"), "{found:?}");
    let advice = &found.remedy.as_ref().unwrap().says;
    assert!(advice.starts_with("raise max_standby_streaming_delay here (now 0 ms;"), "{advice}");
}

fn sleeping(one: &Backend) -> bool {
    one.wait.as_ref().is_some_and(|wait| wait.event.as_str() == "PgSleep")
}

#[tokio::test]
async fn a_standby_of_13_tells_whom_its_replay_cancelled_and_why() {
    cancelled_on(13).await;
}

#[tokio::test]
async fn a_standby_of_18_tells_whom_its_replay_cancelled_and_why() {
    cancelled_on(18).await;
}

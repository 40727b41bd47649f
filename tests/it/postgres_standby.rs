//! What a standby's replay waits for, on every version.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use warroom::actions::{Action as _, PostgresActions};
use warroom::detect::blocking::{Forest, Node};
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{DatabaseSample, OutcomeKind, Resource};

use crate::postgres::{Client, accounts, poll_until, source, spec};
use crate::postgres_actions::{act, line, terminate};
use crate::postgres_detect::{finding, judged};
use crate::postgres_versions::programs;

fn start(version: u32, primary: Option<&Postgres>) -> Postgres {
    let standby_of = primary.map(Postgres::port);
    let standby_from = primary.map(|primary| primary.sockets().join("data"));
    let settings = [
        ("autovacuum", "off"),
        ("wal_level", "replica"),
        ("max_wal_senders", "4"),
        ("hot_standby", "on"),
        ("max_standby_streaming_delay", "-1"),
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
    let primary = start(version, None);
    accounts(&primary).await;
    Client::as_role(&primary, "postgres", "dba").await.run("checkpoint").await;
    let standby = start(version, Some(&primary));
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

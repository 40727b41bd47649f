//! Clearing a namespace on real servers: only its keys go, it can be stopped, and what it tells is true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use tokio::sync::mpsc;
use warroom::actions::{Action, RedisActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::journal::{Author, Intended, Journal};
use warroom::lab;
use warroom::model::{
    Clearing, Confirm, Intent, Namespace, Outcome, OutcomeKind, Plan, Progress, Refusal, TargetId, Timestamp,
};

use super::redis::{client, run};

/// Every glob character there is, and it means only itself.
const ODD: &str = r"cache:t[1]*?\^:";

pub(super) fn target(url: &str, namespaces: &[(&str, &str, bool)]) -> TargetSpec {
    let mut spec = TargetSpec::new(TargetId::parse("cache").unwrap(), "redis").with_url(url);
    for (name, prefix, protected) in namespaces {
        spec.namespaces.push(Namespace::parse(name, prefix, *protected).unwrap());
    }
    spec
}

pub(super) fn intent(spec: &TargetSpec, name: &str) -> Intent {
    let namespace = spec.namespaces.iter().find(|namespace| namespace.name == name).unwrap().clone();
    Intent::ClearNamespace { target: spec.id.clone(), namespace, how: Clearing::default() }
}

pub(super) async fn plan(spec: &TargetSpec, name: &str) -> Result<Plan, Refusal> {
    RedisActions::new(spec).plan(&intent(spec, name)).await
}

pub(super) fn intended(plan: Plan) -> Intended {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal.jsonl"), Author::default());
    journal.intend(plan, Timestamp::from_micros(1)).unwrap()
}

pub(super) async fn act(spec: &TargetSpec, plan: Plan, stop: &StopFlag) -> (Outcome, Vec<Progress>) {
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    let outcome = RedisActions::new(spec).act(&intended(plan), sink, stop.clone()).await;
    let mut told = Vec::new();
    while let Ok(it) = progress.try_recv() {
        told.push(it);
    }
    (outcome, told)
}

/// Writes `count` keys that begin with `prefix`.
pub(super) async fn fill(client: &mut redis::aio::MultiplexedConnection, prefix: &str, count: u32) {
    for first in (0..count).step_by(5_000) {
        let mut pipeline = redis::pipe();
        for n in first..count.min(first + 5_000) {
            pipeline.cmd("SET").arg(format!("{prefix}{n}")).arg("x").ignore();
        }
        pipeline.query_async::<()>(client).await.unwrap();
    }
}

pub(super) async fn size(client: &mut redis::aio::MultiplexedConnection) -> u64 {
    match run(client, &["DBSIZE"]).await {
        redis::Value::Int(n) => u64::try_from(n).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_the_keys_of_the_namespace_go() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, ODD, 20_000).await;
    fill(&mut other, "page:", 178_000).await;
    // What a pattern that is not escaped would hit, what stands beside it, and bytes that are no text.
    for near in ["cache:t1xx\\^:1", "cache:t[1]*?:1", "cache:t1ab^:2", r"cache:t[1]*?\^"] {
        run(&mut other, &["SET", near, "x"]).await;
    }
    let mut binary = ODD.as_bytes().to_vec();
    binary.extend(b"\xff\x00\r\n*");
    redis::cmd("SET").arg(&binary).arg("x").query_async::<()>(&mut other).await.unwrap();
    fill(&mut other, &format!("{ODD}keep:"), 500).await;

    let keep = format!("{ODD}keep:");
    let spec = target(&server.url(0), &[("odd", ODD, false), ("keep", &keep, true)]);
    let planned = plan(&spec, "odd").await.unwrap();
    assert!((12_000..28_000).contains(&planned.touches), "the estimate is far off: {}", planned.touches);
    assert_eq!(planned.confirm, Confirm::Key);
    assert!(planned.warnings.iter().any(|warning| warning.as_str().contains("keep:")), "{planned:?}");

    let (outcome, told) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
    assert_eq!((outcome.matched, outcome.deleted), (Some(20_001), Some(20_001)));
    assert!(outcome.says.as_str().contains("none is left"), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 178_000 + 4 + 500);
    assert!(!told.is_empty());
    assert!(told.windows(2).all(|pair| pair[0].share <= pair[1].share), "progress went backwards");
    assert_eq!(plan(&spec, "odd").await.unwrap().touches, 0);
}

#[tokio::test]
async fn what_must_not_be_cleared_is_refused() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "sess:", 10).await;
    fill(&mut other, "cache:a:", 10).await;
    let spec = target(
        &server.url(0),
        &[
            ("sessions", "sess:", true),
            ("within", "sess:web:", false),
            ("jobs", "rq:queue:", false),
            ("a", "cache:a:", false),
            ("none", "cache:none:", false),
        ],
    );
    for (name, word) in [("sessions", "protected"), ("within", "protected"), ("jobs", "jobs would be lost")] {
        let refusal = plan(&spec, name).await.unwrap_err();
        assert_eq!(refusal.kind, OutcomeKind::Refused);
        assert!(refusal.says.as_str().contains(word), "{refusal}");
    }
    assert_eq!(plan(&spec, "none").await.unwrap_err().kind, OutcomeKind::NothingToDo);
    // Half of all keys: the name is typed.
    let planned = plan(&spec, "a").await.unwrap();
    assert_eq!(planned.touches, 10);
    fill(&mut other, "cache:a:more", 30).await;
    let planned_more = plan(&spec, "a").await.unwrap();
    assert_eq!(planned_more.confirm, Confirm::Name("cache".into()));
    assert_eq!(planned.identity, planned_more.identity, "the same thing, however many keys it has now");

    // A plan made by hand for a protected namespace gets nowhere either.
    let forged = Plan { intent: intent(&spec, "sessions"), ..planned.clone() };
    let (outcome, _) = act(&spec, forged, &StopFlag::default()).await;
    assert_eq!((outcome.kind, size(&mut other).await), (OutcomeKind::Refused, 50));

    run(&mut other, &["ACL", "SETUSER", "eye", "on", ">pw", "~*", "+@all", "-unlink"]).await;
    let limited =
        target(&format!("redis://eye:pw@127.0.0.1:{}/0", server.port()), &[("a", "cache:a:", false)]);
    let refusal = plan(&limited, "a").await.unwrap_err();
    assert!(refusal.says.as_str().contains("ACL SETUSER eye '(+unlink ~cache:a:*)'"), "{refusal}");
    // Who may not count the keys would be told of none, and clear many.
    run(&mut other, &["ACL", "SETUSER", "blind", "on", ">pw", "~*", "+@all", "-dbsize"]).await;
    let blind = limited.clone().with_url(&format!("redis://blind:pw@127.0.0.1:{}/0", server.port()));
    let refusal = plan(&blind, "a").await.unwrap_err();
    assert!(refusal.says.as_str().contains("+dbsize"), "{refusal}");
    // A clear that was planned while it was still allowed breaks off and says so.
    let (outcome, _) = act(&limited, planned_more, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Failed, Some(0)), "{}", outcome.says);

    let replica = lab::redis::start(&["--replicaof", &format!("127.0.0.1 {}", server.port())]).unwrap();
    let there = target(&replica.url(0), &[("a", "cache:a:", false)]);
    let refusal = plan(&there, "a").await.unwrap_err();
    let says = refusal.says.as_str();
    assert!(says.contains("replica") || says.contains("loading"), "{refusal}");
}

#[tokio::test]
async fn stopped_in_the_middle_it_tells_how_many_went() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 60_000).await;
    fill(&mut other, "page:", 100_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let planned = plan(&spec, "a").await.unwrap();
    let stop = StopFlag::default();
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    let (actions, intended) = (RedisActions::new(&spec), intended(planned));
    let middle = async {
        while let Some(told) = progress.recv().await {
            if told.share > 0.1 {
                stop.pause(true);
                break;
            }
        }
        // Held: after the batch under way, which a slow server takes its time for, nothing more goes.
        let (mut before, mut held) = (0, size(&mut other).await);
        while before != held {
            tokio::time::sleep(Duration::from_millis(300)).await;
            (before, held) = (held, size(&mut other).await);
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(size(&mut other).await, held, "a paused clear went on");
        stop.stop();
    };
    let (outcome, ()) = tokio::join!(actions.act(&intended, sink, stop.clone()), middle);
    let left = size(&mut other).await;
    let deleted = outcome.deleted.unwrap();
    assert_eq!(160_000 - left, deleted, "{}", outcome.says);
    assert!((1..60_000).contains(&deleted), "{deleted}");
    assert!(outcome.says.as_str().starts_with("stopped by the operator after "), "{}", outcome.says);
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_leaves_a_failed_outcome_with_its_count() {
    let mut server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 400_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let planned = plan(&spec, "a").await.unwrap();
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    let (actions, intended, stop) = (RedisActions::new(&spec), intended(planned), StopFlag::default());
    let killer = async {
        while let Some(told) = progress.recv().await {
            if told.share > 0.1 {
                break;
            }
        }
        // Held while the server ends, however long that takes: the clear must not win the race.
        stop.pause(true);
        server.process().stop();
        stop.pause(false);
    };
    let (outcome, ()) = tokio::join!(actions.act(&intended, sink, stop.clone()), killer);
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{}", outcome.says);
    assert!(outcome.says.as_str().starts_with("broke off"), "{}", outcome.says);
    assert!((1..400_000).contains(&outcome.deleted.unwrap()), "{}", outcome.says);

    let again = plan(&spec, "a").await.unwrap_err();
    assert_eq!(again.kind, OutcomeKind::Failed, "{again}");
}

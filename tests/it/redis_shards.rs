//! A cluster as it is watched: each master by itself, all of them together, and what is not served.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use tokio::time::Instant;
use warroom::config::{TargetSpec, Thresholds};
use warroom::detect::{Judge, Judgement};
use warroom::model::{
    CacheSample, PollErrorKind, Reading, Resource, Sample, SentinelSample, Severity, Timestamp,
};
use warroom::shell::world::info;
use warroom::sources::Source;
use warroom::store::Store;

use super::redis::{client, kind, run, source};
use super::redis_clear::{fill, target};
use super::redis_cluster::{Node, meet, start, tag};
use super::redis_detect::{found, judged};

const PATIENCE: Duration = Duration::from_secs(60);

/// Judges as if the same readings had come for ten seconds.
fn judge(spec: &TargetSpec, readings: &[Reading]) -> Judgement {
    let info = info(spec);
    let (mut store, mut judge) = (Store::new([info]), Judge::new(Thresholds::default(), []));
    let mut last = Judgement::default();
    for second in 0..10 {
        let at = Timestamp::from_micros(1_700_000_000_000_000 + second * 1_000_000);
        for reading in readings {
            store.take(at, reading.clone());
        }
        last = judge.judge(&mut store, at).0;
    }
    last
}

fn cache(reading: &Reading) -> &CacheSample {
    match &reading.sample {
        Ok(Sample::Cache(sample)) => sample,
        other => panic!("no cache sample: {other:?}"),
    }
}

async fn cluster() -> (Vec<Node>, TargetSpec, Box<dyn Source>) {
    let mut nodes = Vec::new();
    for number in 0..3 {
        nodes.push(start(number).await);
    }
    meet(&mut nodes).await;
    let spec = target(&nodes[1].0.url(0), &[("a", "cache:a:", false)]);
    let source = source(&spec);
    (nodes, spec, source)
}

#[tokio::test]
async fn each_master_has_a_row_and_one_that_carries_too_much_is_told() {
    let (mut nodes, spec, mut source) = cluster().await;
    for (number, (_, own, _)) in nodes.iter_mut().enumerate() {
        let tag = tag(own, number).await;
        fill(own, &format!("cache:a:{{{tag}}}:"), 100 * (1 + u32::try_from(number).unwrap())).await;
    }
    let readings = source.poll().await;
    let ids: Vec<_> = readings.iter().map(|reading| reading.target.to_string()).collect();
    assert_eq!(ids, ["cache", "cache/0-5460", "cache/5461-10922", "cache/10923-16383"]);
    let keys: Vec<_> = readings.iter().map(|reading| cache(reading).keys).collect();
    assert_eq!(keys, [600, 100, 200, 300]);
    let whole = cache(&readings[0]);
    let cluster = whole.cluster.as_ref().unwrap();
    assert_eq!((cluster.state.as_str(), cluster.assigned, cluster.served), ("ok", 16_384, 16_384));
    for (number, shard) in cluster.shards.iter().enumerate() {
        assert_eq!(shard.address.as_str(), format!("127.0.0.1:{}", nodes[number].0.port()));
        let row = cache(&readings[number + 1]);
        assert_eq!((shard.keys, shard.used_memory), (Some(row.keys), Some(row.used_memory)));
        assert_eq!(row.address.as_ref(), Some(&shard.address));
    }
    assert_eq!(whole.used_memory, readings[1..].iter().map(|it| cache(it).used_memory).sum::<u64>());
    let calls = |sample: &CacheSample| {
        sample.command_stats.iter().find(|it| it.name.as_str() == "set").map(|it| it.calls)
    };
    assert_eq!(calls(whole), Some(600));
    assert_eq!(whole.missing, []);
    let judgement = judge(&spec, &readings);
    for rule in ["cluster_slots", "shard_balance", "no_answer"] {
        assert_eq!(found(&judgement, rule), None);
    }

    // One value as large as a shard should be in all.
    let (_, own, _) = &mut nodes[2];
    let large = format!("page:{{{}}}", tag(own, 2).await);
    run(own, &["SETRANGE", &large, "150000000", "x"]).await;
    let readings = source.poll().await;
    let finding = found(&judge(&spec, &readings), "shard_balance").expect("told");
    // A slow machine may answer late besides, and then this is taken for the cause of that.
    assert!(finding.severity >= Severity::Warning);
    assert_eq!(finding.resource, Resource::CacheMemory);
    let says = finding.says.as_str();
    assert!(says.starts_with("10923-16383 at 127.0.0.1:") && says.contains("times as much"), "{says}");
}

#[tokio::test]
async fn slots_that_nobody_serves_and_a_master_that_is_gone_are_critical() {
    let (mut nodes, spec, mut source) = cluster().await;
    assert_eq!(source.poll().await.len(), 4);
    // The member that is asked loses a slot of its own; it knows that at once.
    run(&mut nodes[1].1, &["CLUSTER", "DELSLOTS", "6000"]).await;
    let began = Instant::now();
    let readings = loop {
        assert!(began.elapsed() < PATIENCE, "the cluster thinks it is whole");
        let readings = source.poll().await;
        let told = cache(&readings[0]).cluster.clone().unwrap();
        if told.assigned == 16_383 && told.state.as_str() == "fail" {
            break readings;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let finding = found(&judge(&spec, &readings), "cluster_slots").expect("told");
    assert_eq!((finding.severity, finding.resource), (Severity::Critical, Resource::TargetAnswer));
    let says = finding.says.as_str();
    assert!(says.starts_with("1 of 16 384 slots") && says.contains("belong to no master"), "{says}");
    run(&mut nodes[1].1, &["CLUSTER", "ADDSLOTS", "6000"]).await;

    nodes[2].0.process().stop();
    let port = nodes[2].0.port();
    let readings = loop {
        assert!(began.elapsed() < PATIENCE * 2, "nobody misses the master");
        let readings = source.poll().await;
        if cache(&readings[0]).cluster.as_ref().unwrap().failed > 0 {
            break readings;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let whole = cache(&readings[0]);
    assert!(
        whole.missing.iter().any(|it| it.what.as_str() == format!("master 127.0.0.1:{port}")),
        "{whole:?}"
    );
    let gone = readings.iter().find(|it| it.target.row_name() == Some("10923-16383")).expect("a row");
    assert_eq!(gone.sample.as_ref().unwrap_err().kind, PollErrorKind::Unreachable);
    let finding = found(&judge(&spec, &readings), "cluster_slots").expect("told");
    let says = finding.says.as_str();
    assert!(says.contains("their master is down") && says.contains(&port.to_string()), "{says}");
    assert!(finding.remedy.unwrap().says.contains("CLUSTER FAILOVER TAKEOVER"));
}

#[tokio::test]
async fn a_user_that_may_not_ask_for_the_cluster_sees_its_member_and_the_rule() {
    let (mut nodes, mut spec, _) = cluster().await;
    run(&mut nodes[1].1, &["ACL", "SETUSER", "eye", "on", ">pw", "-@all", "+@connection", "+info"]).await;
    let port = nodes[1].0.port();
    spec = spec.with_url(&format!("redis://eye:pw@127.0.0.1:{port}/0"));
    let readings = source(&spec).poll().await;
    assert_eq!(readings.len(), 1);
    let missing = &cache(&readings[0]).missing;
    let why = &missing.iter().find(|it| it.what.as_str() == "cluster").expect("told").why;
    assert!(why.as_str().ends_with("ACL SETUSER <user> +cluster|slots"), "{why}");
    let lines = (kind("redis").doctor)(&spec).await;
    let rule =
        lines.iter().find(|it| it.what.as_str().contains("by one rule")).unwrap().mend.clone().unwrap();
    assert!(rule.as_str().contains("+cluster|info +cluster|slots"), "{rule}");
    let words: Vec<_> = rule.as_str().split(' ').collect();
    // Rules are each node's own.
    for (server, ..) in &nodes {
        let mut admin = client(&server.url(0)).await;
        run(&mut admin, &["ACL", "SETUSER", "eye", "on", ">pw", "-@all", "+@connection", "+info"]).await;
        run(&mut admin, &words).await;
    }
    assert_eq!(source(&spec).poll().await.len(), 4);
}

#[test]
fn too_few_sentinels_to_replace_a_master_are_a_warning() {
    let seen = |answered, agree| {
        let sentinel = SentinelSample {
            master: "shop".into(),
            asked: 3,
            answered,
            agree,
            known: 3,
            quorum: 2,
            replicas: 1,
            ..SentinelSample::default()
        };
        let sample = CacheSample { sentinel: Some(sentinel), ..CacheSample::default() };
        found(&judged((0..10).map(|_| Sample::Cache(Box::new(sample.clone())))), "sentinels")
    };
    assert_eq!(seen(3, 3).map(|it| it.severity), None);
    assert_eq!(seen(2, 2).map(|it| it.severity), None);
    let few = seen(1, 1).expect("told");
    assert_eq!((few.severity, few.resource), (Severity::Warning, Resource::TargetAnswer));
    assert!(seen(3, 2).expect("told").says.contains("2 of 3 Sentinels name"));
}

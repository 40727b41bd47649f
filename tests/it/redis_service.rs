//! Connections, replicas, saving and hits of real caches, as they are judged.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tokio::time::{Instant, sleep};
use warroom::lab;
use warroom::model::{CacheSample, Finding, Sample, Severity};
use warroom::sources::Source;

use super::redis::{cache, client, run, source, spec};
use super::redis_detect::{found, judged};

/// Polls until the sample is as wanted.
pub(crate) async fn until(
    source: &mut Box<dyn Source>,
    what: &str,
    so: impl Fn(&CacheSample) -> bool,
) -> CacheSample {
    let began = Instant::now();
    loop {
        let sample = cache(source).await;
        if so(&sample) {
            return sample;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "never saw {what}: {sample:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What is found when it has looked like `before` once and like `now` for a while.
fn finding(before: &CacheSample, now: &CacheSample, rule: &str) -> Option<Finding> {
    let of = |sample: &CacheSample| Sample::Cache(Box::new(sample.clone()));
    found(&judged((0..8).map(|second| of(if second == 0 { before } else { now }))), rule)
}

#[tokio::test]
async fn a_snapshot_that_fails_and_the_writes_refused_for_it_are_told() {
    let folder = lab::Folder::temporary("saving").unwrap();
    let dir = folder.path().to_str().unwrap();
    let server = lab::redis::start(&["--dir", dir, "--save", "3600 1000"]).unwrap();
    // A file cannot take the place of a folder.
    std::fs::create_dir(folder.path().join("dump.rdb")).unwrap();
    let mut other = client(&server.url(0)).await;
    let mut source = source(&spec("redis", &server.url(0)));
    let fine = cache(&mut source).await;
    assert_eq!(finding(&fine, &fine, "cache_saving"), None);
    run(&mut other, &["SET", "a", "1"]).await;
    run(&mut other, &["BGSAVE"]).await;
    let failed = until(&mut source, "a failed snapshot", |it| {
        it.persistence.as_ref().is_some_and(|it| it.snapshot_failed)
    })
    .await;
    let told = finding(&failed, &failed, "cache_saving").unwrap();
    assert_eq!(told.severity, Severity::Warning);
    assert!(told.says.contains("its last snapshot failed; 1 change would be lost"), "{}", told.says);
    assert!(failed.fork_ms.is_some());
    let refused = redis::cmd("SET").arg("b").arg("1").query_async::<()>(&mut other).await.unwrap_err();
    assert_eq!(refused.code(), Some("MISCONF"), "{refused}");
    let now = cache(&mut source).await;
    let told = finding(&failed, &now, "cache_saving").unwrap();
    assert_eq!(told.severity, Severity::Critical);
    assert!(told.says.contains("refuses writes: its last snapshot failed"), "{}", told.says);
}

#[tokio::test]
async fn a_replica_is_seen_from_both_ends_and_misses_its_master() {
    let mut master = lab::redis::start(&[]).unwrap();
    let following = format!("127.0.0.1 {}", master.port());
    let replica = lab::redis::start(&["--replicaof", &following]).unwrap();
    let (mut above, mut below) =
        (source(&spec("redis", &master.url(0))), source(&spec("redis", &replica.url(0))));
    let online = |it: &CacheSample| it.replicas.iter().any(|it| it.state.as_str() == "online");
    let mut sample = until(&mut above, "its replica in step", online).await;
    assert_eq!(sample.replicas[0].address.as_str(), format!("127.0.0.1:{}", replica.port()));
    assert!(sample.replicas[0].behind.is_some() && sample.backlog.is_some(), "{sample:#?}");
    assert_eq!(finding(&sample, &sample, "cache_replicas"), None);
    // The same with what such a replica would tell that cannot follow.
    sample.replicas[0].behind = Some(200 << 20);
    let told = finding(&sample, &sample, "cache_replicas").unwrap();
    assert!(told.says.contains("200 MB behind; if its link breaks now"), "{}", told.says);

    let linked = |it: &CacheSample| it.replica_link.as_ref().is_some_and(|link| link.up);
    let sample = until(&mut below, "its master", linked).await;
    assert_eq!(finding(&sample, &sample, "cache_replica"), None);
    master.process().stop();
    let sample = until(&mut below, "a broken link", |it| !linked(it)).await;
    let told = finding(&sample, &sample, "cache_replica").unwrap();
    assert!(told.says.contains("a replica without its master"), "{}", told.says);
    assert_eq!(told.severity, Severity::Warning);
}

#[tokio::test]
async fn clients_that_are_turned_away_or_connect_for_each_request_are_told() {
    let server = lab::redis::start(&["--maxclients", "4"]).unwrap();
    let mut source = source(&spec("redis", &server.url(0)));
    let before = cache(&mut source).await;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap());
    }
    let now = until(&mut source, "refused clients", |it| it.rejected > 0).await;
    let told = finding(&before, &now, "cache_clients").unwrap();
    assert_eq!(told.severity, Severity::Critical);
    assert!(
        told.says.starts_with("4 of 4 connections in use") && told.says.contains("turned away"),
        "{told:?}"
    );
    let named = until(&mut source, "who holds them", |it| it.client_list.is_some()).await;
    let told = finding(&before, &named, "cache_clients").unwrap();
    assert!(told.says.ends_with(": 127.0.0.1 holds 3"), "{}", told.says);

    drop(held);
    let (mut one, mut more) = (before.clone(), before);
    (one.clients, more.clients) = (1, 1);
    more.connections += 900;
    more.commands += 1_800;
    // A minute of it: 90 a second.
    let of = |n: u64| {
        let mut it = one.clone();
        (it.connections, it.commands) = (one.connections + 90 * n, one.commands + 180 * n);
        Sample::Cache(Box::new(it))
    };
    let told = found(&judged((0..30).map(of)), "cache_clients").unwrap();
    assert!(told.says.contains("90 new connections/s for 180 commands/s"), "{}", told.says);
}

#[test]
fn a_hit_ratio_that_fell_is_told_beside_the_usual_and_with_what_made_it_fall() {
    let run = |expires: bool| {
        let (mut hits, mut misses, mut expired) = (0, 0, 0);
        judged((0..200).map(move |second: u64| {
            let good = second < 180;
            hits += if good { 960 } else { 300 };
            misses += if good { 40 } else { 700 };
            expired += if !good && expires { 500 } else { 0 };
            let sample = CacheSample { hits, misses, expired, keys: 10_000, ..CacheSample::default() };
            Sample::Cache(Box::new(sample))
        }))
    };
    let told = found(&run(false), "hit_fall").unwrap();
    assert_eq!(told.severity, Severity::Critical);
    assert!(
        told.says.starts_with("30 % of lookups hit, usually 96 %; it holds 10 000 keys"),
        "{}",
        told.says
    );
    let told = found(&run(true), "hit_fall").unwrap();
    assert!(told.says.contains("; 500 keys/s expire"), "{}", told.says);
}

//! What can come between a clear and its end, and the gentler ways, on real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use warroom::actions::{Action, RedisActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::lab;
use warroom::model::{Clearing, Intent, OutcomeKind, Pace, Plan, Progress, Refusal, Way};

use super::redis::{client, kind, run};
use super::redis_clear::{act, fill, intended, intent, plan, size, target};

async fn plan_how(spec: &TargetSpec, how: Clearing) -> Result<Plan, Refusal> {
    let Intent::ClearNamespace { target, namespace, .. } = intent(spec, "a") else {
        panic!("another intent")
    };
    RedisActions::new(spec).plan(&Intent::ClearNamespace { target, namespace, how }).await
}

async fn number(client: &mut redis::aio::MultiplexedConnection, command: &[&str]) -> i64 {
    match run(client, command).await {
        redis::Value::Int(n) => n,
        redis::Value::BulkString(text) => String::from_utf8(text).unwrap().parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failover_in_the_middle_ends_it_and_what_went_before_is_told() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 60_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let planned = plan(&spec, "a").await.unwrap();
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    let (actions, intended) = (RedisActions::new(&spec), intended(planned));
    let failover = async {
        while let Some(told) = progress.recv().await {
            if told.share > 0.1 {
                break;
            }
        }
        // Nobody listens there: it keeps its data and refuses writes from now on.
        run(&mut other, &["REPLICAOF", "127.0.0.1", "1"]).await;
    };
    let (outcome, ()) = tokio::join!(actions.act(&intended, sink, StopFlag::default()), failover);
    assert_eq!(outcome.kind, OutcomeKind::Failed, "{}", outcome.says);
    assert!(outcome.says.as_str().contains("become a replica"), "{}", outcome.says);
    assert!(!outcome.stopped);
    let deleted = outcome.deleted.unwrap();
    assert!((1..60_000).contains(&deleted), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 60_000 - deleted);
}

#[tokio::test]
async fn keys_that_come_meanwhile_are_counted_and_not_hidden() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "page:", 160_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    // A sweep may be over before the test is awake to hold it: then once more.
    for _ in 0..20 {
        fill(&mut other, "cache:a:", 40_000).await;
        let (before, planned) = (size(&mut other).await, plan(&spec, "a").await.unwrap());
        let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
        let (actions, intended) = (RedisActions::new(&spec), intended(planned));
        let stop = StopFlag::default();
        let writer = async {
            while let Some(told) = progress.recv().await {
                if told.share > 0.2 {
                    stop.pause(true);
                    break;
                }
            }
            // The batch under way is over long before two counts are equal.
            let (mut one, mut two) = (0, size(&mut other).await);
            while one != two {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                (one, two) = (two, size(&mut other).await);
            }
            // A fifth of these at least fall where the sweep has been already.
            fill(&mut other, "cache:a:new:", 5_000).await;
            stop.hurry(true);
            stop.pause(false);
            two
        };
        let (outcome, held) = tokio::join!(actions.act(&intended, sink, stop.clone()), writer);
        assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
        let left = size(&mut other).await - 160_000;
        assert_eq!(before + 5_000 - 160_000 - left, outcome.deleted.unwrap(), "{}", outcome.says);
        if held > 161_000 {
            assert!(left > 500, "{left}");
            let told = warroom::model::words::count(left);
            let says = outcome.says.as_str();
            assert!(says.contains(&format!("{told} came back since")), "{left}: {says}");
            return;
        }
    }
    panic!("no sweep could be held in its middle");
}

#[tokio::test]
async fn keys_of_one_type_or_unused_for_long_go_alone_and_at_full_pace() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 3_000).await;
    for n in 0..10 {
        run(&mut other, &["HSET", &format!("cache:a:h{n}"), "f", "v"]).await;
    }
    fill(&mut other, "page:", 10_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let hashes = Clearing { only_type: Some("hash".into()), pace: Pace::Full, ..Clearing::default() };
    let planned = plan_how(&spec, hashes).await.unwrap();
    assert!(planned.lines.iter().any(|line| line.text.as_str() == "those of type hash"), "{planned:?}");
    let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(10)), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 13_000);

    // Everything was just written: nothing is that old, and nothing goes.
    let old = Clearing { older_than: Some(3_600), ..Clearing::default() };
    let (outcome, _) = act(&spec, plan_how(&spec, old).await.unwrap(), &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::NothingToDo, Some(0)), "{}", outcome.says);
    let any = Clearing { older_than: Some(0), ..Clearing::default() };
    let (outcome, _) = act(&spec, plan_how(&spec, any).await.unwrap(), &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(3_000)), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 10_000);

    run(&mut other, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]).await;
    let old = Clearing { older_than: Some(60), ..Clearing::default() };
    let refusal = plan_how(&spec, old).await.unwrap_err();
    assert!(refusal.says.as_str().contains("lfu"), "{refusal}");
}

#[tokio::test]
async fn expiry_is_spread_over_a_window_and_lengthens_no_life() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 2_000).await;
    fill(&mut other, "page:", 3_000).await;
    run(&mut other, &["SET", "cache:a:soon", "x", "PX", "900000"]).await;
    run(&mut other, &["SET", "cache:a:sooner", "x", "PX", "1"]).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let gentler = plan(&spec, "a").await.unwrap().gentler.unwrap();
    assert!(gentler.says.as_str().contains("expire over 10m"), "{gentler:?}");

    let how = Clearing { way: Way::Expire { over_ms: 600_000 }, ..Clearing::default() };
    let planned = plan_how(&spec, how).await.unwrap();
    assert!(planned.gentler.is_none());
    let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
    assert_eq!((outcome.deleted, outcome.expiring), (Some(0), Some(2_001)), "{}", outcome.says);
    let mut lives = Vec::new();
    for n in 0..200 {
        lives.push(number(&mut other, &["PTTL", &format!("cache:a:{n}")]).await);
    }
    assert!(lives.iter().all(|ms| (-2..=600_000).contains(ms) && *ms != -1), "{lives:?}");
    let early = lives.iter().filter(|ms| **ms < 300_000).count();
    assert!((60..140).contains(&early), "not spread: {early} of 200 in the first half");
    assert!(number(&mut other, &["PTTL", "cache:a:soon"]).await <= 600_000);
    assert_eq!(number(&mut other, &["PTTL", "page:1"]).await, -1);
}

#[tokio::test]
async fn a_version_is_raised_by_one_and_nothing_else_is_touched() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 10).await;
    run(&mut other, &["SET", "version:a", "41"]).await;
    let mut spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let bump = || Clearing { way: Way::Renew, ..Clearing::default() };
    let refusal = plan_how(&spec, bump()).await.unwrap_err();
    assert!(refusal.says.as_str().contains("version_key"), "{refusal}");

    spec.namespaces[0].version_key = Some("version:a".into());
    let gentler = plan(&spec, "a").await.unwrap().gentler.unwrap();
    assert!(gentler.says.as_str().contains("raise its version"), "{gentler:?}");
    let planned = plan_how(&spec, bump()).await.unwrap();
    assert!(planned.lines.iter().any(|line| line.text.as_str() == "41, becomes 42"), "{planned:?}");
    let (outcome, _) = act(&spec, planned, &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(0)), "{}", outcome.says);
    assert_eq!(number(&mut other, &["GET", "version:a"]).await, 42);
    assert_eq!(size(&mut other).await, 11);

    run(&mut other, &["SET", "version:a", "v7"]).await;
    assert!(plan_how(&spec, bump()).await.unwrap_err().says.as_str().contains("no whole number"));
}

#[tokio::test]
async fn the_rule_that_doctor_names_makes_the_server_protect_what_the_config_protects() {
    let server = lab::redis::start(&[]).unwrap();
    let mut admin = client(&server.url(0)).await;
    fill(&mut admin, "cache:a:", 20).await;
    fill(&mut admin, "sess:", 30).await;
    run(&mut admin, &["SET", "version:[a]", "1"]).await;
    let mut spec = target(&server.url(0), &[("a", "cache:a:", false), ("sessions", "sess:", true)]);
    spec.namespaces[0].version_key = Some("version:[a]".into());
    let lines = (kind("redis").doctor)(&spec).await;
    let line = lines.iter().find(|line| line.what.as_str().contains("config alone")).expect("a line");
    assert!(line.what.as_str().starts_with("sessions protected"), "{line:?}");
    let mend = line.mend.as_ref().unwrap().as_str().to_owned();
    // As a shell would split it.
    let mut words = Vec::new();
    for (number, part) in mend.split('\'').enumerate() {
        if number % 2 == 1 { words.push(part) } else { words.extend(part.split_whitespace()) }
    }
    run(&mut admin, &words).await;

    let url = format!("redis://warroom:%3Cpassword%3E@127.0.0.1:{}/0", server.port());
    let limited = TargetSpec { namespaces: spec.namespaces.clone(), ..target(&url, &[]) };
    let lines = (kind("redis").doctor)(&limited).await;
    assert!(
        lines.iter().all(|line| line.ok == warroom::model::Severity::Ok
            || line.mend.as_ref().is_some_and(|it| !it.as_str().contains("ACL"))),
        "{lines:?}"
    );
    let mut own = client(&url).await;
    let refused = redis::cmd("UNLINK").arg("sess:1").query_async::<i64>(&mut own).await.unwrap_err();
    assert_eq!(refused.code(), Some("NOPERM"), "{refused}");

    let bump = Clearing { way: Way::Renew, ..Clearing::default() };
    let (outcome, _) = act(&limited, plan_how(&limited, bump).await.unwrap(), &StopFlag::default()).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{}", outcome.says);
    let (outcome, _) = act(&limited, plan(&limited, "a").await.unwrap(), &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(20)), "{}", outcome.says);
    assert_eq!(size(&mut admin).await, 31);
}

#[tokio::test]
async fn no_key_is_missed_while_the_servers_table_grows_or_shrinks() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 40_000).await;
    let spec = target(&server.url(0), &[("a", "cache:a:", false)]);
    let planned = plan(&spec, "a").await.unwrap();
    let (sink, mut progress) = mpsc::channel::<Progress>(1_000);
    let (actions, all) = (RedisActions::new(&spec), intended(planned));
    let stop = StopFlag::default();
    let growth = async {
        while let Some(told) = progress.recv().await {
            if told.share > 0.0 {
                stop.pause(true);
                break;
            }
        }
        // Four times the keys: the table doubles twice, and moves its keys bit by bit.
        fill(&mut other, "page:", 160_000).await;
        stop.pause(false);
    };
    let (outcome, ()) = tokio::join!(actions.act(&all, sink, stop.clone()), growth);
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(40_000)), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 160_000);

    // Nineteen of twenty keys go: the table shrinks meanwhile, whenever the server gets to it.
    let spec = target(&server.url(0), &[("a", "page:", false)]);
    fill(&mut other, "cache:a:", 8_000).await;
    let how = Clearing { pace: Pace::Full, ..Clearing::default() };
    let (outcome, _) = act(&spec, plan_how(&spec, how).await.unwrap(), &StopFlag::default()).await;
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(160_000)), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 8_000);
}

/// Passes on what comes, each way this much later.
async fn far_away(server: u16, way: Duration) -> u16 {
    async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Duration) {
        let (late, mut due) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        tokio::spawn(async move {
            while let Some((at, bytes)) = due.recv().await {
                tokio::time::sleep_until(at).await;
                if to.write_all(&bytes).await.is_err() {
                    break;
                }
            }
        });
        let mut bytes = vec![0; 65_536];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            if late.send((Instant::now() + way, bytes[..read].to_vec())).is_err() {
                break;
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((here, _)) = listener.accept().await {
            let there = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (questions, told) = here.into_split();
            let (answers, passed_on) = there.into_split();
            tokio::spawn(pass(questions, passed_on, way));
            tokio::spawn(pass(answers, told, way));
        }
    });
    port
}

#[tokio::test]
async fn a_server_far_away_is_not_taken_for_one_in_trouble() {
    let server = lab::redis::start(&[]).unwrap();
    let mut other = client(&server.url(0)).await;
    fill(&mut other, "cache:a:", 5_000).await;
    fill(&mut other, "page:", 20_000).await;
    let port = far_away(server.port(), Duration::from_millis(40)).await;
    let spec = target(&format!("redis://127.0.0.1:{port}/0"), &[("a", "cache:a:", false)]);
    let planned = plan(&spec, "a").await.unwrap();
    // Ten seconds a batch, as if every PING spoke of trouble, would take ten times as long.
    let stop = StopFlag::default();
    let acted = tokio::time::timeout(Duration::from_secs(120), act(&spec, planned, &stop));
    let (outcome, _) = acted.await.expect("it gets on");
    assert_eq!((outcome.kind, outcome.deleted), (OutcomeKind::Done, Some(5_000)), "{}", outcome.says);
    assert_eq!(size(&mut other).await, 20_000);
}

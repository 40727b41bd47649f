//! A crowd that waits for rows or an advisory lock: few are asked about, everybody is known.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};
use warroom::detect::blocking::Forest;
use warroom::model::BackendState;

use crate::postgres::{Client, accounts, backend, poll_until, server, source, spec, waiters};
use crate::postgres_actions::pile;

#[tokio::test]
async fn a_crowd_that_waits_for_rows_is_told_by_its_last_ones_and_its_trees_are_whole() {
    let server = server(&[("max_connections", "140")]);
    accounts(&server).await;
    let (mut first, mut second) = (Client::new(&server, "a").await, Client::new(&server, "b").await);
    first.run("begin; update accounts set n = 1 where id = 1").await;
    second.run("begin; update accounts set n = 1 where id = 2").await;
    let long = pile(&server, 75).await;
    let mut short = Vec::new();
    for _ in 0..10 {
        let client = Client::new(&server, "jobs").await;
        short.push(client.spawn("update accounts set n = n + 1 where id = 2"));
    }
    let mut watch = source(&spec(&server));
    let sample = poll_until(&mut watch, "both queues", |sample| waiters(sample) == 85).await;
    let forest = Forest::build(&sample.backends, &[]);
    let frees: Vec<_> = forest.roots.iter().map(|root| (root.frees, root.frees_now)).collect();
    assert_eq!((forest.waiters, frees), (85, vec![(75, 1), (10, 1)]));

    // The long queue is told short: everybody waits for its head, who waits for the holder.
    let head: BTreeSet<i32> = long
        .iter()
        .map(|one| backend(&sample, one.pid))
        .filter(|one| one.blocked_by == [first.pid])
        .map(|one| one.key.pid)
        .collect();
    assert_eq!(head.len(), 1, "{head:?}");
    let told = |one: &&crate::postgres::Waiting| {
        let by = &backend(&sample, one.pid).blocked_by;
        by.len() == 1 && head.contains(&by[0])
    };
    let short_told = long.iter().filter(told).count();
    assert!(short_told > 60, "{short_told} of 75 were told by others");

    // What is told so leads to the same holders as the server's own word on each of them.
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for one in long.iter().chain(&short) {
        let by: Vec<i32> = sqlx::query_scalar("select unnest(pg_blocking_pids($1))")
            .bind(one.pid)
            .fetch_all(&mut admin)
            .await
            .unwrap();
        for pid in &backend(&sample, one.pid).blocked_by {
            assert!(by.contains(pid), "{} does not wait for {pid}: {by:?}", one.pid);
        }
    }
    assert_eq!(backend(&sample, first.pid).state, BackendState::IdleInTransaction);

    first.run("rollback").await;
    second.run("rollback").await;
    for one in long.into_iter().chain(short) {
        one.end().await.1.unwrap();
    }
    let calm = poll_until(&mut watch, "calm", |sample| waiters(sample) == 0).await;
    assert!(calm.backends.iter().all(|one| one.blocked_by.is_empty()));
}

#[tokio::test]
async fn a_crowd_behind_an_advisory_lock_is_told_by_few_and_a_holder_that_waits_for_another_stays_one() {
    let server = server(&[("max_connections", "140")]);
    let mut first = Client::new(&server, "deploy").await;
    first.run("select pg_advisory_lock_shared(1), pg_advisory_lock(2)").await;
    let mut middle = Client::new(&server, "cron").await;
    middle.run("select pg_advisory_lock_shared(1)").await;
    let middle = middle.spawn("select pg_advisory_lock(2)");
    let mut all = Vec::new();
    for _ in 0..75 {
        let client = Client::new(&server, "jobs").await;
        all.push(client.spawn("select pg_advisory_lock(1), pg_advisory_unlock(1)"));
    }
    let mut watch = source(&spec(&server));
    let sample = poll_until(&mut watch, "the queue", |sample| waiters(sample) == 76).await;
    // Both holders are named to everybody, and of those before them few.
    let named: Vec<_> = all.iter().map(|one| &backend(&sample, one.pid).blocked_by).collect();
    let holders = |by: &&&Vec<i32>| by.contains(&first.pid) && by.contains(&middle.pid);
    assert_eq!(named.iter().filter(holders).count(), 75, "{named:?}");
    let short = named.iter().filter(|by| by.len() < 20).count();
    assert!(short > 60, "{short} of 75 were told by others");
    assert_eq!(backend(&sample, middle.pid).blocked_by, [first.pid]);

    // The trees are those that the server's own word on each waiter gives.
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let mut asked = sample.clone();
    for one in asked.backends.iter_mut().filter(|one| one.waits_for_lock()) {
        let by: Vec<i32> = sqlx::query_scalar("select unnest(pg_blocking_pids($1))")
            .bind(one.key.pid)
            .fetch_all(&mut admin)
            .await
            .unwrap();
        assert!(one.blocked_by.iter().all(|pid| by.contains(pid)), "{one:?}: {by:?}");
        one.blocked_by = by;
    }
    let roots = |sample: &warroom::model::DatabaseSample| {
        let forest = Forest::build(&sample.backends, &[]);
        let root = |root: &warroom::detect::blocking::Root| (root.frees, root.frees_now);
        (forest.waiters, forest.roots.iter().map(root).collect::<Vec<_>>())
    };
    assert_eq!(roots(&sample), (76, vec![(76, 1)]));
    assert_eq!(roots(&asked), roots(&sample));

    first.run("select pg_advisory_unlock_all()").await;
    let (mut middle, done) = middle.end().await;
    done.unwrap();
    middle.run("select pg_advisory_unlock_all()").await;
    for one in all {
        one.end().await.1.unwrap();
    }
    poll_until(&mut watch, "calm", |sample| waiters(sample) == 0).await;
}

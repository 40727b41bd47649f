//! A role that may only log in, as a managed service gives one: what it cannot see is told, never taken for nothing.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use warroom::actions::{Action as _, PostgresActions};
use warroom::config::TargetSpec;
use warroom::lab::postgres::{Settings, start_with};
use warroom::model::{Backend, OutcomeKind, Resource, Severity, TargetId};

use crate::postgres::{Client, accounts, backend, poll, poll_until, server, source};
use crate::postgres_actions::terminate;
use crate::postgres_detect::{finding, judged};
use crate::postgres_versions::programs;

async fn on(version: u32) {
    let server = start_with(&Settings { bin_dir: programs(version), ..Settings::default() }).unwrap();
    accounts(&server).await;
    Client::as_role(&server, "postgres", "dba").await.run("create role poor login").await;
    let plain =
        TargetSpec::new(TargetId::parse("primary").unwrap(), "postgres").with_url(&server.url("poor"));
    let mut source = source(&plain);
    let alone = judged(&poll(&mut source).await, 4);
    assert_eq!(alone.verdict.severity, Severity::Ok, "nobody is hidden yet: {alone:#?}");

    let idle = Client::new(&server, "web.2").await;
    let sample = poll_until(&mut source, "the one who is hidden", |sample| {
        sample.backends.iter().filter(|one| one.is_hidden()).count() == 1
    })
    .await;
    assert!(backend(&sample, idle.pid).is_hidden());
    let told = judged(&Ok(sample), 4);
    for resource in [Resource::PostgresSlowQueries, Resource::PostgresLoad] {
        let found = finding(&told, resource);
        assert_eq!(found.severity, Severity::Unknown, "{found:?}");
        assert!(found.says.starts_with("1 session is hidden from us"), "{found:?}");
        assert!(found.remedy.as_ref().unwrap().says.contains("grant pg_monitor"), "{found:?}");
    }

    let mut holder = Client::new(&server, "web.9").await;
    holder.run("begin; update accounts set n = 1 where id = 7").await;
    let waiting = Client::new(&server, "web.3").await.spawn("update accounts set n = 2 where id = 7");
    let sample = poll_until(&mut source, "who waits", |sample| {
        let long = |one: &Backend| one.wait_age.is_none_or(|age| age > 0.5);
        let waits = |one: &Backend| one.blocked_by == [holder.pid] && long(one);
        sample.backends.iter().any(|one| one.key.pid == waiting.pid && waits(one))
    })
    .await;
    let age = backend(&sample, waiting.pid).wait_age.unwrap();
    assert!(age < 3_600.0, "nobody has waited since 1970: {age}");
    let told = judged(&Ok(sample), 4);
    let found = finding(&told, Resource::PostgresLocks);
    let head = format!("web.9 (pid {}), its state hidden from us: 1 waits behind it", holder.pid);
    assert!(found.says.starts_with(&head), "{found:?}");
    let remedy = found.remedy.as_ref().unwrap();
    assert_eq!(remedy.intent, None, "who it is cannot be told for certain: {remedy:?}");
    assert!(remedy.says.contains("grant pg_monitor and pg_signal_backend"), "{remedy:?}");
    assert!(remedy.says.contains(&format!("pg_terminate_backend({})", holder.pid)), "{remedy:?}");

    let actions = PostgresActions::new(&plain);
    let refusal = match actions.backend(holder.pid).await {
        Ok(key) => actions.plan(&terminate(&[key])).await.unwrap_err(),
        Err(refusal) => refusal,
    };
    assert_eq!(refusal.kind, OutcomeKind::Refused, "{refusal:?}");
    assert!(refusal.says.as_str().contains("grant pg_monitor"), "{refusal:?}");
    holder.run("rollback").await;
    waiting.end().await.1.unwrap();
}

#[tokio::test]
async fn what_a_role_may_not_see_is_told_on_13() {
    on(13).await;
}

#[tokio::test]
async fn what_a_role_may_not_see_is_told_on_18() {
    on(18).await;
}

/// A script takes 0 for "all is well": what cannot be seen is not well, also where only two looks are taken.
#[tokio::test]
async fn a_check_that_may_not_see_the_sessions_says_so_by_its_exit() {
    let server = server(&[]);
    Client::as_role(&server, "postgres", "dba").await.run("create role nosy login").await;
    let mut busy = Client::new(&server, "web.1").await;
    busy.run("select 1").await;
    let home = tempfile::tempdir().unwrap();
    let text =
        format!("[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n", server.url("nosy"));
    std::fs::write(home.path().join("warroom.toml"), text).unwrap();
    let (code, out, err) = super::cli::run(home.path(), &["check"]);
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.contains("hidden from us") && out.contains("pg_monitor"), "{out}");
}

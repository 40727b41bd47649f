//! One session looked at closely: its locks by name, its whole statement, what it wrote.
#![expect(clippy::unwrap_used, reason = "only tests call these")]

use sqlx::{Connection as _, PgConnection};
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{Lock, LookedLock, OutcomeKind, SafeText, SessionLook};
use warroom::sources::look_at_session;

use crate::postgres::{Client, accounts, backend, poll_until, source, spec, waiters};
use crate::postgres_versions::programs;

fn start(version: u32) -> Postgres {
    start_with(&Settings { bin_dir: programs(version), ..Settings::default() }).unwrap()
}

fn locks(look: &SessionLook, held: bool) -> Vec<String> {
    look.locks.iter().filter(|one| one.held == held).map(|one| one.lock.short()).collect()
}

async fn on(version: u32) {
    let server = start(version);
    accounts(&server).await;
    let spec = spec(&server);
    let mut source = source(&spec);
    let mut holder = Client::new(&server, "web.3").await;
    holder
        .run(
            "begin; lock table accounts in share row exclusive mode; select pg_advisory_xact_lock(7); \
              update accounts set n = 1 where id = 1",
        )
        .await;
    let waiter = Client::new(&server, "web.4").await;
    let long: &'static str =
        Box::leak(format!("/* {} */ update accounts set n = 2 where id = 1", "x".repeat(900)).into());
    let waiter = waiter.spawn(long);
    let sample = poll_until(&mut source, "a waiter", |sample| waiters(sample) == 1).await;
    let key = |pid: i32| backend(&sample, pid).key;

    let look = look_at_session(&spec, key(holder.pid)).await.unwrap();
    assert_eq!(
        locks(&look, true),
        ["advisory lock 7, Exclusive", "accounts, ShareRowExclusive", "accounts, RowExclusive"]
    );
    assert_eq!((locks(&look, false).len(), look.no_locks.as_ref()), (0, None));
    assert!(look.xid.is_some() && look.left_out >= 2, "{look:?}");
    assert!(look.query.as_str().ends_with("where id = 1") && !look.query_cut);

    // The poll cuts its statement; this does not.
    assert!(!backend(&sample, waiter.pid).query.as_str().contains("update accounts"));
    let look = look_at_session(&spec, key(waiter.pid)).await.unwrap();
    assert!(look.query.as_str().ends_with("update accounts set n = 2 where id = 1"), "{}", look.query);
    assert_eq!(locks(&look, false), ["accounts, RowExclusive"]);
    assert_eq!(look.xid, None);

    // Names of another database's tables, and nothing waits for a lock on them.
    let mut other = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for sql in ["create table elsewhere (n int)", "begin", "lock table elsewhere in access exclusive mode"] {
        sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
    }
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    let sample =
        poll_until(&mut source, "it", |sample| sample.backends.iter().any(|it| it.key.pid == pid)).await;
    let look = look_at_session(&spec, backend(&sample, pid).key).await.unwrap();
    let elsewhere = Lock {
        kind: SafeText::new("relation"),
        on: SafeText::new("elsewhere"),
        mode: SafeText::new("AccessExclusive"),
    };
    assert_eq!(look.locks, [LookedLock { lock: elsewhere, held: true, count: 1 }]);

    // The same pid with another begin is another session.
    let mut stale = backend(&sample, pid).key;
    stale.started = warroom::model::Timestamp::from_micros(stale.started.as_micros() - 1);
    assert_eq!(look_at_session(&spec, stale).await.unwrap_err().kind, OutcomeKind::NothingToDo);
    holder.run("rollback").await;
    waiter.end().await.1.unwrap();
}

#[tokio::test]
async fn a_session_is_looked_at_closely_on_13() {
    on(13).await;
}

#[tokio::test]
async fn a_session_is_looked_at_closely_on_16() {
    on(16).await;
}

#[tokio::test]
async fn a_session_is_looked_at_closely_on_18() {
    on(18).await;
}

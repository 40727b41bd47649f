//! Every PostgreSQL from 13 to 18: what is asked and what is done works there as well.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "only tests call these")]

use std::path::PathBuf;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;
use warroom::actions::{Action as _, PostgresActions};
use warroom::config::TargetSpec;
use warroom::explain::explain;
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{DatabaseSample, DoctorLine, ExplainAsk, ExplainOf, OutcomeKind, Severity};
use warroom::sources::{KINDS, look_at_session};

use crate::postgres::{Client, accounts, backend, poll, poll_until, source, spec, waiters};
use crate::postgres_actions::{act, cancel, pile, terminate};

/// The oldest and the newest version that is spoken to.
pub(crate) const VERSIONS: std::ops::RangeInclusive<u32> = 13..=18;

/// The folder of one version's programs, from the list that `scripts/test` gives (13 first).
pub(crate) fn programs(version: u32) -> Option<PathBuf> {
    let bins = std::env::var_os("WARROOM_TEST_PG").expect("WARROOM_TEST_PG is not set: run scripts/test");
    let bins: Vec<_> = std::env::split_paths(&bins).collect();
    assert_eq!(bins.len(), VERSIONS.count(), "WARROOM_TEST_PG names other versions: run scripts/test");
    bins.into_iter().nth((version - VERSIONS.start()) as usize)
}

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

async fn on(version: u32) {
    let bin_dir = programs(version);
    let server = [("max_prepared_transactions", "4")].map(|(name, value)| (name.into(), value.into()));
    let server = start_with(&Settings { bin_dir, server: server.to_vec(), ..Settings::default() }).unwrap();
    accounts(&server).await;
    let spec = spec(&server);
    let mut source = source(&spec);

    // Every lane of the poll runs, within its budget.
    for _ in 0..60 {
        let sample = poll(&mut source).await.unwrap();
        assert_eq!(sample.version / 10_000, version);
        assert!(sample.missing.is_empty(), "{:?}", sample.missing);
        assert!(sample.max_connections > 0 && sample.reserved_connections >= 3);
    }
    let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
    let calls: i64 = sqlx::query_scalar(
        "select sum(calls)::int8 from pg_stat_statements s join pg_roles r on r.oid = s.userid where rolname = 'warroom'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    assert!((60..=90).contains(&calls), "{calls} statements in 60 polls");
    // Whoever reads the server's lists sees whose they are, and what they ask; 18 leaves a leading comment out.
    let strange: Vec<String> = sqlx::query_scalar(
        "select left(query, 60) from pg_stat_statements s join pg_roles r on r.oid = s.userid \
         where rolname = 'warroom' and query !~ '^(/[*] warroom [*]/\\s+)?(select|with|[(]select)'",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(strange.is_empty(), "{strange:?}");

    slower_parts(&server, &spec, version).await;

    let actions = PostgresActions::new(&spec);
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let pile = pile(&server, 6).await;
    let sample = poll_until(&mut source, "the pile", |sample| waiters(sample) == 6).await;
    assert_eq!(backend(&sample, holder.pid).application_name.as_str(), "web.3");
    let root = actions.root_blocker().await.unwrap();
    assert_eq!((root.len(), root[0].pid), (1, holder.pid));
    let outcome = act(&actions, actions.plan(&terminate(&root)).await.unwrap()).await;
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(6)), "{outcome:?}");
    for one in pile {
        one.end().await.1.unwrap();
    }

    let mut client = Client::new(&server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 2; prepare transaction 'order 42'").await;
    let waiting = Client::new(&server, "web.1").await.spawn("update accounts set n = 6 where id = 2");
    let sample = poll_until(&mut source, "a prepared root", |sample| !sample.prepared.is_empty()).await;
    assert_eq!(sample.prepared[0].waiters, [waiting.pid]);
    let key = actions.backend(waiting.pid).await.unwrap();
    let outcome = act(&actions, actions.plan(&cancel(key)).await.unwrap()).await;
    assert_eq!(outcome.kind, OutcomeKind::Done, "{outcome:?}");
    let cancelled = waiting.end().await.1.unwrap_err();
    assert_eq!(
        cancelled.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("57014")
    );

    let kind = KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let lines = (kind.doctor)(&spec).await;
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");

    // What it says of explaining is so, and so is the statement that mends it.
    let explains = lines.iter().find(|line| line.what.as_str().starts_with("explains ")).unwrap();
    assert!(explains.what.as_str().contains("tables and views of database app"), "{explains:?}");
    let ask = ExplainAsk {
        target: spec.id.clone(),
        of: ExplainOf::Text { text: "select * from public.accounts".into(), database: None },
        search_path: None,
    };
    let refusal = explain(&spec, &ask).await.unwrap_err();
    assert!(refusal.says.as_str().contains("permission denied"), "{refusal}");
    let mend = explains.mend.clone().unwrap();
    assert_eq!(mend.as_str().contains("pg_read_all_data"), version >= 14, "{mend}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mend.to_string())).execute(&mut admin).await.unwrap();
    explain(&spec, &ask).await.unwrap();
    let lines = (kind.doctor)(&spec).await;
    let reads_any = |line: &DoctorLine| line.what.as_str().starts_with("explains what reads any table");
    assert!(lines.iter().any(reads_any), "{lines:?}");
}

/// What is read less often is there too, while every table is locked against everybody.
async fn slower_parts(server: &Postgres, spec: &TargetSpec, version: u32) {
    let mut ddl = Client::new(server, "ddl").await;
    ddl.run("begin; lock table accounts in access exclusive mode").await;
    let mut source = source(spec);
    let first = timeout(PATIENCE, poll(&mut source)).await.expect("held up").unwrap();
    // Who waited for the lock would be sent away and say what is missing.
    for _ in 0..20 {
        let sample = timeout(PATIENCE, poll(&mut source)).await.expect("held up").unwrap();
        assert!(sample.missing.is_empty(), "{:?}", sample.missing);
    }
    let key = backend(&first, ddl.pid).key;
    let look = timeout(PATIENCE, look_at_session(spec, key)).await.expect("held up").unwrap();
    assert!(
        look.no_locks.is_none() && look.locks.iter().any(|one| one.lock.on.as_str() == "accounts"),
        "{look:?}"
    );
    let kind = KINDS.iter().find(|kind| kind.name == "postgres").unwrap();
    let lines = timeout(PATIENCE, (kind.doctor)(spec)).await.expect("held up");
    assert!(lines.iter().all(|line| line.ok == Severity::Ok), "{lines:?}");
    let totals = first.totals.unwrap();
    assert_eq!(totals.sessions.is_some(), version >= 14);
    assert_eq!(totals.sessions_seen.is_some(), version < 14);
    assert!(totals.wal_bytes.is_some() && totals.checkpoints_timed.is_some(), "{totals:?}");
    let frozen = first.upkeep.frozen.as_ref().unwrap();
    assert!((0.0..0.01).contains(&frozen.used()), "{frozen:?}");
    assert!(first.upkeep.settings.iter().any(|one| one.name.as_str() == "max_prepared_transactions"));
    let told: Vec<_> = first.lanes.iter().map(|one| one.lane.as_str()).collect();
    for lane in ["limits and rights", "statement statistics", "replication slots", "transaction ids"] {
        assert!(told.contains(&lane), "{told:?}");
    }
    Client::new(server, "report").await.run("select sum(g) from generate_series(1, 300000) g").await;
    let told = |sample: &DatabaseSample| {
        assert!(sample.missing.is_empty(), "{:?}", sample.missing);
        let top = sample.statements.as_ref().and_then(|statements| statements.top.first());
        top.is_some_and(|top| top.query.as_str().contains("generate_series") && top.user.as_str() == "app")
    };
    let sample = poll_until(&mut source, "the dearest statement", told).await;
    let statements = sample.statements.unwrap();
    assert!(statements.over > 0.5 && statements.busy().unwrap() > 0.0, "{statements:?}");
    assert!(statements.top[0].calls >= 1 && statements.top[0].database.as_str() == "app");
    ddl.run("rollback").await;
}

#[tokio::test]
async fn version_13_is_polled_and_mended() {
    on(13).await;
}

#[tokio::test]
async fn version_14_is_polled_and_mended() {
    on(14).await;
}

#[tokio::test]
async fn version_15_is_polled_and_mended() {
    on(15).await;
}

#[tokio::test]
async fn version_16_is_polled_and_mended() {
    on(16).await;
}

#[tokio::test]
async fn version_17_is_polled_and_mended() {
    on(17).await;
}

#[tokio::test]
async fn version_18_is_polled_and_mended() {
    on(18).await;
}

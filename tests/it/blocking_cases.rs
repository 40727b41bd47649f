//! Every way in which sessions block each other, made on real servers of every version: who is the
//! root, what its end frees, and what is offered.
#![expect(clippy::unwrap_used, clippy::panic, reason = "only tests call these")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sqlx::Connection as _;
use warroom::detect::blocking::{Forest, Node, Root, RootKind};
use warroom::lab::postgres::{Postgres, Settings, start_with};
use warroom::model::{BackendState, Culprit, DatabaseSample, Finding, Freed, Intent, Resource};
use warroom::sources::Source;

use crate::postgres::{Client, Waiting, accounts, backend, poll_until, source, spec, waiters};
use crate::postgres_detect::{finding, judged};
use crate::postgres_versions::{VERSIONS, programs};

const SETTINGS: [(&str, &str); 5] = [
    ("max_prepared_transactions", "4"),
    // Circles and autovacuum are seen before the server resolves them.
    ("deadlock_timeout", "60s"),
    ("autovacuum_naptime", "1"),
    ("wal_level", "logical"),
    ("max_wal_senders", "4"),
];

fn start(version: u32) -> Postgres {
    let server = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    start_with(&Settings { bin_dir: programs(version), server, ..Settings::default() }).unwrap()
}

/// What the judge says of this sample once these waits have lasted three seconds.
fn says(sample: &DatabaseSample) -> Finding {
    let mut sample = sample.clone();
    for one in sample.backends.iter_mut().filter(|one| one.wait_age.is_some()) {
        one.wait_age = Some(3.0);
    }
    finding(&judged(&Ok(sample), 3), Resource::PostgresLocks).clone()
}

/// The sample once so many wait.
async fn waiting(source: &mut Box<dyn Source>, count: usize) -> DatabaseSample {
    poll_until(source, &format!("{count} waiters"), |sample| waiters(sample) == count).await
}

/// Nobody waits any more.
async fn calm(source: &mut Box<dyn Source>, waiting: Vec<Waiting>) {
    for one in waiting {
        one.end().await.1.ok();
    }
    poll_until(source, "no waiter", |sample| waiters(sample) == 0).await;
}

fn pid(node: Node, sample: &DatabaseSample) -> i32 {
    match node {
        Node::Backend(at) => sample.backends[at].key.pid,
        Node::Prepared(_) | Node::UnnamedPrepared => 0,
    }
}

/// The one root, its pid, and what its end frees at once, in the end and not at all.
fn only_root(sample: &DatabaseSample) -> (Root, i32, Freed) {
    let forest = Forest::build(&sample.backends, &sample.prepared);
    let [root] = forest.roots.as_slice() else { panic!("{:#?}", forest.roots) };
    (root.clone(), pid(root.nodes[0], sample), forest.freed_by(&root.nodes))
}

fn freed(now: u32, in_all: u32, still_blocked: u32) -> Freed {
    Freed { now, in_all, still_blocked }
}

/// Whom the remedy would end.
fn offered(finding: &Finding) -> Vec<i32> {
    match finding.remedy.as_ref().and_then(|remedy| remedy.intent.as_ref()) {
        Some(Intent::TerminateBackend { backends, .. }) => {
            let mut pids: Vec<i32> = backends.iter().map(|key| key.pid).collect();
            pids.sort_unstable();
            pids
        }
        None => Vec::new(),
        other => panic!("{other:?}"),
    }
}

async fn two_roots(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut one = Client::new(server, "report.1").await;
    let mut two = Client::new(server, "report.2").await;
    one.run("begin; lock table accounts in access share mode").await;
    two.run("begin; lock table accounts in access share mode").await;
    let pids = { [one.pid.min(two.pid), one.pid.max(two.pid)] };
    let alter =
        Client::new(server, "migrate").await.spawn("begin; lock table accounts in access exclusive mode");
    let sample = waiting(source, 1).await;
    let forest = Forest::build(&sample.backends, &sample.prepared);
    assert_eq!(forest.roots.len(), 2);
    for root in &forest.roots {
        assert_eq!(forest.freed_by(&root.nodes), freed(0, 0, 1));
    }
    let found = says(&sample);
    assert_eq!(offered(&found), pids);
    assert_eq!(found.remedy.unwrap().says, "end both: frees 1 (either alone frees nobody)");
    // As told: the end of one frees nobody.
    one.run("rollback").await;
    waiting(source, 1).await;
    two.run("rollback").await;
    calm(source, vec![alter]).await;
}

async fn idle_advisory(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut holder = Client::new(server, "cron").await;
    holder.run("select pg_advisory_lock(42)").await;
    let waiter = Client::new(server, "worker.1").await.spawn("select pg_advisory_lock(42)");
    let sample = waiting(source, 1).await;
    let (root, pid, ends) = only_root(&sample);
    assert_eq!((root.kind, pid, ends), (RootKind::Holder, holder.pid, freed(1, 1, 0)));
    assert_eq!(backend(&sample, pid).state, BackendState::Idle);
    assert_eq!(offered(&says(&sample)), [holder.pid]);
    holder.run("select pg_advisory_unlock(42)").await;
    calm(source, vec![waiter]).await;
}

async fn ddl_behind_a_report(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut report = Client::new(server, "report").await;
    report.run("begin; select count(*) from accounts").await;
    let migrate = Client::new(server, "migrate").await;
    let ddl = migrate.pid;
    let mut all = vec![migrate.spawn("alter table accounts add column c int")];
    waiting(source, 1).await;
    for n in 0..3 {
        all.push(Client::new(server, &format!("web.{n}")).await.spawn("select count(*) from accounts"));
    }
    let sample = waiting(source, 4).await;
    let (_, pid, ends) = only_root(&sample);
    assert_eq!((pid, ends), (report.pid, freed(1, 4, 0)));
    let forest = Forest::build(&sample.backends, &sample.prepared);
    let row = forest.rows.iter().find(|row| self::pid(row.node, &sample) == ddl).unwrap();
    assert_eq!((row.depth, row.frees), (1, 3));
    let found = says(&sample);
    assert!(found.says.contains(&format!("3 of them through migrate (pid {ddl})")), "{}", found.says);
    assert!(found.remedy.as_ref().unwrap().says.ends_with(&format!("migrate (pid {ddl}) alone: frees 3")));
    assert_eq!(offered(&found), [report.pid]);
    report.run("rollback").await;
    calm(source, all).await;
}

async fn aborted_after_a_savepoint(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut holder = Client::new(server, "web.3").await;
    holder.run("begin; update accounts set n = 7 where id = 3; savepoint s").await;
    holder.try_run("select 1 / 0").await.unwrap_err();
    let waiter = Client::new(server, "web.4").await.spawn("update accounts set n = 8 where id = 3");
    let sample = waiting(source, 1).await;
    let (_, pid, ends) = only_root(&sample);
    assert_eq!((pid, ends), (holder.pid, freed(1, 1, 0)));
    let root = backend(&sample, pid);
    assert_eq!(root.state, BackendState::IdleInTransactionAborted);
    assert!(root.has_written);
    let found = says(&sample);
    assert!(found.says.contains("idle in transaction (aborted)"), "{}", found.says);
    assert_eq!(offered(&found), [holder.pid]);
    holder.run("rollback").await;
    calm(source, vec![waiter]).await;
}

async fn a_circle(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut one = Client::new(server, "web.1").await;
    let mut two = Client::new(server, "web.2").await;
    one.run("begin; update accounts set n = 1 where id = 4").await;
    two.run("begin; update accounts set n = 1 where id = 5").await;
    let one = one.spawn("update accounts set n = 1 where id = 5");
    waiting(source, 1).await;
    let two = two.spawn("update accounts set n = 1 where id = 4");
    waiting(source, 2).await;
    let three = Client::new(server, "web.3").await.spawn("update accounts set n = 1 where id = 4");
    let sample = waiting(source, 3).await;
    let (root, ..) = only_root(&sample);
    assert_eq!((root.kind, root.nodes.len(), root.frees, root.waiters), (RootKind::Cycle, 2, 0, 3));
    let found = says(&sample);
    assert!(
        found.says.starts_with("2 sessions wait for each other in a circle, 1 waits behind them;"),
        "{}",
        found.says
    );
    assert_eq!(offered(&found), [0; 0]);
    assert!(found.remedy.unwrap().says.contains("deadlock_timeout"));
    let mut dba = Client::as_role(server, "postgres", "dba").await;
    dba.run("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'web.1'").await;
    let (mut one, cancelled) = one.end().await;
    cancelled.unwrap_err();
    one.run("rollback").await;
    let (mut two, went_on) = two.end().await;
    went_on.unwrap();
    two.run("rollback").await;
    calm(source, vec![three]).await;
}

async fn prepared_before_and_after_a_crash(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut client = Client::new(server, "payments").await;
    client.run("begin; update accounts set n = 5 where id = 2; prepare transaction 'order 42'").await;
    let check = async |source: &mut Box<dyn Source>| {
        let waiter = Client::new(server, "web.1").await.spawn("update accounts set n = 6 where id = 2");
        let sample = poll_until(source, "a named root", |sample| !sample.prepared.is_empty()).await;
        assert_eq!(backend(&sample, waiter.pid).blocked_by, [0]);
        let (root, _, ends) = only_root(&sample);
        assert_eq!((root.nodes, ends), (vec![Node::Prepared(0)], freed(1, 1, 0)));
        let found = says(&sample);
        assert!(found.says.starts_with("prepared transaction order 42 of app"), "{}", found.says);
        let Some(Culprit::Prepared { gid, database, frees, .. }) = &found.culprit else {
            panic!("{found:?}")
        };
        assert_eq!((gid.as_str(), database.as_str(), *frees), ("order 42", "app", freed(1, 1, 0)));
        let Some(Intent::RollbackPrepared { gid, database, .. }) = found.remedy.unwrap().intent else {
            panic!("no rollback is offered")
        };
        assert_eq!((gid.as_str(), database.as_str()), ("order 42", "app"));
        waiter
    };
    drop(check(source).await);
    let mut witness = Client::new(server, "witness").await;
    // A crash of one process restarts all; what was prepared comes back without its old number.
    let victim = rustix::process::Pid::from_raw(client.pid).unwrap();
    rustix::process::kill_process(victim, rustix::process::Signal::KILL).unwrap();
    let back = async {
        // First the crash reaches everybody, then the server takes new sessions.
        while witness.try_run("select 1").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while sqlx::PgConnection::connect(&server.url("app")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), back).await.unwrap();
    *source = crate::postgres::source(&spec(server));
    let waiter = check(source).await;
    Client::new(server, "payments").await.run("rollback prepared 'order 42'").await;
    calm(source, vec![waiter]).await;
}

async fn a_parallel_query(server: &Postgres, source: &mut Box<dyn Source>) {
    let mut report = Client::new(server, "report").await;
    report
        .run(
            "create table wide as select g from generate_series(1, 1000) g; \
             alter table wide set (parallel_workers = 2); analyze wide; set parallel_setup_cost = 0; \
             set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set enable_indexscan = off",
        )
        .await;
    let leader = report.pid;
    let running = report.spawn("select count(*) from wide where pg_sleep(60) is not null");
    let works = |sample: &DatabaseSample| {
        sample.backends.iter().filter(|one| one.leader_pid == Some(leader)).count() == 2
    };
    poll_until(source, "two workers", works).await;
    let ddl = Client::new(server, "migrate").await.spawn("alter table wide add column c int");
    let sample = waiting(source, 1).await;
    let (root, pid, ends) = only_root(&sample);
    assert_eq!((root.kind, pid, ends), (RootKind::Holder, leader, freed(1, 1, 0)));
    let forest = Forest::build(&sample.backends, &sample.prepared);
    assert_eq!(forest.rows.len(), 2, "workers are drawn");
    assert_eq!(offered(&says(&sample)), [leader]);
    let mut dba = Client::as_role(server, "postgres", "dba").await;
    dba.run("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'report' and leader_pid is null")
        .await;
    running.end().await.1.unwrap_err();
    calm(source, vec![ddl]).await;
}

/// A walsender that runs SQL in a transaction of its own: what logical replication does.
fn walsender(server: &Postgres) -> TcpStream {
    let mut line = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    body.extend(b"user\0postgres\0database\0app\0replication\0database\0application_name\0subscriber\0\0");
    let mut first = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    first.extend(body);
    line.write_all(&first).unwrap();
    ready(&mut line);
    let sql = b"begin; lock table accounts in access exclusive mode\0";
    let mut query = vec![b'Q'];
    query.extend(u32::try_from(sql.len() + 4).unwrap().to_be_bytes());
    query.extend(sql);
    line.write_all(&query).unwrap();
    ready(&mut line);
    line
}

/// Reads up to `ReadyForQuery`.
fn ready(line: &mut TcpStream) {
    loop {
        let mut head = [0; 5];
        line.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4;
        let mut body = vec![0; length];
        line.read_exact(&mut body).unwrap();
        match head[0] {
            b'Z' => return,
            b'E' => panic!("{}", String::from_utf8_lossy(&body)),
            _ => {}
        }
    }
}

async fn a_walsender(server: &Postgres, source: &mut Box<dyn Source>) {
    let line = walsender(server);
    let waiter = Client::new(server, "web.1").await.spawn("select count(*) from accounts");
    let sample = waiting(source, 1).await;
    let (_, pid, ends) = only_root(&sample);
    assert_eq!((backend(&sample, pid).kind.as_str(), ends), ("walsender", freed(1, 1, 0)));
    let found = says(&sample);
    assert_eq!(offered(&found), [0; 0]);
    assert!(found.remedy.unwrap().says.contains("walsender"));
    drop(line);
    calm(source, vec![waiter]).await;
}

async fn an_autovacuum(server: &Postgres, source: &mut Box<dyn Source>, wraparound: bool) {
    let mut app = Client::new(server, "app").await;
    // One page each tenth of a second: it works as long as it is looked at.
    app.run(
        "create table churned (id int, filler text) with (autovacuum_vacuum_cost_delay = 100, \
         autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0, \
         autovacuum_analyze_threshold = 1000000, autovacuum_freeze_max_age = 100000); \
         insert into churned select g, repeat('x', 500) from generate_series(1, 5000) g",
    )
    .await;
    if wraparound {
        app.run("do $$ begin for i in 1..100100 loop perform txid_current(); commit; end loop; end $$").await;
    }
    app.run("delete from churned where id % 2 = 0").await;
    // What a session did is counted for certain once it is gone.
    drop(app);
    let vacuums = |sample: &DatabaseSample| {
        let is = |one: &&warroom::model::Backend| {
            one.kind.as_str() == "autovacuum worker"
                && one.query.as_str().contains("churned")
                && one.query.as_str().contains("to prevent wraparound") == wraparound
        };
        sample.backends.iter().any(|one| is(&one))
    };
    poll_until(source, "an autovacuum", vacuums).await;
    let waiter = Client::new(server, "app").await.spawn("begin; lock table churned in access exclusive mode");
    let sample = waiting(source, 1).await;
    let (_, pid, ends) = only_root(&sample);
    assert_eq!((backend(&sample, pid).kind.as_str(), ends), ("autovacuum worker", freed(1, 1, 0)));
    let found = says(&sample);
    assert_eq!(offered(&found), [0; 0]);
    let advice = found.remedy.unwrap().says;
    assert!(advice.contains(if wraparound { "prevents wraparound" } else { "yields by itself" }), "{advice}");
    let mut dba = Client::as_role(server, "postgres", "dba").await;
    dba.run("select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'app'").await;
    waiter.end().await.1.unwrap_err();
    calm(source, Vec::new()).await;
}

async fn every_case(version: u32) {
    let server = start(version);
    accounts(&server).await;
    let mut source = source(&spec(&server));
    two_roots(&server, &mut source).await;
    idle_advisory(&server, &mut source).await;
    ddl_behind_a_report(&server, &mut source).await;
    aborted_after_a_savepoint(&server, &mut source).await;
    a_circle(&server, &mut source).await;
    a_parallel_query(&server, &mut source).await;
    a_walsender(&server, &mut source).await;
    an_autovacuum(&server, &mut source, version == *VERSIONS.end()).await;
    prepared_before_and_after_a_crash(&server, &mut source).await;
}

#[tokio::test]
async fn every_case_on_13() {
    every_case(13).await;
}

#[tokio::test]
async fn every_case_on_14() {
    every_case(14).await;
}

#[tokio::test]
async fn every_case_on_15() {
    every_case(15).await;
}

#[tokio::test]
async fn every_case_on_16() {
    every_case(16).await;
}

#[tokio::test]
async fn every_case_on_17() {
    every_case(17).await;
}

#[tokio::test]
async fn every_case_on_18() {
    every_case(18).await;
}
